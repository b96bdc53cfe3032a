// Files as a tar archive (ustar, with pax headers for long names), written as they come.
const BLOCK = 512;
const MAX_NAME_BYTES = 100;
/** 1980-01-01: what has no time of its own has one that every system knows. */
const NO_TIME = 315_532_800;

const encoder = new TextEncoder();

export interface TarFile {
  path: string;
  /** Permissions, e.g. 0o444. */
  mode: number;
  sizeBytes: number;
  /** The first bytes of it, and the others. */
  begin: Uint8Array;
  content: AsyncIterable<Uint8Array>;
}

/** Of one file; archives of several are theirs one after the other, and `tarEnd`. */
export async function* tarFile({
  path,
  mode,
  sizeBytes,
  begin,
  content,
}: TarFile): AsyncGenerator<Uint8Array> {
  const name = encoder.encode(path);
  if (name.length > MAX_NAME_BYTES) yield* longName(name);
  yield header({ name: name.subarray(0, MAX_NAME_BYTES), mode, sizeBytes, type: '0' });
  yield begin;
  yield* content;
  yield padding(sizeBytes);
}

export function tarEnd(): Uint8Array {
  return new Uint8Array(2 * BLOCK);
}

/** The name of the file that follows. */
function* longName(name: Uint8Array): Generator<Uint8Array> {
  const rest = name.length + ' path=\n'.length;
  // The length of the record counts its own digits.
  let length = rest + String(rest).length;
  if (String(length).length > String(rest).length) length += 1;
  const record = new Uint8Array(length);
  record.set(encoder.encode(`${length} path=`));
  record.set(name, length - name.length - 1);
  record[length - 1] = 0x0a;
  yield header({ name: encoder.encode('pax'), mode: 0o644, sizeBytes: length, type: 'x' });
  yield record;
  yield padding(length);
}

function header({
  name,
  mode,
  sizeBytes,
  type,
}: {
  name: Uint8Array;
  mode: number;
  sizeBytes: number;
  type: '0' | 'x';
}): Uint8Array {
  const bytes = new Uint8Array(BLOCK);
  bytes.set(name);
  const put = (at: number, text: string) => bytes.set(encoder.encode(text), at);
  put(
    100,
    `${octal(mode, 7)}\0${octal(0, 7)}\0${octal(0, 7)}\0${octal(sizeBytes, 11)}\0${octal(NO_TIME, 11)}\0`,
  );
  put(148, '        ');
  put(156, `${type}`);
  put(257, 'ustar\x0000');
  const sum = bytes.reduce((total, byte) => total + byte, 0);
  put(148, `${octal(sum, 6)}\0 `);
  return bytes;
}

function octal(value: number, digits: number): string {
  return value.toString(8).padStart(digits, '0');
}

function padding(sizeBytes: number): Uint8Array {
  return new Uint8Array((BLOCK - (sizeBytes % BLOCK)) % BLOCK);
}
