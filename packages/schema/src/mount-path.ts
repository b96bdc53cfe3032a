// Where in a sandbox a resource is mounted. A path is taken as it is written, so it has to be clean: what it names is what
// it says, and no two resources lie within each other.
import { z } from 'zod';

export const UPLOADS_ROOT = '/mnt/session/uploads';
export const WORKSPACE_ROOT = '/workspace';
export const MEMORY_ROOT = '/mnt/memory';

const MAX_CHARS = 1_024;
/** As file systems count. */
const MAX_SEGMENT_BYTES = 255;

/** An absolute path without `.`, `..`, empty or overlong components, and without control characters. */
export const mountPath = z
  .string()
  .max(MAX_CHARS)
  .superRefine((path, context) => {
    const problem = problemOf(path);
    if (problem !== null) context.addIssue({ code: 'custom', message: problem });
  });

/** Where a file is to be; without the `/` at its start it is the same place. */
export const fileMountPath = z
  .string()
  .max(MAX_CHARS)
  .superRefine((path, context) => {
    const problem = problemOf(absolute(path));
    if (problem !== null) context.addIssue({ code: 'custom', message: problem });
  });

function absolute(path: string): string {
  return path.startsWith('/') ? path : `/${path}`;
}

function problemOf(path: string): string | null {
  if (!path.startsWith('/')) return 'must be absolute, i.e. begin with "/"';
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is refused
  if (/[\x00-\x1f\x7f]/.test(path)) return 'must not have control characters';
  const segments = path.slice(1).split('/');
  if (segments.some((segment) => segment === '' || segment === '.' || segment === '..'))
    return 'must be clean: without empty components, "." and "..", and without a "/" at its end';
  const encoder = new TextEncoder();
  if (segments.some((segment) => encoder.encode(segment).length > MAX_SEGMENT_BYTES))
    return `must have components of at most ${MAX_SEGMENT_BYTES} bytes`;
  return path === '/mnt' || (path.startsWith('/mnt/') && !isWithin(path, UPLOADS_ROOT))
    ? `must not be below /mnt, except below ${UPLOADS_ROOT}`
    : null;
}

/** Of files: below the uploads or the workspace as given, any other path below the uploads. */
export function placeOfFile(path: string | null | undefined, fileId: string): string {
  if (path === null || path === undefined) return `${UPLOADS_ROOT}/${fileId}`;
  const wanted = absolute(path);
  const stays = isWithin(wanted, UPLOADS_ROOT) || isWithin(wanted, WORKSPACE_ROOT);
  return stays ? wanted : `${UPLOADS_ROOT}${wanted}`;
}

export function isWithin(path: string, root: string): boolean {
  return path.startsWith(`${root}/`);
}

/** Of memory stores: their name in lower case, each run of other characters than ASCII letters and digits one hyphen. */
export function placeOfMemoryStore(name: string, taken: readonly string[]): string {
  const slug = name.toLowerCase().replaceAll(/[^a-z0-9]+/g, '-');
  const place = (suffix: string) =>
    `${MEMORY_ROOT}/${slug.slice(0, MAX_SEGMENT_BYTES - suffix.length)}${suffix}`;
  let path = place('');
  for (let number = 2; taken.includes(path); number++) path = place(`-${number}`);
  return path;
}

/** Two resources cannot both have their place. */
export function collide(one: string, other: string): boolean {
  return one === other || isWithin(one, other) || isWithin(other, one);
}
