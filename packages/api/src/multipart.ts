// `multipart/form-data` read as it arrives: a part's content is passed on before the next part has come, and none is held.
// What is not understood is refused (`invalid_request`), never guessed.
import { ApiError } from '@capstan/schema/error';
import { ByteReader, Delimiter } from './byte-reader.ts';

export interface Part {
  name: string;
  /** Null: a field. */
  filename: string | null;
  /** Its `content-type`, as sent. */
  type: string | null;
  /**
   * To be read before the next part is asked for; what is left unread is passed over. A piece of it is there until the next
   * one is asked for.
   */
  content: AsyncIterable<Uint8Array>;
}

const MAX_HEADER_BYTES = 16 * 1024;
const MAX_HEADERS = 16;
const MAX_PREAMBLE_BYTES = 64 * 1024;

const encoder = new TextEncoder();
const decoder = new TextDecoder();

/** Null: the type is not that of a form. */
export function boundaryOf(contentType: string | null): string | null {
  if (contentType === null || !/^multipart\/form-data\s*(;|$)/i.test(contentType)) return null;
  const [, quoted, plain] = /;\s*boundary=(?:"([^"]*)"|([^\s;"]+))/i.exec(contentType) ?? [];
  const boundary = quoted ?? plain ?? '';
  if (/^[\x20-\x7e]{1,70}$/.test(boundary)) return boundary;
  throw refusal('content-type: has no boundary of 1 to 70 characters');
}

export async function* readParts(
  source: AsyncIterable<Uint8Array>,
  boundary: string,
): AsyncGenerator<Part, void> {
  // A delimiter begins with the end of the line before it; the first may stand at the very beginning.
  const reader = new ByteReader(source, encoder.encode('\r\n'));
  const delimiter = new Delimiter(encoder.encode(`\r\n--${boundary}`));
  await pass(reader.until(delimiter), MAX_PREAMBLE_BYTES);
  while (await hasNext(reader)) {
    const content = new PartContent(reader.until(delimiter));
    yield { ...describe(await readHeaders(reader)), content };
    await content.pass();
  }
}

/** After a delimiter: `--` ends the form. */
async function hasNext(reader: ByteReader): Promise<boolean> {
  const line = await reader.line(MAX_HEADER_BYTES);
  // What follows the end need not end with a line.
  const text = decoder.decode(line ?? reader.held);
  if (text.startsWith('--')) return false;
  if (line !== null && text.trim() === '') return true;
  throw refusal('body: what follows a boundary is not a part');
}

class PartContent implements AsyncIterable<Uint8Array> {
  #pieces: AsyncGenerator<Uint8Array, boolean>;
  #ended = false;

  constructor(pieces: AsyncGenerator<Uint8Array, boolean>) {
    this.#pieces = pieces;
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<Uint8Array, void> {
    while (!this.#ended) {
      const next = await this.#pieces.next();
      if (!next.done) yield next.value;
      else this.#end(next.value);
    }
  }

  async pass(): Promise<void> {
    for await (const _ of this);
  }

  #end(whole: boolean): void {
    this.#ended = true;
    if (!whole) throw refusal('body: ends within a part; it was cut short, or its boundary is missing');
  }
}

async function pass(pieces: AsyncGenerator<Uint8Array, boolean>, most: number): Promise<void> {
  let size = 0;
  for (;;) {
    const next = await pieces.next();
    if (next.done) {
      if (next.value) return;
      throw refusal('body: does not have the boundary that its content-type names');
    }
    size += next.value.length;
    if (size > most) throw refusal('body: does not begin with its boundary');
  }
}

async function readHeaders(reader: ByteReader): Promise<Map<string, string>> {
  const headers = new Map<string, string>();
  for (let count = 0; count <= MAX_HEADERS; count++) {
    const line = await reader.line(MAX_HEADER_BYTES);
    if (line === null) break;
    if (line.length === 0) return headers;
    const [, name = '', value = ''] = /^([^:]+):\s*(.*)$/s.exec(decoder.decode(line)) ?? [];
    headers.set(name.toLowerCase(), value.trim());
  }
  throw refusal('body: the headers of a part are too long, or cut short');
}

function describe(headers: Map<string, string>): Omit<Part, 'content'> {
  const disposition = headers.get('content-disposition') ?? '';
  const name = parameter(disposition, 'name');
  if (!/^form-data\s*;/i.test(disposition) || name === null)
    throw refusal('body: a part says no name in a content-disposition of form-data');
  const filename = extended(disposition) ?? parameter(disposition, 'filename');
  return { name, filename, type: headers.get('content-type') ?? null };
}

/** Browsers and fetch escape three characters in names; older programs write `\"`. */
function parameter(disposition: string, wanted: string): string | null {
  const pattern = new RegExp(`;\\s*${wanted}=(?:"((?:[^"\\\\]|\\\\.)*)"|([^\\s;"]*))`, 'i');
  const found = pattern.exec(disposition);
  if (found === null) return null;
  const value = found[1]?.replaceAll('\\"', '"') ?? found[2] ?? '';
  return value.replaceAll(/%22/g, '"').replaceAll(/%0D/gi, '\r').replaceAll(/%0A/gi, '\n');
}

/** `filename*=UTF-8''na%C3%AFve.txt` */
function extended(disposition: string): string | null {
  const [, value] = /;\s*filename\*=UTF-8''([^\s;]+)/i.exec(disposition) ?? [];
  if (value === undefined) return null;
  try {
    return decodeURIComponent(value);
  } catch {
    return null;
  }
}

function refusal(message: string): ApiError {
  return new ApiError('invalid_request', message);
}
