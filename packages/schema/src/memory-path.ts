// Where a memory stands in its store: a path that every file system, shell and reader takes for the same.
import { z } from 'zod';

export const MAX_MEMORY_PATH_BYTES = 1_024;
export const MAX_MEMORY_PATH_SEGMENTS = 20;

/** Control and format characters, separators of lines and paragraphs, and halves of characters. */
const HIDDEN = /[\p{Cc}\p{Cf}\u2028\u2029\p{Cs}]/u;

/** What is wrong with a path, to follow its name; null: nothing is. */
export function memoryPathProblem(path: string): string | null {
  if (!path.startsWith('/')) return 'must begin with "/"';
  if (sizeOfText(path) > MAX_MEMORY_PATH_BYTES) return `must have at most ${MAX_MEMORY_PATH_BYTES} bytes`;
  if (HIDDEN.test(path))
    return 'must not have control or format characters, nor separators of lines and paragraphs';
  if (path.normalize('NFC') !== path) return 'must be in Unicode Normalization Form C';
  const segments = path.slice(1).split('/');
  if (segments.length > MAX_MEMORY_PATH_SEGMENTS)
    return `must have at most ${MAX_MEMORY_PATH_SEGMENTS} segments`;
  return segments.some((segment) => segment === '' || segment === '.' || segment === '..')
    ? 'must not have empty segments, "." and "..", nor a "/" at its end'
    : null;
}

export const memoryPath = z
  .string()
  .superRefine((path, context) => {
    const problem = memoryPathProblem(path);
    if (problem !== null) context.addIssue({ code: 'custom', message: problem });
  })
  .meta({ example: '/projects/foo/notes.md' });

/** What a list is narrowed to: whole segments. */
export const memoryPathPrefix = z
  .string()
  .superRefine((prefix, context) => {
    const problem = prefixProblem(prefix);
    if (problem !== null) context.addIssue({ code: 'custom', message: problem });
  })
  .meta({ example: '/projects/' });

function prefixProblem(prefix: string): string | null {
  if (prefix === '/') return null;
  if (!prefix.endsWith('/')) return 'must end with "/"';
  return memoryPathProblem(prefix.slice(0, -1));
}

/** The directories it lies in, outermost first: of `/a/b/c` these are `/a` and `/a/b`. */
export function ancestorsOf(path: string): string[] {
  const segments = path.split('/').slice(1, -1);
  return segments.map((_, index) => `/${segments.slice(0, index + 1).join('/')}`);
}

/** As UTF-8, in bytes. */
export function sizeOfText(text: string): number {
  return new TextEncoder().encode(text).byteLength;
}
