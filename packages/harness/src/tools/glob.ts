// Finds files by pattern, newest first.
import { WORKSPACE } from '@capstan/sandbox/port';
import { z } from 'zod';
import { persist } from '../persistence.ts';
import { filePath } from './file-path.ts';
import { searchRoot, toPosixRegex } from './glob-pattern.ts';
import { clean, decode, MAX_RESULT_CHARS } from './output-text.ts';
import { answered, failed, type Tool } from './tool.ts';

const MAX_PATHS = 1_000;
const MAX_BYTES = 8 * 1024 * 1024;

const input = z.strictObject({
  pattern: z.string().min(1, 'must not be empty').max(1_000, 'is too long'),
  path: filePath.optional(),
});

export const glob: Tool<z.infer<typeof input>> = {
  input,
  changes: false,
  async perform({ sandboxes, sandboxId, signal }, { pattern, path = WORKSPACE }) {
    const regex = regexOf(path, pattern);
    if ('problem' in regex) return failed(`pattern: ${regex.problem}.`);
    const root = searchRoot(path, pattern);
    const tests = [
      '(',
      '-type',
      'f',
      '-o',
      '-type',
      'l',
      ')',
      '-regextype',
      'posix-extended',
      '-regex',
      regex.source,
    ];
    const print = ['-printf', '%T@ %p\\0'];
    const command = ['find', root, '-name', '.git', '-type', 'd', '-prune', '-o', ...tests, ...print];
    const env = { LC_ALL: 'C.UTF-8' };
    const search = { sandboxId, command, env, timeoutMs: 60_000, maxBytes: MAX_BYTES };
    const found = await persist(() => sandboxes.exec(search, signal), { signal });
    if (found.timedOut) return failed('The search took longer than 60 s. Give a narrower path or pattern.');
    const paths = newestFirst(decodeNames(found.stdout));
    // What could not be entered matters only when nothing was found.
    const trouble = decode(found.stderr).trim();
    if (paths.length === 0 && trouble !== '') return failed(trouble.slice(0, 2_000));
    if (paths.length === 0) return answered(`No files match ${pattern} in ${path}.`);
    return answered(listed(paths, found.truncated));
  },
};

/** As many of the paths as one result may have, and whether there are more. */
function listed(paths: readonly string[], truncated: boolean): string {
  let chars = 0;
  const end = paths.findIndex((path, index) => {
    chars += path.length + 1;
    return index === MAX_PATHS || chars > MAX_RESULT_CHARS - 100;
  });
  const shown = end === -1 ? paths : paths.slice(0, end);
  const more = truncated || shown.length < paths.length;
  const rest = more ? `\n[There are more; these are the newest ${shown.length}.]` : '';
  return `${shown.join('\n')}${rest}`;
}

function regexOf(path: string, pattern: string): { source: string } | { problem: string } {
  try {
    return { source: toPosixRegex(path, pattern) };
  } catch (error) {
    if (error instanceof SyntaxError) return { problem: error.message };
    throw error;
  }
}

function decodeNames(stdout: Uint8Array): string[] {
  return new TextDecoder()
    .decode(stdout)
    .split('\0')
    .filter((line) => line !== '');
}

/** From lines of `mtime path`. */
function newestFirst(lines: readonly string[]): string[] {
  return lines
    .map((line) => {
      const space = line.indexOf(' ');
      return { at: Number.parseFloat(line.slice(0, space)), path: clean(line.slice(space + 1)) };
    })
    .sort((a, b) => b.at - a.at || (a.path < b.path ? -1 : 1))
    .map(({ path }) => path);
}
