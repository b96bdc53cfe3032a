// Searches file contents: with ripgrep where the sandbox has it, else with grep.
import { WORKSPACE } from '@capstan/sandbox/port';
import { z } from 'zod';
import { persist } from '../persistence.ts';
import { filePath } from './file-path.ts';
import { decode, MAX_RESULT_BYTES, MAX_RESULT_CHARS, present } from './output-text.ts';
import { answered, failed, type Tool } from './tool.ts';

/** What is kept of a longer result, in the file the model is pointed to. */
const MAX_BYTES = 8 * 1024 * 1024;

const input = z.strictObject({
  pattern: z
    .string()
    .min(1, 'must not be empty')
    .max(10_000, 'is too long')
    .refine((pattern) => !pattern.includes('\0'), 'must not contain NUL'),
  path: filePath.optional(),
});

// $1 pattern, $2 path. Perl expressions are closest to ripgrep's; not every grep was built with them.
const SEARCH = `
if command -v rg >/dev/null 2>&1; then
  exec rg --line-number --with-filename --no-heading --color never --hidden --glob '!.git' --no-ignore --sort path -e "$1" -- "$2"
fi
if printf x | grep -qP x 2>/dev/null; then syntax=-P; else syntax=-E; fi
exec grep -rnHI "$syntax" --color=never --exclude-dir=.git -e "$1" -- "$2"
`;

export const grep: Tool<z.infer<typeof input>> = {
  input,
  changes: false,
  async perform({ sandboxes, sandboxId, effectId, signal }, { pattern, path = WORKSPACE }) {
    const command = ['bash', '-c', SEARCH, 'grep', pattern, path];
    const search = { sandboxId, command, timeoutMs: 60_000, maxBytes: MAX_BYTES };
    const found = await persist(() => sandboxes.exec(search, signal), { signal });
    if (found.timedOut) return failed('The search took longer than 60 s. Give a narrower path or pattern.');
    if (found.stdout.length === 0) {
      if (found.exitCode <= 1) return answered(`No matches for ${pattern} in ${path}.`);
      return failed(decode(found.stderr).trim().slice(0, 2_000) || `The search failed (${found.exitCode}).`);
    }
    const text = decode(found.stdout);
    if (!found.truncated && text.length <= MAX_RESULT_CHARS) return answered(text);
    const spilled = `/tmp/.capstan/grep-${effectId}.txt`;
    await persist(() => sandboxes.writeFile({ sandboxId, path: spilled, content: found.stdout }), { signal });
    return answered(
      present({ bytes: found.stdout.subarray(0, MAX_RESULT_BYTES), more: true, path: spilled }),
    );
  },
};
