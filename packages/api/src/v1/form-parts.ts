// The parts of a request that is a form, and the text of those that are fields.
import { ApiError } from '@capstan/schema/error';
import { passingChunksOf } from '@capstan/shared/chunks';
import { boundaryOf, type Part, readParts } from '../multipart.ts';

const MAX_FIELD_BYTES = 1_024;

/** Refuses (`unsupported_media_type`) what is no form. */
export function partsOf({ headers, body }: Request): AsyncIterable<Part> {
  const type = headers.get('content-type');
  const boundary = boundaryOf(type);
  if (boundary !== null) return readParts(body === null ? nothing() : passingChunksOf(body), boundary);
  const came = type === null ? 'none' : type.slice(0, 100);
  throw new ApiError(
    'unsupported_media_type',
    `content-type: expected multipart/form-data, received ${came}`,
  );
}

async function* nothing(): AsyncGenerator<Uint8Array> {}

/** Refuses (`invalid_request`) more than a kilobyte. */
export async function readField({ name, content }: Part): Promise<string> {
  const decoder = new TextDecoder();
  let text = '';
  for await (const piece of content) {
    text += decoder.decode(piece, { stream: true });
    if (text.length > MAX_FIELD_BYTES)
      throw new ApiError('invalid_request', `${name}: longer than ${MAX_FIELD_BYTES} bytes`);
  }
  return text + decoder.decode();
}
