// Files of a sandbox for people: listed, read, written, and a directory as an archive. Every path is resolved by the sandbox,
// inside it.
import { isSandboxError, type SandboxError, type SandboxErrorCode } from '@capstan/sandbox/error';
import { type FileList, MAX_CHUNK_BYTES, type Sandboxes } from '@capstan/sandbox/port';
import { ApiError, type ErrorCode } from '@capstan/schema/error';
import { MAX_FILE_BYTES } from '@capstan/schema/files';
import { piecesOf } from '@capstan/shared/chunks';
import { persist } from './persistence.ts';

export interface Located {
  sandboxes: Sandboxes;
  sandboxId: string;
  path: string;
}

export function listSandboxFiles({ sandboxes, ...key }: Located): Promise<FileList> {
  return telling(() => persist(() => sandboxes.listFiles(key)));
}

/** The content as it is read; what happens to the file meanwhile, its reader sees. */
export async function readSandboxFile(located: Located): Promise<ReadableStream<Uint8Array>> {
  const first = await telling(() => readPiece(located, 0));
  return streamOf(located, first, async () => {});
}

/** Resolves with its size. What was there is replaced once everything has come. */
export async function writeSandboxFile(located: Located, body: ReadableStream<Uint8Array>): Promise<number> {
  const { sandboxes, sandboxId, path } = located;
  const part = `${path.slice(0, path.lastIndexOf('/'))}/.capstan-${crypto.randomUUID()}`;
  const run = (script: string, args: string[], stdin?: Uint8Array) =>
    command(located, { script, args, ...(stdin && { stdin }) });
  let size = 0;
  try {
    for await (const piece of piecesOf(body, MAX_CHUNK_BYTES)) {
      if (size === 0 && piece.length < MAX_CHUNK_BYTES) {
        await telling(() => persist(() => sandboxes.writeFile({ sandboxId, path, content: piece })));
        return piece.length;
      }
      if (size + piece.length > MAX_FILE_BYTES)
        throw new ApiError('too_large', `body: larger than ${MAX_FILE_BYTES} bytes (500 MiB)`);
      await run(PUT, [part, String(size)], piece);
      size += piece.length;
    }
    if (size === 0)
      await telling(() => persist(() => sandboxes.writeFile({ sandboxId, path, content: NOTHING })));
    else await run(MOVE, [part, path]);
    return size;
  } catch (error) {
    await run(REMOVE, [part]).catch(() => undefined);
    throw error;
  }
}

/** A tar archive: links are in it as links. Refuses (`too_large`) more than MAX_FILE_BYTES. */
export async function archiveSandboxFiles(located: Located): Promise<ReadableStream<Uint8Array>> {
  const archive = `/tmp/.capstan-archive-${crypto.randomUUID()}`;
  await command(located, { script: TAR, args: [located.path, archive, String(MAX_FILE_BYTES)] });
  const made = { ...located, path: archive };
  const first = await telling(() => readPiece(made, 0));
  return streamOf(made, first, async () => {
    await command(made, { script: REMOVE, args: [archive] }).catch(() => undefined);
  });
}

const NOTHING = new Uint8Array();

const PUT = `[[ -d \${1%/*}/ ]] || mkdir -p -- "\${1%/*}/" || exit 21
exec dd of="$1" bs=1M seek="$2" oflag=seek_bytes conv=notrunc iflag=fullblock status=none`;
const MOVE = `[[ -d $2 ]] && exit 23; exec mv -fT -- "$1" "$2"`;
const REMOVE = `exec rm -f -- "$1"`;
const TAR = `[[ -e $1 ]] || exit 22; [[ -d $1 ]] || exit 24; cd -- "$1" || exit 21
[[ $(du -sxb . 2>/dev/null | cut -f1) -le $3 ]] || exit 25
LC_ALL=C tar --one-file-system -cf "$2" .; [[ $? -le 1 ]] || { rm -f -- "$2"; exit 26; }`;

const EXITS: Record<number, [ErrorCode, string]> = {
  21: ['invalid_request', 'permission denied'],
  22: ['not_found', 'no such file or directory'],
  23: ['invalid_request', 'is a directory'],
  24: ['invalid_request', 'is not a directory'],
  25: ['too_large', 'has more than 500 MiB; download parts of it'],
};

const COMMAND_MS = 60_000;

async function command(
  { sandboxes, sandboxId, path }: Located,
  { script, args, stdin }: { script: string; args: string[]; stdin?: Uint8Array },
): Promise<void> {
  const argv = ['bash', '-c', script, 'bash', ...args];
  const request = { sandboxId, command: argv, cwd: '/', timeoutMs: COMMAND_MS, ...(stdin && { stdin }) };
  const { exitCode, stderr, timedOut } = await telling(() => persist(() => sandboxes.exec(request)));
  if (exitCode === 0) return;
  const said = timedOut ? `it took longer than ${COMMAND_MS / 1000} seconds` : firstLine(stderr);
  const [code, why] = EXITS[exitCode] ?? ['invalid_request', `could not be done: ${said}`];
  throw new ApiError(code, `path: ${path} ${why}`);
}

/** What a program of the sandbox complained of first. */
function firstLine(stderr: Uint8Array): string {
  const [line = ''] = new TextDecoder().decode(stderr.subarray(0, 500)).trim().split('\n');
  return line === '' ? 'the sandbox gave no reason' : line;
}

function readPiece({ sandboxes, sandboxId, path }: Located, offset: number) {
  return persist(() => sandboxes.readFile({ sandboxId, path, offset, maxBytes: MAX_CHUNK_BYTES }));
}

type Piece = Awaited<ReturnType<typeof readPiece>>;

function streamOf(located: Located, first: Piece, ended: () => Promise<void>): ReadableStream<Uint8Array> {
  let next: Piece | null = first;
  let offset = 0;
  return new ReadableStream({
    type: 'bytes',
    async pull(controller) {
      try {
        const piece = next ?? (await readPiece(located, offset));
        next = null;
        offset += piece.bytes.length;
        if (piece.bytes.length > 0) controller.enqueue(new Uint8Array(piece.bytes));
        if (!piece.eof) return;
        await ended();
        controller.close();
        controller.byobRequest?.respond(0);
      } catch (error) {
        await ended();
        controller.error(error);
      }
    },
    cancel: ended,
  });
}

const CODES: Partial<Record<SandboxErrorCode, ErrorCode>> = {
  file_not_found: 'not_found',
  is_directory: 'invalid_request',
  not_directory: 'invalid_request',
  forbidden: 'invalid_request',
  invalid: 'invalid_request',
  quota_exceeded: 'invalid_request',
  too_large: 'too_large',
  gone: 'conflict',
  not_found: 'conflict',
  unavailable: 'unavailable',
  timeout: 'unavailable',
};

/** In the words of the API. */
async function telling<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    throw isSandboxError(error) ? toApiError(error) : error;
  }
}

function toApiError(error: SandboxError): ApiError {
  const { code, message } = error;
  if (code === 'unusable')
    return new ApiError(
      'conflict',
      'The sandbox of the session cannot be used any more, because a command took away what it needs; write a file or send a message, and it is replaced',
      { cause: error },
    );
  if (code === 'gone' || code === 'not_found')
    return new ApiError(
      'conflict',
      'The sandbox of the session has ended; write a file or send a message, and it is restored',
    );
  return new ApiError(CODES[code] ?? 'internal', `path: ${message.replace(/^path: /, '')}`);
}
