// A file on its way into a sandbox: in pieces, and in its place only when it is there whole. Doing it again is harmless.
import { SandboxError } from '@capstan/sandbox/error';
import { MAX_CHUNK_BYTES, type Sandboxes } from '@capstan/sandbox/port';
import { piecesOf } from '@capstan/shared/chunks';
import { persist } from '../persistence.ts';

interface Target {
  sandboxes: Sandboxes;
  sandboxId: string;
  path: string;
}

export interface Putting extends Target {
  sizeBytes: number;
  content: ReadableStream<Uint8Array>;
}

/** At an offset, so that a piece that is sent twice lies where it lay before. */
const PIECE = `mkdir -p -- "\${1%/*}" && exec dd of="$1" bs=1M seek="$2" oflag=seek_bytes conv=notrunc iflag=fullblock status=none`;
const FINISH = `[[ $(stat -c %s -- "$1") == "$3" ]] && mv -fT -- "$1" "$2"`;
const PIECE_MS = 60_000;

/** Rejects with SandboxError; what is at the path then is what was there before. */
export async function putFile(putting: Putting): Promise<void> {
  const { sandboxes, sandboxId, path, sizeBytes, content } = putting;
  const pieces = piecesOf(content, MAX_CHUNK_BYTES);
  if (sizeBytes <= MAX_CHUNK_BYTES) {
    const piece = (await pieces.next()).value ?? new Uint8Array();
    if (piece.length !== sizeBytes) throw cutShort(path);
    return persist(() => sandboxes.writeFile({ sandboxId, path, content: piece }));
  }
  const part = `${path}.capstan-part`;
  let offset = 0;
  for await (const piece of pieces) {
    await putPiece(putting, { path: part, offset, piece });
    offset += piece.length;
  }
  if (offset !== sizeBytes) throw cutShort(path);
  await runScript(putting, { script: FINISH, args: [part, path, String(sizeBytes)] });
}

/** Where it belongs in a file that is there only in part. */
export function putPiece(
  target: Target,
  { path, offset, piece }: { path: string; offset: number; piece: Uint8Array },
): Promise<void> {
  return runScript(target, { script: PIECE, args: [path, String(offset)], stdin: piece });
}

function cutShort(path: string): SandboxError {
  return new SandboxError('internal', `${path}: the stored content is not as long as it was`);
}

/** Rejects with SandboxError, naming the path, when the script fails. */
export async function runScript(
  { sandboxes, sandboxId, path }: Target,
  { script, args, stdin }: { script: string; args: string[]; stdin?: Uint8Array },
): Promise<void> {
  const command = ['bash', '-c', script, 'bash', ...args];
  const request = { sandboxId, command, cwd: '/', timeoutMs: PIECE_MS, ...(stdin && { stdin }) };
  const { exitCode, stderr } = await persist(() => sandboxes.exec(request));
  if (exitCode === 0) return;
  const said = new TextDecoder().decode(stderr.subarray(0, 500)).trim();
  throw new SandboxError(
    said.includes('No space left') || said.includes('quota') ? 'quota_exceeded' : 'internal',
    `${path}: could not be written${said === '' ? '' : ` (${said})`}`,
  );
}
