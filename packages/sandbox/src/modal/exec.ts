// Short commands over Modal: run, waited for, and gone with their output.
import { SandboxError } from '../error.ts';
import { DEFAULT_CHUNK_BYTES, type Exec, type ExecResult, WORKSPACE } from '../port.ts';
import { toArgumentFile, toEntries, toParts, toSeconds } from './command.ts';
import type { Connection } from './connection.ts';
import { writeFile } from './files.ts';
import { assertUsable } from './preparation.ts';
import { STATE } from './scripts.ts';

export const DEFAULT_EXEC_MS = 30_000;

export async function exec(connection: Connection, request: Exec, signal?: AbortSignal): Promise<ExecResult> {
  const { stdin, maxBytes = DEFAULT_CHUNK_BYTES, timeoutMs = DEFAULT_EXEC_MS, cwd = WORKSPACE } = request;
  const entries = toEntries(request.env);
  const stage = [cwd, toSeconds(timeoutMs), String(entries.length), ...entries, ...toParts(request.command)];
  const staged = toArgumentFile(stage);
  const path = `${STATE}/exec/${crypto.randomUUID()}`;
  if (staged) await writeFile(connection, { sandboxId: request.sandboxId, path, content: staged });
  const startedAt = performance.now();
  const invoked = await connection.perform(request.sandboxId, {
    program: 'exec',
    args: staged ? ['@', path] : stage,
    ...(stdin && { stdin: [stdin] }),
    maxBytes,
    complete: true,
    signal,
  });
  const { exitCode, stdout, stderr, truncated } = invoked;
  const stopped = exitCode === 124 || exitCode === 137;
  if (exitCode === 137 && stdout.length === 0) await connection.assertAlive(request.sandboxId);
  // There may be no shell for it.
  if ((exitCode === 126 || exitCode === 127) && stdout.length === 0)
    await assertUsable(connection, request.sandboxId);
  if (exitCode < 0) throw new SandboxError('internal', `The command ended with code ${exitCode}`);
  return {
    exitCode,
    stdout,
    stderr,
    truncated,
    timedOut: stopped && performance.now() - startedAt >= timeoutMs,
  };
}
