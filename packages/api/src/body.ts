// Reads a JSON body. The limit counts bytes as they arrive: what a client claims about the length is not believed.
import { ApiError } from '@capstan/schema/error';
import { MAX_NESTING, nestsWithin } from '@capstan/shared/nesting';

const FORMS = /^(multipart\/|application\/octet-stream|image\/|audio\/|video\/)/i;

/** The body's text. Refuses what cannot be JSON by its type or coding, is longer than `maxBytes`, or is not UTF-8. */
export async function readBody(request: Request, maxBytes: number): Promise<string> {
  const type = request.headers.get('content-type');
  if (type !== null && FORMS.test(type)) {
    throw new ApiError('unsupported_media_type', `content-type: expected application/json, received ${type}`);
  }
  const coding = request.headers.get('content-encoding');
  if (coding !== null && coding.toLowerCase() !== 'identity') {
    const how = 'send the body as it is';
    throw new ApiError('unsupported_media_type', `content-encoding: ${coding} is not read here; ${how}`);
  }
  return readText(request, maxBytes);
}

/** An absent body reads as `{}`, as for the bodiless POSTs of official clients. */
export function parseJson(text: string): unknown {
  if (text.trim() === '') return {};
  const value = parse(text);
  if (!nestsWithin(value))
    throw new ApiError('invalid_request', `body: nests deeper than ${MAX_NESTING} levels; make it flatter`);
  const path = MAY_BE_LOST.test(text) ? lostIn(value) : null;
  if (path === null) return value;
  throw new ApiError('invalid_request', `${path.join('.')}: no member can have this name; choose another`);
}

/** What programs take for an object's prototype, and drop. */
const LOST = '__proto__';
/** As it is, or with any of its characters escaped: most texts have neither, and are not walked. */
const MAY_BE_LOST = /__proto__|\\u00[567]/i;

/** Where a member is named so; null: nowhere. */
function lostIn(value: unknown): string[] | null {
  if (typeof value !== 'object' || value === null) return null;
  if (Object.hasOwn(value, LOST)) return [LOST];
  for (const [name, member] of Object.entries(value)) {
    const path = lostIn(member);
    if (path !== null) return [name, ...path];
  }
  return null;
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (cause) {
    const detail = cause instanceof Error ? cause.message : 'not parseable';
    throw new ApiError('invalid_request', `body: not valid JSON (${detail})`);
  }
}

async function readText(request: Request, maxBytes: number): Promise<string> {
  if (request.body === null) return '';
  const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: false });
  const reader = request.body.getReader();
  let size = 0;
  let text = '';
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return text + decode(decoder, undefined);
    size += value.byteLength;
    if (size > maxBytes) {
      await discard(reader, maxBytes);
      throw new ApiError('too_large', `body: larger than ${maxBytes} bytes; send less at a time`);
    }
    text += decode(decoder, value);
  }
}

/** Lets a client that is still sending finish, within reason, so that it comes to read why it was refused. */
async function discard(reader: ReadableStreamDefaultReader<Uint8Array>, most: number): Promise<void> {
  for (let size = 0; size < most; ) {
    const { done, value } = await reader.read();
    if (done) return;
    size += value.byteLength;
  }
  await reader.cancel();
}

function decode(decoder: TextDecoder, chunk: Uint8Array | undefined): string {
  try {
    return chunk === undefined ? decoder.decode() : decoder.decode(chunk, { stream: true });
  } catch {
    throw new ApiError('invalid_request', 'body: not valid UTF-8');
  }
}
