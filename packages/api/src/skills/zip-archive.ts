// The zip archive that a version of a skill is kept and given out as: the same files make the same bytes. Nothing in it is
// packed, so that whoever mounts it reads it from its beginning.
import { crc32 } from '@capstan/shared/crc32';

export interface ArchivedFile {
  path: string;
  read(): Promise<Uint8Array>;
}

/** 1980-01-01, as these archives write it. */
const NO_TIME = 0x0021_0000;
const VERSION = 20;
const MADE_ON_UNIX = 0x0300 | VERSION;
const UTF8 = 0x0800;
const REGULAR = 0o100000;

const encoder = new TextEncoder();

/** Of files in the order they come in. Holds one of them at a time. */
export async function* zipArchive(files: readonly ArchivedFile[]): AsyncGenerator<Uint8Array> {
  const directory: Uint8Array[] = [];
  let at = 0;
  for (const { path, read } of files) {
    const content = await read();
    const name = encoder.encode(path);
    const said = { name, crc: crc32(content), size: content.length };
    const head = localHead(said);
    directory.push(listedHead({ ...said, at, executable: isProgram(content) }));
    yield head;
    yield content;
    at += head.length + content.length;
  }
  const listed = directory.reduce((sum, { length }) => sum + length, 0);
  yield* directory;
  yield ending({ count: files.length, size: listed, at });
}

interface Said {
  name: Uint8Array;
  crc: number;
  size: number;
}

function localHead({ name, crc, size }: Said): Uint8Array {
  const { bytes, view } = record(30 + name.length, 0x04034b50);
  view.setUint16(4, VERSION, true);
  common(view, 6, { crc, size, name });
  bytes.set(name, 30);
  return bytes;
}

function listedHead({ at, executable, ...said }: Said & { at: number; executable: boolean }): Uint8Array {
  const { bytes, view } = record(46 + said.name.length, 0x02014b50);
  view.setUint16(4, MADE_ON_UNIX, true);
  view.setUint16(6, VERSION, true);
  common(view, 8, said);
  view.setUint32(38, (REGULAR | (executable ? 0o755 : 0o644)) * 0x10000, true);
  view.setUint32(42, at, true);
  bytes.set(said.name, 46);
  return bytes;
}

/** What an entry and the directory say alike: flags, method, time, checksum, both lengths, that of the name. */
function common(view: DataView, from: number, { crc, size, name }: Said): void {
  view.setUint16(from, UTF8, true);
  view.setUint32(from + 4, NO_TIME, true);
  view.setUint32(from + 8, crc, true);
  view.setUint32(from + 12, size, true);
  view.setUint32(from + 16, size, true);
  view.setUint16(from + 20, name.length, true);
}

function ending({ count, size, at }: { count: number; size: number; at: number }): Uint8Array {
  const { bytes, view } = record(22, 0x06054b50);
  view.setUint16(8, count, true);
  view.setUint16(10, count, true);
  view.setUint32(12, size, true);
  view.setUint32(16, at, true);
  return bytes;
}

function record(length: number, signature: number) {
  const bytes = new Uint8Array(length);
  const view = new DataView(bytes.buffer);
  view.setUint32(0, signature, true);
  return { bytes, view };
}

/** What begins as programs do. Modes are not asked: forms do not tell them. */
function isProgram([a, b, c, d]: Uint8Array): boolean {
  return (a === 0x23 && b === 0x21) || (a === 0x7f && b === 0x45 && c === 0x4c && d === 0x46);
}
