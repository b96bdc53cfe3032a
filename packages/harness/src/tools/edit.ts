// Replaces text in a file exactly once per call, even across crashes: the new content is put in place by a run named
// after the call, and only if the file still is what was read. What became of that run tells whether the edit was made.
import { isSandboxError } from '@capstan/sandbox/error';
import { MAX_CHUNK_BYTES, MAX_WAIT_MS, type RunChunk } from '@capstan/sandbox/port';
import type { ToolOutcome } from '@capstan/session/harness';
import { z } from 'zod';
import { persist } from '../persistence.ts';
import { filePath } from './file-path.ts';
import { isBinary } from './output-text.ts';
import { answered, failed, type Place, type Tool } from './tool.ts';

const input = z
  .strictObject({
    file_path: filePath,
    old_string: z.string().min(1, 'must not be empty: use write to make a file'),
    new_string: z.string(),
    replace_all: z.boolean().optional(),
  })
  .refine((value) => value.old_string !== value.new_string, {
    path: ['new_string'],
    message: 'is the same as old_string',
  });
type Input = z.infer<typeof input>;

const TIMEOUT_MS = 60_000;
const CHANGED_MEANWHILE = 17;

// Written through the file, not over it: its mode, its owner and a link to it stay. $1 file, $2 new content, $3 what is said.
const REPLACE = `
set -e
if [ "$(sha256sum < "$1")" != "$4  -" ]; then rm -f -- "$2"; exit ${CHANGED_MEANWHILE}; fi
cat -- "$2" > "$1"
rm -f -- "$2"
printf '%s' "$3"
`;

export const edit: Tool<Input> = {
  input,
  changes: true,

  async perform(place, { file_path: path, old_string: old, new_string: next, replace_all: all = false }) {
    const { sandboxes, sandboxId, effectId, signal } = place;
    const file = { sandboxId, path, maxBytes: MAX_CHUNK_BYTES };
    const { bytes, eof } = await persist(() => sandboxes.readFile(file), { signal });
    if (!eof) return failed(`${path} is over ${MAX_CHUNK_BYTES} bytes: edit it with bash.`);
    const text = decodeExactly(bytes);
    if (text === null) return failed(`${path} is not a UTF-8 text file: edit it with bash.`);
    const found = text.split(old).length - 1;
    if (found === 0) return failed(notFound(path, text, old));
    if (found > 1 && !all) {
      return failed(
        `old_string: found ${found} times in ${path}. Give more of its surroundings so that it is unique, or set replace_all.`,
      );
    }
    const content = new TextEncoder().encode(text.split(old).join(next));
    if (content.length > MAX_CHUNK_BYTES) return failed(`The file would be over ${MAX_CHUNK_BYTES} bytes.`);
    const staged = `/tmp/.capstan/edit-${effectId}`;
    await persist(() => sandboxes.writeFile({ sandboxId, path: staged, content }), { signal });
    const says = `Replaced ${found === 1 ? 'one occurrence' : `${found} occurrences`} in ${path}.`;
    const command = ['bash', '-c', REPLACE, 'edit', path, staged, says, await sha256(bytes)];
    const run = { sandboxId, runId: effectId, command, timeoutMs: TIMEOUT_MS, waitMs: MAX_WAIT_MS };
    return toOutcome(place, await persist(() => sandboxes.startRun(run, signal), { signal }));
  },

  async attach(place) {
    const { sandboxes, sandboxId, effectId, signal } = place;
    const read = { sandboxId, runId: effectId, offset: 0, waitMs: MAX_WAIT_MS };
    try {
      return await toOutcome(place, await persist(() => sandboxes.readRun(read, signal), { signal }));
    } catch (error) {
      if (isSandboxError(error, 'not_found')) return null;
      throw error;
    }
  },
};

async function toOutcome(place: Place, chunk: RunChunk): Promise<ToolOutcome> {
  const { sandboxes, sandboxId, effectId, signal } = place;
  let last = chunk;
  while (last.outcome.state === 'running') {
    const read = { sandboxId, runId: effectId, offset: 0, waitMs: MAX_WAIT_MS };
    last = await persist(() => sandboxes.readRun(read, signal), { signal });
  }
  const { outcome } = last;
  if (outcome.state === 'exited' && outcome.exitCode === 0)
    return answered(new TextDecoder().decode(last.bytes));
  if (outcome.state === 'exited' && outcome.exitCode === CHANGED_MEANWHILE) {
    return failed('The file changed while it was edited; nothing was replaced. Read it again.');
  }
  const why = new TextDecoder().decode(last.bytes).trim();
  return failed(
    `The file could not be written${why === '' ? '' : `: ${why}`}. Read it to see what it holds now.`,
  );
}

function notFound(path: string, text: string, old: string): string {
  const close = text.replace(/\r\n/g, '\n').includes(old.replace(/\r\n/g, '\n'));
  const hint = close
    ? 'The file has Windows line ends (\\r\\n): give them in old_string, or edit it with bash.'
    : 'It must match exactly, with its white space and without line numbers.';
  return `old_string: not found in ${path}. ${hint}`;
}

/** Null for what would not be the same bytes when written back. */
function decodeExactly(bytes: Uint8Array): string | null {
  if (isBinary(bytes)) return null;
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    return null;
  }
}

async function sha256(bytes: Uint8Array): Promise<string> {
  const digest = await crypto.subtle.digest('SHA-256', Uint8Array.from(bytes));
  return Array.from(new Uint8Array(digest), (byte) => byte.toString(16).padStart(2, '0')).join('');
}
