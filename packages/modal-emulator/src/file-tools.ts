// The SDK's `sandbox.filesystem` runs `/__modal/.bin/modal-sandbox-fs-tools JSON` in the sandbox. Here that argv becomes
// bash and coreutils running inside the sandbox, with the same results: bytes, JSON, and `{error_kind, …}` on stderr.
import { posix } from 'node:path';
import { quote } from './shell-script.ts';

export const FILE_TOOLS_PATH = '/__modal/.bin/modal-sandbox-fs-tools';
const MAX_READ_BYTES = 5 * 1024 ** 3;

export interface FileOperation {
  /** Bash to run in the sandbox. */
  script: string;
  /** Turns what a successful run wrote to stdout into what the SDK reads; absent: as it is. */
  render?: (stdout: Buffer) => Buffer;
}

/** Errors are told from each other by asking the file system, in the order the real tool would meet them. */
const PROLOGUE = `
fail() { printf '{"error_kind":"%s","message":"%s","detail":""}' "$1" "$2" >&2; exit 1; }
missing() { [ -e "$1" ] || [ -L "$1" ] || {
  local up=$1
  while up=\${up%/*}; [ -n "$up" ]; do
    if [ -d "$up" ]; then [ -x "$up" ] || fail PermissionDenied "Permission denied"; break; fi
    if [ -e "$up" ]; then fail NotDirectory "Not a directory"; fi
  done
  fail NotFound "No such file or directory"
}; }
denied() { fail PermissionDenied "Permission denied"; }
`;

/** The operation in `json`, or undefined when it is none this emulator knows. */
export function parseFileOperation(json: string): FileOperation | undefined {
  let parsed: unknown;
  try {
    parsed = JSON.parse(json);
  } catch {
    return undefined;
  }
  const [name, args] = Object.entries(isRecord(parsed) ? parsed : {})[0] ?? [];
  if (name === undefined || !isRecord(args) || typeof args.path !== 'string') return undefined;
  const operation = Object.hasOwn(OPERATIONS, name) ? OPERATIONS[name] : undefined;
  if (operation === undefined || args.path.includes('\0')) return undefined;
  const { script, render } = operation(args.path, args);
  return { script: `${PROLOGUE}p=${quote(args.path)}\n${script}\n`, render };
}

const OPERATIONS: Record<string, (path: string, args: Record<string, unknown>) => FileOperation> = {
  ReadFile: () => ({
    script: `missing "$p"
[ -d "$p" ] && fail IsDirectory "Is a directory"
[ -r "$p" ] || denied
[ "$(stat -Lc %s -- "$p")" -le ${MAX_READ_BYTES} ] || fail FileTooLarge "File too large"
exec cat <"$p"`,
  }),
  WriteFile: (path) => ({
    script: `${path.endsWith('/') ? 'fail IsDirectory "Is a directory"' : ''}
[ -d "$p" ] && fail IsDirectory "Is a directory"
d=${quote(posix.dirname(path))}
u=$d
while [ ! -e "$u" ] && [ "$u" != / ]; do u=\${u%/*}; u=\${u:-/}; done
[ -d "$u" ] || fail NotDirectory "Not a directory"
[ -d "$d" ] || mkdir -p -- "$d" 2>/dev/null || denied
if [ -e "$p" ]; then [ -w "$p" ] || denied; else [ -w "$d" ] || denied; fi
exec cat >"$p"`,
  }),
  ListFiles: (path) => ({
    script: `missing "$p"
[ -d "$p" ] || fail NotDirectory "Not a directory"
[ -r "$p" ] || denied
exec find "$p/" -mindepth 1 -maxdepth 1 -printf ${quote(FIND_FORMAT)}`,
    render: (stdout) => toJson(parseEntries(stdout, (name) => posix.join(path, name)).sort(byName)),
  }),
  Stat: (path) => ({
    script: `missing "$p"\nexec find "$p" -maxdepth 0 -printf ${quote(FIND_FORMAT)}`,
    render: (stdout) => toJson(parseEntries(stdout, () => path)[0] ?? {}),
  }),
  MakeDirectory: (_path, args) => ({
    script: args.parents === true ? MAKE_PARENTS : MAKE_ONE,
  }),
  Remove: (_path, args) => ({
    script: `missing "$p"
if [ -d "$p" ] && [ ! -L "$p" ]; then
  ${args.recursive === true ? '' : '[ -z "$(find "$p" -mindepth 1 -maxdepth 1 -print -quit)" ] || fail DirectoryNotEmpty "Directory not empty"'}
  rm -rf -- "$p" 2>/dev/null || denied
else
  rm -f -- "$p" 2>/dev/null || denied
fi`,
  }),
  Watch: () => ({ script: 'fail NotSupported "Watching files is not supported by the local emulator"' }),
};

const MAKE_ONE = `if [ -e "$p" ] || [ -L "$p" ]; then fail PathAlreadyExists "Path already exists"; fi
d=\${p%/*}; d=\${d:-/}
missing "$d"
[ -d "$d" ] || fail NotDirectory "Not a directory"
mkdir -- "$p" 2>/dev/null || denied`;
const MAKE_PARENTS = `[ -d "$p" ] && exit 0
if [ -e "$p" ]; then fail PathAlreadyExists "Path already exists"; fi
u=$p
while [ ! -e "$u" ] && [ -n "$u" ]; do u=\${u%/*}; done
[ -z "$u" ] || [ -d "$u" ] || fail NotDirectory "Not a directory"
mkdir -p -- "$p" 2>/dev/null || denied`;

/** name, type, size, permission bits, owner, group, change time, link target; a NUL after each, since names hold all else. */
const FIND_FORMAT = '%f\\0%y\\0%s\\0%m\\0%u\\0%g\\0%T@\\0%l\\0';
const FIELDS = 8;
const TYPES: Record<string, string> = { d: 'directory', f: 'file', l: 'symlink' };
const TYPE_BITS: Record<string, number> = { d: 0o040000, f: 0o100000, l: 0o120000 };

interface Entry {
  name: string;
  path: string;
  type: string;
  size: number;
  mode: number;
  permissions: string;
  owner: string;
  group: string;
  modified_time: number;
  symlink_target: string | null;
}

function parseEntries(stdout: Buffer, pathOf: (name: string) => string): Entry[] {
  const values = stdout.toString('utf8').split('\0');
  const entries: Entry[] = [];
  for (let at = 0; at + FIELDS <= values.length; at += FIELDS) {
    const [name = '', kind = '', size, permissions = '', owner = '', group = '', time, target] = values.slice(
      at,
      at + FIELDS,
    );
    entries.push({
      name,
      path: pathOf(name),
      type: TYPES[kind] ?? 'other',
      size: Number(size),
      mode: (TYPE_BITS[kind] ?? 0) | Number.parseInt(permissions, 8),
      permissions: permissions.padStart(4, '0'),
      owner,
      group,
      modified_time: Number(time),
      symlink_target: kind === 'l' ? (target ?? '') : null,
    });
  }
  return entries;
}

function byName(a: Entry, b: Entry): number {
  return a.name < b.name ? -1 : Number(a.name > b.name);
}

function toJson(value: Entry | Entry[] | Record<string, never>): Buffer {
  return Buffer.from(JSON.stringify(value));
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null;
}
