// Files over Modal: each call is one task in the sandbox that answers a line, `capstan VALUE` or `capstan !CODE`, then data.
import { SandboxError, type SandboxErrorCode } from '../error.ts';
import {
  DEFAULT_CHUNK_BYTES,
  type FileChunk,
  type FileKey,
  type FileList,
  type FileStat,
  type ReadFile,
  type WriteFile,
} from '../port.ts';
import { toPrintable } from './command.ts';
import type { Connection } from './connection.ts';
import { assertUsable } from './preparation.ts';
import { MAX_ENTRIES, type Task } from './programs.ts';

/** One entry of find's output is at most a name of 255 bytes and some numbers. */
const MAX_LIST_BYTES = MAX_ENTRIES * 400;

/** Content up to here is an argument: room for the program itself, below the 64 KiB of arguments that the SDK takes. */
const MAX_INLINE_LENGTH = 48_000;

export async function readFile(connection: Connection, request: ReadFile): Promise<FileChunk> {
  const { offset = 0, maxBytes = DEFAULT_CHUNK_BYTES } = request;
  const args = [String(offset), String(maxBytes)];
  const { data } = await ask(connection, request, { program: 'read', args, maxBytes: maxBytes + 128 });
  const end = offset + data.length;
  const short = data.length < maxBytes;
  if (short && (data.length > 0 || offset === 0)) return { bytes: data, sizeBytes: end, eof: true };
  // A file of /proc says 0 and has more, and another may have grown: never less than what was read.
  const { value } = await ask(connection, request, { program: 'size', args: [], maxBytes: 128 });
  const sizeBytes = Math.max(Number(value), data.length > 0 ? end : 0);
  return { bytes: data, sizeBytes, eof: short };
}

export async function writeFile(connection: Connection, request: WriteFile): Promise<void> {
  const { content } = request;
  const escaped = content.length <= MAX_INLINE_LENGTH ? toPrintable(content) : '';
  const inline = escaped.length <= MAX_INLINE_LENGTH && content.length <= MAX_INLINE_LENGTH;
  await ask(connection, request, {
    program: 'write',
    args: inline ? ['-', escaped] : [String(content.length)],
    maxBytes: 128,
    ...(!inline && { stdin: [content, Buffer.from('whole\n')] }),
  });
}

export async function listFiles(connection: Connection, key: FileKey): Promise<FileList> {
  const { data } = await ask(connection, key, { program: 'list', args: [], maxBytes: MAX_LIST_BYTES });
  const found = parseEntries(data, (name) => `${key.path.replace(/\/+$/, '')}/${name}`);
  const sorted = found.toSorted((a, b) => Buffer.compare(Buffer.from(a.path), Buffer.from(b.path)));
  return { entries: sorted.slice(0, MAX_ENTRIES), truncated: sorted.length > MAX_ENTRIES };
}

export async function stat(connection: Connection, key: FileKey): Promise<FileStat> {
  const { data } = await ask(connection, key, { program: 'stat', args: [], maxBytes: 8192 });
  const [entry] = parseEntries(data, () => key.path);
  if (!entry)
    throw new SandboxError('internal', `${key.path}: the sandbox gave an answer that cannot be read`);
  return entry;
}

async function ask(connection: Connection, key: FileKey, question: Task) {
  const task = { ...question, args: [key.path, ...question.args] };
  const { stdout } = await connection.perform(key.sandboxId, task);
  const end = stdout.indexOf(10);
  const [mark, value = ''] = Buffer.from(stdout.subarray(0, Math.max(end, 0)))
    .toString()
    .split(' ');
  if (mark !== 'capstan') {
    await assertUsable(connection, key.sandboxId);
    throw new SandboxError(
      'internal',
      `${key.path}: the sandbox gave no answer; its image needs bash, GNU coreutils and findutils`,
    );
  }
  const problem = PROBLEMS.find(([code]) => value === `!${code}`);
  if (problem) throw new SandboxError(problem[0], `${key.path}: ${problem[1]}`);
  return { value, data: stdout.subarray(end + 1) };
}

const PROBLEMS: readonly [SandboxErrorCode, string][] = [
  ['file_not_found', 'no such file or directory'],
  ['is_directory', 'is a directory'],
  ['not_directory', 'is not a directory'],
  ['forbidden', 'permission denied'],
  ['invalid', 'is neither a file nor a directory'],
  ['quota_exceeded', 'could not be written: the sandbox has no room for it'],
  ['internal', 'did not arrive whole'],
];

const TYPES: Readonly<Record<string, FileStat['type']>> = { f: 'file', d: 'directory', l: 'symlink' };

function parseEntries(data: Uint8Array, toPath: (name: string) => string): FileStat[] {
  const lines = Buffer.from(data).toString().split('\0').slice(0, -1);
  return lines.map((line) => {
    const [type = '', size, modified, mode = ''] = line.split(' ', 4);
    const name = line.split(' ').slice(4).join(' ');
    return {
      path: toPath(name),
      type: TYPES[type] ?? 'other',
      sizeBytes: Number(size),
      modifiedAt: Math.floor(Number(modified) * 1000),
      mode: Number.parseInt(mode, 8),
    };
  });
}
