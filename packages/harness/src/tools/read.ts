// Reads a text file with line numbers, or an image as an image.
import { MAX_CHUNK_BYTES } from '@capstan/sandbox/port';
import type { ToolOutcome } from '@capstan/session/harness';
import { z } from 'zod';
import { persist } from '../persistence.ts';
import { filePath } from './file-path.ts';
import { decode, isBinary, MAX_RESULT_CHARS, wholeChars } from './output-text.ts';
import { answered, failed, type Tool } from './tool.ts';

/** What an event can keep of an image once it is base64. */
const MAX_IMAGE_BYTES = 600_000;
const MAX_LINE_CHARS = 5_000;

const input = z.strictObject({
  file_path: filePath,
  view_range: z.tuple([z.int().min(1, 'the first line is 1'), z.int()]).optional(),
});
type Input = z.infer<typeof input>;

export const read: Tool<Input> = {
  input,
  changes: false,
  async perform({ sandboxes, sandboxId, signal }, { file_path: path, view_range: range }) {
    const file = { sandboxId, path, maxBytes: MAX_CHUNK_BYTES };
    const { bytes, sizeBytes, eof } = await persist(() => sandboxes.readFile(file), { signal });
    const mediaType = imageType(bytes);
    if (mediaType !== null) return image(bytes, { mediaType, sizeBytes });
    if (isBinary(bytes))
      return failed(`${path} is a binary file of ${sizeBytes} bytes. Look at it with bash.`);
    if (sizeBytes === 0) return answered(`(${path} is empty)`);
    const shown = numbered(decode(bytes), range);
    if (eof) return shown;
    const rest = `[Only the first ${bytes.length} of ${sizeBytes} bytes can be read here; for more use bash.]`;
    return { ...shown, content: [...shown.content, { type: 'text', text: rest }] };
  },
};

function numbered(text: string, range: Input['view_range']): ToolOutcome {
  const lines = text.split('\n');
  if (lines.at(-1) === '') lines.pop();
  const [first, wanted] = range ?? [1, 0];
  const last = wanted <= 0 ? lines.length : Math.min(wanted, lines.length);
  if (first > lines.length) return failed(`view_range: the file has only ${lines.length} lines.`);
  if (last < first) return failed(`view_range: the last line (${wanted}) is before the first (${first}).`);
  let out = '';
  for (let at = first; at <= last; at++) {
    const line = lines[at - 1] ?? '';
    const shown =
      line.length > MAX_LINE_CHARS
        ? `${wholeChars(line, MAX_LINE_CHARS)} [line cut: ${line.length} characters]`
        : line;
    const next = `${String(at).padStart(6)}\t${shown}\n`;
    if (out.length + next.length > MAX_RESULT_CHARS) {
      const rest = `[Lines ${first}-${at - 1} of ${lines.length}. Read on with view_range [${at}, ${last}].]`;
      return answered(`${out}${rest}`);
    }
    out += next;
  }
  return answered(out);
}

function image(
  bytes: Uint8Array,
  { mediaType, sizeBytes }: { mediaType: string; sizeBytes: number },
): ToolOutcome {
  if (sizeBytes > MAX_IMAGE_BYTES) {
    return failed(
      `The image has ${sizeBytes} bytes; at most ${MAX_IMAGE_BYTES} can be shown. Make a smaller copy and read that.`,
    );
  }
  const source = { type: 'base64' as const, media_type: mediaType, data: toBase64(bytes) };
  return { content: [{ type: 'image', source }], isError: false };
}

const SIGNATURES: readonly [string, readonly (number | null)[]][] = [
  ['image/png', [0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a]],
  ['image/jpeg', [0xff, 0xd8, 0xff]],
  ['image/gif', [0x47, 0x49, 0x46, 0x38]],
  ['image/webp', [0x52, 0x49, 0x46, 0x46, null, null, null, null, 0x57, 0x45, 0x42, 0x50]],
];

function imageType(bytes: Uint8Array): string | null {
  const matches = (signature: readonly (number | null)[]) =>
    bytes.length >= signature.length && signature.every((byte, at) => byte === null || bytes[at] === byte);
  return SIGNATURES.find(([, signature]) => matches(signature))?.[0] ?? null;
}

function toBase64(bytes: Uint8Array): string {
  let binary = '';
  for (let at = 0; at < bytes.length; at += 8_192) {
    binary += String.fromCharCode(...bytes.subarray(at, at + 8_192));
  }
  return btoa(binary);
}
