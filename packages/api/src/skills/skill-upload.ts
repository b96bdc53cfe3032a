// A skill as it is uploaded: files of a form, or one zip archive of them. Held in memory, which is why it is small.
// What it says of itself is checked before anything of it is stored.
import { ApiError } from '@capstan/schema/error';
import {
  MAX_SKILL_BYTES,
  MAX_SKILL_DESCRIPTION_CHARS,
  MAX_SKILL_FILES,
  MAX_SKILL_NAME_CHARS,
} from '@capstan/schema/skills';
import type { Part } from '../multipart.ts';
import { partsOf, readField } from '../v1/form-parts.ts';
import { readFrontMatter } from './front-matter.ts';
import { isLeftover, SkillPaths, shown } from './skill-paths.ts';
import type { ArchivedFile } from './zip-archive.ts';
import { isZip, type ZipEntry, zipEntries } from './zip-entries.ts';

export interface SkillUpload {
  name: string;
  description: string;
  /** In the order of their paths, which begin with the name. */
  files: ArchivedFile[];
  /** What else the form said. */
  fields: Record<string, string>;
}

interface Given extends ArchivedFile {
  sizeBytes: number;
}

/** The file that makes a directory a skill. */
const MAIN = 'SKILL.md';
const NAMES: ReadonlySet<string> = new Set(['files[]', 'files']);
/** Directories are entries of archives, too. */
const MAX_ENTRIES = 4 * MAX_SKILL_FILES;
const MAX_FIELDS = 32;

/** Refuses (`invalid_request`, `too_large`), naming the file, what is not a skill. */
export async function receiveSkill(request: Request): Promise<SkillUpload> {
  const { given, fields } = await receive(request);
  const paths = new SkillPaths();
  const files: ArchivedFile[] = [];
  let size = 0;
  for (const file of given) {
    if (isLeftover(file.path)) continue;
    size += file.sizeBytes;
    if (size > MAX_SKILL_BYTES) throw tooLarge(file.path);
    files.push({ ...file, path: paths.add(file.path) });
  }
  const main = files.find(({ path }) => path === MAIN);
  if (main === undefined)
    throw refusal(
      paths.top === null ? 'required: the files of a skill' : `there is no ${shown(`${paths.top}/${MAIN}`)}`,
    );
  const { name, description } = describe(await main.read(), paths.top ?? '');
  const sorted = files.toSorted((a, b) => (a.path < b.path ? -1 : 1));
  return {
    name,
    description,
    fields,
    files: sorted.map((file) => ({ ...file, path: `${name}/${file.path}` })),
  };
}

async function receive(request: Request): Promise<{ given: Given[]; fields: Record<string, string> }> {
  const fields = new Map<string, string>();
  const held: { path: string; bytes: Uint8Array<ArrayBuffer> }[] = [];
  const budget = { left: MAX_SKILL_BYTES };
  for await (const part of partsOf(request)) {
    if (!NAMES.has(part.name)) {
      if (part.filename === null) fields.set(part.name, await readField(part));
      if (fields.size > MAX_FIELDS)
        throw new ApiError('invalid_request', `body: has more than ${MAX_FIELDS} fields`);
      continue;
    }
    if (part.filename === null) throw refusal('a text field; send files, each with its path as its filename');
    held.push({ path: part.filename, bytes: await hold(part, budget) });
    if (held.length > MAX_ENTRIES) throw refusal(`more than ${MAX_SKILL_FILES}`);
  }
  const [only, another] = held;
  const given =
    only !== undefined && another === undefined && isZip(only.bytes)
      ? unpacked(zipEntries(only.bytes, MAX_ENTRIES))
      : held.map(({ path, bytes }) => toGiven(path, bytes));
  return { given, fields: Object.fromEntries(fields) };
}

function toGiven(path: string, bytes: Uint8Array): Given {
  return { path, sizeBytes: bytes.length, read: async () => bytes };
}

/** Directories are where files are: by themselves they are nothing. */
function unpacked(entries: readonly ZipEntry[]): Given[] {
  return entries.filter(({ directory }) => !directory);
}

/** Beyond the limit the rest is read and dropped, within reason: a client that still sends does not read why it is refused. */
async function hold(part: Part, budget: { left: number }): Promise<Uint8Array<ArrayBuffer>> {
  const pieces: Uint8Array[] = [];
  let size = 0;
  for await (const piece of part.content) {
    size += piece.length;
    if (size <= budget.left) pieces.push(piece.slice());
    else {
      pieces.length = 0;
      if (size > 2 * MAX_SKILL_BYTES) break;
    }
  }
  if (size > budget.left) throw tooLarge(part.filename ?? '');
  budget.left -= size;
  const whole = new Uint8Array(size);
  let at = 0;
  for (const piece of pieces) {
    whole.set(piece, at);
    at += piece.length;
  }
  return whole;
}

/** Without a name in its front matter, a skill is called as its directory is. */
function describe(main: Uint8Array, directory: string): { name: string; description: string } {
  const { name = directory, description } = said(main);
  if (name.length > MAX_SKILL_NAME_CHARS || !/^[a-z0-9]+(-[a-z0-9]+)*$/.test(name))
    throw new ApiError(
      'invalid_request',
      `${MAIN}: the name ${shown(name)} is not 1 to ${MAX_SKILL_NAME_CHARS} lower-case letters, digits and single hyphens`,
    );
  if (description === null)
    throw new ApiError('invalid_request', `${MAIN}: its front matter has no description`);
  if (description.length > MAX_SKILL_DESCRIPTION_CHARS)
    throw new ApiError(
      'invalid_request',
      `${MAIN}: the description has ${description.length} characters; at most ${MAX_SKILL_DESCRIPTION_CHARS}`,
    );
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is refused
  if (/[\x00-\x08\x0b-\x1f\x7f]/.test(description))
    throw new ApiError('invalid_request', `${MAIN}: the description has control characters`);
  return { name, description };
}

function said(main: Uint8Array): { name?: string; description: string | null } {
  const { name, description } = readFrontMatter(textOf(main));
  return { ...(name !== null && { name }), description };
}

function textOf(main: Uint8Array): string {
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: false }).decode(main);
  } catch {
    throw new ApiError('invalid_request', `${MAIN}: not valid UTF-8`);
  }
}

function tooLarge(path: string): ApiError {
  const most = `${MAX_SKILL_BYTES} bytes (30 MiB)`;
  return new ApiError('too_large', `files: with ${shown(path)} the files have more than ${most} together`);
}

function refusal(problem: string): ApiError {
  return new ApiError('invalid_request', `files[]: ${problem}`);
}
