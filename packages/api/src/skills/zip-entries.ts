// A zip archive that somebody sent: what its directory lists, each entry read when it is asked for. Nothing that two readers
// could take for two things is taken for either: the directory and the entries have to say the same, and entries lie apart.
import { ApiError } from '@capstan/schema/error';
import { crc32 } from '@capstan/shared/crc32';
import { shown } from './skill-paths.ts';

export interface ZipEntry {
  path: string;
  directory: boolean;
  sizeBytes: number;
  /** Its bytes. Refuses (`invalid_request`) what is not as long as it said, or damaged. */
  read(): Promise<Uint8Array<ArrayBuffer>>;
}

const END = 0x06054b50;
const END_BYTES = 22;
const LISTED = 0x02014b50;
const LISTED_BYTES = 46;
const LOCAL = 0x04034b50;
const LOCAL_BYTES = 30;
const MAX_COMMENT_BYTES = 0xffff;
const ENCRYPTED = 0x2041;
const STORED = 0;
const DEFLATED = 8;
const TYPE = 0o170000;
const DIRECTORY = 0o040000;
const REGULAR = 0o100000;

export function isZip(bytes: Uint8Array): boolean {
  return bytes.length >= END_BYTES && viewOf(bytes).getUint32(0, true) === LOCAL;
}

/** In the order of the directory. Refuses (`invalid_request`) what is no plain zip archive, and entries that are no files. */
export function zipEntries(bytes: Uint8Array<ArrayBuffer>, mostEntries: number): ZipEntry[] {
  const view = viewOf(bytes);
  const end = endOf(view);
  const count = view.getUint16(end + 10, true);
  const size = view.getUint32(end + 12, true);
  const from = view.getUint32(end + 16, true);
  if (view.getUint32(end + 4, true) !== 0 || view.getUint16(end + 8, true) !== count)
    throw refusal('is in several pieces');
  if (count === 0xffff || from === 0xffffffff) throw refusal('is a ZIP64 archive; a skill is smaller');
  if (count > mostEntries) throw refusal(`has ${count} entries; at most ${mostEntries}`);
  if (from + size !== end) throw refusal('has something before it or behind its directory');
  const listed: Listed[] = [];
  let at = from;
  for (let index = 0; index < count; index++) {
    const entry = listedAt(bytes, view, { at, end });
    listed.push(entry);
    at = entry.next;
  }
  if (at !== end) throw refusal('has a directory of another length than it says');
  requireApart(listed, from);
  return listed.map((entry) => ({
    path: entry.path,
    directory: entry.directory,
    sizeBytes: entry.sizeBytes,
    read: () => contentOf(bytes, entry),
  }));
}

interface Listed {
  path: string;
  directory: boolean;
  method: number;
  crc: number;
  sizeBytes: number;
  /** Where the entry itself begins, and its content. */
  local: number;
  content: number;
  packedBytes: number;
  next: number;
}

/** The record that ends an archive ends the file, too. */
function endOf(view: DataView): number {
  const least = Math.max(0, view.byteLength - END_BYTES - MAX_COMMENT_BYTES);
  for (let at = view.byteLength - END_BYTES; at >= least; at--) {
    if (view.getUint32(at, true) !== END) continue;
    if (at + END_BYTES + view.getUint16(at + 20, true) === view.byteLength) return at;
  }
  throw refusal('is cut short, or no zip archive');
}

function listedAt(bytes: Uint8Array, view: DataView, { at, end }: { at: number; end: number }): Listed {
  if (at + LISTED_BYTES > end || view.getUint32(at, true) !== LISTED)
    throw refusal('has a damaged directory');
  const nameBytes = view.getUint16(at + 28, true);
  const next = at + LISTED_BYTES + nameBytes + view.getUint16(at + 30, true) + view.getUint16(at + 32, true);
  if (next > end) throw refusal('has a damaged directory');
  const name = bytes.subarray(at + LISTED_BYTES, at + LISTED_BYTES + nameBytes);
  const path = textOf(name);
  const flags = view.getUint16(at + 8, true);
  const method = view.getUint16(at + 10, true);
  const packedBytes = view.getUint32(at + 20, true);
  const sizeBytes = view.getUint32(at + 24, true);
  const local = view.getUint32(at + 42, true);
  const mode = view.getUint32(at + 38, true) >>> 16;
  const directory = path.endsWith('/');
  if (flags & ENCRYPTED) throw about(path, 'is encrypted');
  if (method !== STORED && method !== DEFLATED)
    throw about(path, `is packed by method ${method}; deflate is understood`);
  if (method === STORED && packedBytes !== sizeBytes) throw about(path, 'has two lengths');
  requirePlain(path, { mode, directory, sizeBytes });
  const content = contentAt(bytes, view, { path, local, name, method });
  const crc = view.getUint32(at + 16, true);
  return { path, directory, method, crc, sizeBytes, local, content, packedBytes, next };
}

function requirePlain(
  path: string,
  { mode, directory, sizeBytes }: Pick<Listed, 'directory' | 'sizeBytes'> & { mode: number },
): void {
  const type = mode & TYPE;
  if (type !== 0 && type !== (directory ? DIRECTORY : REGULAR))
    throw about(path, 'is a link or a special file; a skill has plain files only');
  if (directory && sizeBytes > 0) throw about(path, 'is a directory with a content');
}

/** The entry has to say what the directory says of it. */
function contentAt(
  bytes: Uint8Array,
  view: DataView,
  { path, local, name, method }: Pick<Listed, 'path' | 'local' | 'method'> & { name: Uint8Array },
): number {
  if (local + LOCAL_BYTES > bytes.length || view.getUint32(local, true) !== LOCAL)
    throw about(path, 'is not where the directory says');
  const nameAt = local + LOCAL_BYTES;
  const own = bytes.subarray(nameAt, nameAt + view.getUint16(local + 26, true));
  const same = own.length === name.length && own.every((byte, index) => byte === name[index]);
  if (!same || view.getUint16(local + 8, true) !== method)
    throw about(path, 'is called something else in its entry');
  return nameAt + own.length + view.getUint16(local + 28, true);
}

/** Entries that share bytes make much of little. */
function requireApart(listed: readonly Listed[], end: number): void {
  let taken = 0;
  for (const { path, local, content, packedBytes } of listed.toSorted((a, b) => a.local - b.local)) {
    if (local < taken) throw about(path, 'lies over another entry');
    taken = content + packedBytes;
    if (taken > end) throw about(path, 'is cut short');
  }
}

async function contentOf(bytes: Uint8Array<ArrayBuffer>, entry: Listed): Promise<Uint8Array<ArrayBuffer>> {
  const { path, content, packedBytes, sizeBytes, method, crc } = entry;
  const packed = bytes.subarray(content, content + packedBytes);
  const whole = method === STORED ? packed : await inflate(packed, entry);
  if (crc32(whole) !== crc) throw about(path, 'is damaged');
  if (whole.length !== sizeBytes) throw about(path, 'is not as long as the directory says');
  return whole;
}

/** Never more than it said. */
async function inflate(
  packed: Uint8Array<ArrayBuffer>,
  { path, sizeBytes }: Listed,
): Promise<Uint8Array<ArrayBuffer>> {
  const whole = new Uint8Array(sizeBytes);
  let filled = 0;
  const stream = new Blob([packed]).stream().pipeThrough(new DecompressionStream('deflate-raw'));
  const reader = stream.getReader();
  try {
    for (;;) {
      const { done, value } = await reader.read();
      if (done) break;
      if (filled + value.length > sizeBytes) {
        await reader.cancel();
        throw about(path, 'is longer than the directory says');
      }
      whole.set(value, filled);
      filled += value.length;
    }
  } catch (error) {
    throw error instanceof ApiError ? error : about(path, 'is damaged');
  }
  if (filled !== sizeBytes) throw about(path, 'is shorter than the directory says');
  return whole;
}

function textOf(name: Uint8Array): string {
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(name);
  } catch {
    throw about(new TextDecoder().decode(name), 'has a name that is not UTF-8');
  }
}

function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

function about(path: string, problem: string): ApiError {
  return new ApiError('invalid_request', `files: ${shown(path)} ${problem}`);
}

function refusal(problem: string): ApiError {
  return new ApiError('invalid_request', `files: the archive ${problem}`);
}
