// How values that carry bytes travel over HTTP: one line of JSON, then the bytes of its Uint8Array fields, one after
// another. Only fields of the outermost object carry bytes.

interface Head {
  value: unknown;
  /** Names and lengths of the fields whose bytes follow, in their order. */
  bytes?: [name: string, length: number][];
}

/** The frame in the pieces it is made of, none of them copied. */
export function frameParts(value: unknown): Uint8Array[] {
  const entries = isRecord(value) ? Object.entries(value) : [];
  const attached = entries.filter((entry): entry is [string, Uint8Array] => entry[1] instanceof Uint8Array);
  const head: Head =
    attached.length === 0
      ? { value }
      : {
          value: Object.fromEntries(entries.filter(([, field]) => !(field instanceof Uint8Array))),
          bytes: attached.map(([name, field]) => [name, field.length]),
        };
  const line = new TextEncoder().encode(`${JSON.stringify(head)}\n`);
  return [line, ...attached.map(([, field]) => field)];
}

export function encodeFrame(value: unknown): Uint8Array<ArrayBuffer> {
  const parts = frameParts(value);
  const frame = new Uint8Array(parts.reduce((size, part) => size + part.length, 0));
  let at = 0;
  for (const part of parts) {
    frame.set(part, at);
    at += part.length;
  }
  return frame;
}

/** Throws SyntaxError for whatever encodeFrame did not make. The bytes are views into `frame`. */
export function decodeFrame(frame: Uint8Array): unknown {
  const end = frame.indexOf(10);
  if (end < 0) throw new SyntaxError('A frame begins with a line of JSON');
  const head: unknown = JSON.parse(
    new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(frame.subarray(0, end)),
  );
  if (!isRecord(head) || !('value' in head)) throw new SyntaxError('A frame holds a value');
  const { value, bytes } = head;
  let at = end + 1;
  const fields: [string, unknown][] = [];
  for (const [name, length] of parseLengths(bytes)) {
    if (length > frame.length - at) throw new SyntaxError('A frame is shorter than it says');
    fields.push([name, frame.subarray(at, at + length)]);
    at += length;
  }
  if (at !== frame.length) throw new SyntaxError('A frame is longer than it says');
  if (fields.length === 0) return value;
  if (!isRecord(value)) throw new SyntaxError('Only an object carries bytes');
  return Object.fromEntries([...Object.entries(value), ...fields]);
}

function parseLengths(lengths: unknown): [string, number][] {
  if (lengths === undefined) return [];
  if (!Array.isArray(lengths)) throw new SyntaxError('A frame lists the lengths of its bytes');
  return lengths.map((entry: unknown) => {
    if (!Array.isArray(entry) || entry.length !== 2) throw new SyntaxError('A frame names its bytes');
    const [name, length]: unknown[] = entry;
    if (
      typeof name !== 'string' ||
      typeof length !== 'number' ||
      !Number.isSafeInteger(length) ||
      length < 0
    ) {
      throw new SyntaxError('A frame names its bytes and their length');
    }
    return [name, length];
  });
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return (
    typeof value === 'object' && value !== null && !Array.isArray(value) && !(value instanceof Uint8Array)
  );
}
