// The paths of a skill's files: relative, below one shared top directory, and such that every file system keeps them apart.
import { ApiError } from '@capstan/schema/error';
import { MAX_SKILL_FILES } from '@capstan/schema/skills';

const MAX_NAME_BYTES = 200;
const MAX_PATH_BYTES = 400;
const MAX_DEPTH = 20;

const encoder = new TextEncoder();

/** What systems leave in directories: no part of any skill. */
export function isLeftover(path: string): boolean {
  return /(^|\/)\.DS_Store$|^__MACOSX\/|(^|\/)\._[^/]*$/.test(path);
}

export class SkillPaths {
  #top: string | null = null;
  /** By what a file system that does not tell cases apart would call it: as it was written, and what it is. */
  #known = new Map<string, { path: string; kind: 'file' | 'directory' }>();
  #files = 0;

  /** Null: no file was added. */
  get top(): string | null {
    return this.#top;
  }

  /** The path below the top directory. Refuses (`invalid_request`, naming the file) what cannot be beside what was added before. */
  add(path: string): string {
    const names = namesOf(path);
    const [top = '', ...below] = names;
    if (below.length === 0)
      throw refusal(path, 'lies in no directory; send paths below one, like my-skill/SKILL.md');
    this.#top ??= top;
    if (this.#top !== top)
      throw refusal(
        path,
        `lies outside of ${shown(this.#top)}; all files of a skill are below one directory`,
      );
    for (let depth = 1; depth < below.length; depth++)
      this.#know(below.slice(0, depth).join('/'), 'directory', path);
    const rest = below.join('/');
    this.#know(rest, 'file', path);
    this.#files += 1;
    if (this.#files > MAX_SKILL_FILES)
      throw refusal(path, `is one too many; a skill has at most ${MAX_SKILL_FILES} files`);
    return rest;
  }

  #know(path: string, kind: 'file' | 'directory', given: string): void {
    const folded = path.normalize('NFC').toLowerCase();
    const other = this.#known.get(folded);
    if (other === undefined) this.#known.set(folded, { path, kind });
    else if (other.kind !== kind)
      throw refusal(given, `needs ${shown(path)} as a ${kind}, but it is a ${other.kind}`);
    else if (other.path !== path)
      throw refusal(
        given,
        `differs from ${shown(other.path)} only by case or accents; some systems take them for one`,
      );
    else if (kind === 'file') throw refusal(given, 'is given twice');
  }
}

/** Of a relative path. Refuses what does not stay where it is put. */
function namesOf(path: string): string[] {
  if (path === '') throw refusal(path, 'a file has no name; send it with its path, like my-skill/SKILL.md');
  if (path.includes('\\')) throw refusal(path, 'has a backslash; separate directories with /');
  if (path.startsWith('/') || /^[a-z]:\//i.test(path))
    throw refusal(path, 'is absolute; paths are relative, like my-skill/SKILL.md');
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is refused
  if (/[\x00-\x1f\x7f\ufffd]/.test(path)) throw refusal(path, 'has characters that names cannot have');
  const names = path.split('/');
  if (names.some((name) => name === '..')) throw refusal(path, 'leaves its directory');
  if (names.some((name) => name === '' || name === '.'))
    throw refusal(path, 'has an empty name or a dot in its path');
  if (names.some((name) => encoder.encode(name).length > MAX_NAME_BYTES))
    throw refusal(path, `has a name longer than ${MAX_NAME_BYTES} bytes`);
  if (encoder.encode(path).length > MAX_PATH_BYTES)
    throw refusal(path, `is longer than ${MAX_PATH_BYTES} bytes`);
  if (names.length > MAX_DEPTH) throw refusal(path, `lies more than ${MAX_DEPTH} directories deep`);
  return names;
}

/** For a message: no longer than it need be. */
export function shown(path: string): string {
  return JSON.stringify(path.length > 200 ? `${path.slice(0, 200)}…` : path);
}

function refusal(path: string, problem: string): ApiError {
  return new ApiError('invalid_request', `files: ${shown(path)} ${problem}`);
}
