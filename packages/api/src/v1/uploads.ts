// Uploads as they arrive: the parts of the form in any order, the file's content straight into its blob.
import type { Blobs, Content } from '@capstan/db/blobs';
import { ApiError } from '@capstan/schema/error';
import { MAX_FILE_BYTES, MAX_FILENAME_CHARS, uploadFields } from '@capstan/schema/files';
import { endingOf, isAnyBytes, mimeTypeOf, parseMimeType } from '@capstan/shared/mime';
import type { z } from 'zod';
import { describeIssues } from '../issues.ts';
import type { Part } from '../multipart.ts';
import { partsOf, readField } from './form-parts.ts';

export interface Upload extends z.output<typeof uploadFields> {
  filename: string;
  mimeType: string;
  content: Content;
}

const MAX_PARTS = 32;

/** Writes the content to `blob`, and says what came with it. Refuses what is not an upload; something may be in the blob then. */
export async function receiveUpload(request: Request, blobs: Blobs, blob: string): Promise<Upload> {
  let received: Omit<Upload, keyof z.output<typeof uploadFields>> | null = null;
  const fields = new Map<string, string>();
  let count = 0;
  for await (const part of partsOf(request)) {
    if (++count > MAX_PARTS) throw refusal(`body: has more than ${MAX_PARTS} parts`);
    if (part.name !== 'file') {
      fields.set(part.name, await readField(part));
      continue;
    }
    if (received !== null) throw refusal('file: given more than once; upload one file at a time');
    if (part.filename === null && part.type === null)
      throw refusal('file: is a text field; send it as a file');
    const { filename, mimeType } = describe(part);
    const content = await blobs.put(blob, limited(part.content));
    received = { filename, mimeType, content };
  }
  if (received === null) throw refusal('file: required');
  const parsed = uploadFields.safeParse(Object.fromEntries(fields), { reportInput: true });
  if (!parsed.success) throw refusal(describeIssues(parsed.error, 'body'));
  return { ...received, ...parsed.data };
}

/** Beyond the limit the rest is read and dropped, within reason: a client that still sends does not read why it is refused. */
async function* limited(content: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  let size = 0;
  for await (const piece of content) {
    size += piece.length;
    if (size <= MAX_FILE_BYTES) yield piece;
    else if (size > 2 * MAX_FILE_BYTES) break;
  }
  if (size <= MAX_FILE_BYTES) return;
  throw new ApiError('too_large', `file: larger than ${MAX_FILE_BYTES} bytes (500 MiB); upload it in pieces`);
}

/** Of a path only the last component is a name. What the type does not say, the name may. */
function describe({ filename, type }: Part): Pick<Upload, 'filename' | 'mimeType'> {
  const name = (filename ?? '').split(/[\\/]/).at(-1) ?? '';
  const said = type === null ? null : parseMimeType(type);
  if (type !== null && said === null)
    throw refusal(`file: ${JSON.stringify(type.slice(0, 100))} is not a media type`);
  const mimeType = said === null || isAnyBytes(said) ? mimeTypeOf(name) : said;
  if (name === '') return { filename: `unnamed${endingOf(mimeType)}`, mimeType };
  requireName(name);
  return { filename: name, mimeType };
}

function requireName(name: string): void {
  if (name === '.' || name === '..') throw refusal(`file: ${name} is not a filename`);
  if (name.length > MAX_FILENAME_CHARS)
    throw refusal(`file: the filename is longer than ${MAX_FILENAME_CHARS} characters`);
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is refused
  if (/[\x00-\x1f\x7f]/.test(name)) throw refusal('file: the filename has control characters');
}

function refusal(message: string): ApiError {
  return new ApiError('invalid_request', message);
}
