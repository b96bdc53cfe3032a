// Writes a text file whole. Doing it twice is harmless.
import { MAX_CHUNK_BYTES } from '@capstan/sandbox/port';
import { z } from 'zod';
import { persist } from '../persistence.ts';
import { filePath } from './file-path.ts';
import { answered, failed, type Tool } from './tool.ts';

const input = z.strictObject({ file_path: filePath, content: z.string() });

export const write: Tool<z.infer<typeof input>> = {
  input,
  changes: true,
  async perform({ sandboxes, sandboxId, signal }, { file_path: path, content }) {
    const bytes = new TextEncoder().encode(content);
    if (bytes.length > MAX_CHUNK_BYTES)
      return failed(`content: at most ${MAX_CHUNK_BYTES} bytes can be written at once.`);
    await persist(() => sandboxes.writeFile({ sandboxId, path, content: bytes }), { signal });
    return answered(`Wrote ${bytes.length} bytes to ${path}.`);
  },
};
