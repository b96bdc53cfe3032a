// A directory of a sandbox that shows a memory store: looked through, read, and changed in pieces. Links and special files
// are no memories, and a directory that is not what it was is none at all. A look that has not seen everything is none
// either: what it did not see is not gone.
import type { Sandboxes } from '@capstan/sandbox/port';
import { MAX_MEMORY_BYTES } from '@capstan/schema/memories';
import { memoryPathProblem } from '@capstan/schema/memory-path';
import { z } from 'zod';
import { persist } from '../persistence.ts';

export interface Directory {
  sandboxes: Sandboxes;
  sandboxId: string;
  path: string;
}

export interface Entry {
  /** As in the store, with a `/` at its start. */
  path: string;
  /** Changes with the content. */
  signature: string;
  sizeBytes: number;
  /** Why it is no memory; null: it may be one. */
  problem: string | null;
}

export interface Look {
  /** Null: there is no such directory. */
  inode: string | null;
  entries: Entry[];
}

export type Change =
  | { do: 'put'; path: string; from: string | null; text: string }
  | { do: 'drop'; path: string; from: string }
  | { do: 'aside'; path: string };

/** What agents wrote and the store did not take lies below it. */
export const KEPT_ROOT = '/mnt/memory-conflicts';

const MAX_BYTES = 8 * 1024 * 1024;
const AT_ONCE_BYTES = 3 * 1024 * 1024;
const COMMAND_MS = 60_000;
/** More is no memory store: those have a tenth of it at most. */
const MOST_FILES = 20_000;
const LOOKS = 3;

/** The directory was not seen whole, or not in time. Its message follows the directory's name. */
export class PartialLook extends Error {
  override name = 'PartialLook';
}

const SCAN = `[[ -L /mnt || -L /mnt/memory || -L $1 ]] && { echo none; exit; }
cd -P -- "$1" 2>/dev/null || { echo none; exit; }
stat -c %i . && exec find . -xdev -mindepth 1 ! -type d -printf '%y %s %T@ %C@ %i %P\\0' 2>/dev/null`;

const DIGESTS = `cd -P -- "$1" && exec xargs -0r sha256sum -z -- 2>/dev/null`;

const TEXTS = `cd -P -- "$1" || exit 3
while IFS= read -r -d '' path; do base64 -w0 -- "./$path" 2>/dev/null; echo; done`;

const APPLY = `mkdir -p -- "$1" && cd -P -- "$1" || exit 3
[[ $3 == read_only ]] && chmod -R u+w . 2>/dev/null
part=/mnt/memory/.part.$$
same() { [[ -f ./$1 && ! -L ./$1 && $(sha256sum <"./$1") == "$2  -" ]]; }
keep() {
  local to="$2/$1" number=2
  while [[ -e $to || -L $to ]]; do to="$2/$1~$number"; number=$((number + 1)); done
  mkdir -p -- "\${to%/*}" && mv -T -- "./$1" "$to" && printf '%s\\0%s\\0' "$1" "$to"
}
field() { IFS= read -r -d '' "$1"; }
while field op && field path && field from && field size; do
  parent=./$path; parent=\${parent%/*}
  case $op in
    aside) [[ -e ./$path || -L ./$path ]] && keep "$path" "$2" ;;
    drop) if same "$path" "$from"; then rm -f -- "./$path"; rmdir -p -- "$parent" 2>/dev/null; fi ;;
    put)
      head -c "$size" >"$part"
      [[ -d ./$path && ! -L ./$path ]] && find "./$path" -depth -type d -empty -delete 2>/dev/null
      if [[ -e ./$path || -L ./$path ]] && ! same "$path" "$from"; then rm -f -- "$part"; continue; fi
      mkdir -p -- "$parent" 2>/dev/null && mv -fT -- "$part" "./$path" || rm -f -- "$part" ;;
  esac
done
mkdir -p -- "$1"
if [[ $3 == read_only ]]; then chmod -R a-w -- "$1"; else chmod -R u+w -- "$1"; fi`;

export async function look(directory: Directory): Promise<Look> {
  const said = await scan(directory);
  const end = said.indexOf('\n');
  const inode = said.slice(0, end);
  if (inode === 'none') return { inode: null, entries: [] };
  const rows = said
    .slice(end + 1)
    .split('\0')
    .slice(0, -1);
  if (rows.length > MOST_FILES) throw new PartialLook(TOO_MANY);
  return { inode, entries: rows.map(toEntry) };
}

const TOO_MANY = `holds more than ${MOST_FILES} files, which no memory store can have`;

/** What goes while it is looked at makes it fail: then it is looked at again. */
async function scan(directory: Directory): Promise<string> {
  for (let left = LOOKS; left > 0; left--) {
    const { text, exitCode, truncated } = await run(directory, SCAN, {});
    if (truncated) throw new PartialLook(TOO_MANY);
    if (exitCode === 0) return text;
  }
  throw new PartialLook('cannot be looked through, or keeps changing');
}

function toEntry(row: string): Entry {
  const [, type = '', size = '', times = '', name = ''] = /^(\S) (\d+) (\S+ \S+ \d+) (.+)$/s.exec(row) ?? [];
  const path = `/${name}`;
  const sizeBytes = Number(size);
  return {
    path,
    signature: `${type} ${size} ${times}`,
    sizeBytes,
    problem: problemOf(type, path, sizeBytes),
  };
}

function problemOf(type: string, path: string, sizeBytes: number): string | null {
  if (type !== 'f') return 'is a link or a special file; only plain files are memories';
  if (path.includes('\ufffd')) return 'has a name that is not UTF-8';
  const problem = memoryPathProblem(path);
  if (problem !== null) return `has a path that no memory can have: it ${problem}`;
  return sizeBytes > MAX_MEMORY_BYTES
    ? `has ${sizeBytes} bytes; a memory has at most ${MAX_MEMORY_BYTES}, so split it into several files`
    : null;
}

const MAX_NAME_BYTES = 255;

/** False: a file system has no room for one of its names. */
export function isNameable(path: string): boolean {
  const encoder = new TextEncoder();
  return path.split('/').every((name) => encoder.encode(name).length <= MAX_NAME_BYTES);
}

/** SHA-256 by path, of those that are there. */
export async function digests(directory: Directory, paths: readonly string[]): Promise<Map<string, string>> {
  const found = new Map<string, string>();
  if (paths.length === 0) return found;
  const said = await tell(directory, DIGESTS, { stdin: list(paths.map((path) => `.${path}`)) });
  for (const row of said.split('\0')) {
    const [, digest, name] = /^([0-9a-f]{64}) [ *]\.(.+)$/s.exec(row) ?? [];
    if (digest !== undefined && name !== undefined) found.set(name, digest);
  }
  return found;
}

/** Bytes by path. */
export async function bytesOf(
  directory: Directory,
  paths: readonly string[],
): Promise<Map<string, Uint8Array>> {
  const found = new Map<string, Uint8Array>();
  const most = Math.floor(AT_ONCE_BYTES / MAX_MEMORY_BYTES);
  for (let at = 0; at < paths.length; at += most) {
    const some = paths.slice(at, at + most);
    const said = await tell(directory, TEXTS, { stdin: list(some.map((path) => path.slice(1))) });
    const lines = said.split('\n');
    for (const [index, path] of some.entries()) found.set(path, fromBase64(lines[index] ?? ''));
  }
  return found;
}

/** Resolves with where what was put aside lies now, by path. What is not as it was expected to be stays. */
export async function apply(
  directory: Directory,
  changes: readonly Change[],
  { kept, access }: { kept: string; access: string },
): Promise<Map<string, string>> {
  const aside = new Map<string, string>();
  const waiting = [...changes];
  do {
    const pieces: Uint8Array[] = [];
    let size = 0;
    while (waiting.length > 0 && size < AT_ONCE_BYTES) {
      const change = waiting.shift();
      if (change === undefined) break;
      const text = new TextEncoder().encode(change.do === 'put' ? change.text : '');
      const from = change.do === 'aside' ? '' : (change.from ?? '');
      pieces.push(list([change.do, change.path.slice(1), from, String(text.length)]), text);
      size += text.length;
    }
    const said = await tell(directory, APPLY, { stdin: joined(pieces), args: [kept, access] });
    const fields = said.split('\0');
    for (let at = 0; at + 1 < fields.length; at += 2) aside.set(`/${fields[at]}`, fields[at + 1] ?? '');
  } while (waiting.length > 0);
  return aside;
}

const baseFile = z.object({
  sandboxId: z.string(),
  inode: z.string(),
  memories: z.record(z.string(), z.string()),
  /** What was about to be brought here, by path; '': was about to go. */
  coming: z.record(z.string(), z.string()).optional(),
});
export type BaseFile = z.infer<typeof baseFile>;

/** What the directory and the store last had in common, as it is written down beside the directory. Null: nobody has. */
export async function readBase(
  { sandboxes, sandboxId }: Directory,
  storeId: string,
): Promise<BaseFile | null> {
  const read = { sandboxId, path: basePath(storeId), maxBytes: MAX_BYTES };
  try {
    const { bytes } = await persist(() => sandboxes.readFile(read));
    return baseFile.safeParse(JSON.parse(new TextDecoder().decode(bytes))).data ?? null;
  } catch (error) {
    if (error instanceof SyntaxError || isAbsent(error)) return null;
    throw error;
  }
}

export async function writeBase({ sandboxes, sandboxId }: Directory, storeId: string, base: BaseFile) {
  const content = new TextEncoder().encode(JSON.stringify(base));
  await persist(() => sandboxes.writeFile({ sandboxId, path: basePath(storeId), content }));
}

function basePath(storeId: string): string {
  return `/var/tmp/.capstan/memory/${storeId}.json`;
}

function isAbsent(error: unknown): boolean {
  return error instanceof Error && 'code' in error && error.code === 'file_not_found';
}

interface Input {
  stdin?: Uint8Array;
  args?: string[];
}

/** All that a script says, whether or not it succeeds. */
async function tell(directory: Directory, script: string, input: Input): Promise<string> {
  const { text, truncated } = await run(directory, script, input);
  if (truncated) throw new PartialLook('holds more than can be read at once');
  return text;
}

async function run({ sandboxes, sandboxId, path }: Directory, script: string, { stdin, args = [] }: Input) {
  const command = ['bash', '-c', script, 'bash', path, ...args];
  const request = { sandboxId, command, cwd: '/', timeoutMs: COMMAND_MS, maxBytes: MAX_BYTES };
  const { stdout, ...ended } = await persist(() => sandboxes.exec({ ...request, ...(stdin && { stdin }) }));
  if (ended.timedOut) throw new PartialLook('cannot be looked through in time');
  return { ...ended, text: new TextDecoder().decode(stdout) };
}

function list(fields: readonly string[]): Uint8Array {
  return new TextEncoder().encode(fields.map((field) => `${field}\0`).join(''));
}

function joined(pieces: readonly Uint8Array[]): Uint8Array {
  const whole = new Uint8Array(pieces.reduce((sum, piece) => sum + piece.length, 0));
  let offset = 0;
  for (const piece of pieces) {
    whole.set(piece, offset);
    offset += piece.length;
  }
  return whole;
}

function fromBase64(text: string): Uint8Array {
  return Uint8Array.from(atob(text), (char) => char.charCodeAt(0));
}
