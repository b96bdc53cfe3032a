// What a sandbox needs before anything can be done in it: put there when it is made, and again by whoever gets no answer.
//  1. It is called unusable only on its own evidence: its shell cannot be started, or says what is missing. One that was killed,
//     or has no process or memory left, may be used again later.
import { SandboxError } from '../error.ts';
import { toPrintable } from './command.ts';
import type { Connection } from './connection.ts';
import { installArgv, LOOK_ARGV } from './scripts.ts';

/** From here on an exit code says that the shell was killed, or could not go on. */
const KILLED = 128;

/** Makes the directories and files that every sandbox has. Harmless when they are there. Throws as `assertUsable` does. */
export async function install(connection: Connection, sandboxId: string): Promise<void> {
  const files = (connection.settings.files ?? []).flatMap(({ path, content }) => [
    path,
    toPrintable(content),
  ]);
  if (await tryInstall(connection, { sandboxId, files })) return;
  await assertUsable(connection, sandboxId);
  throw new SandboxError('misconfigured', `Sandbox ${sandboxId} cannot be given the files it is to have`);
}

/** Throws `unusable` when a sandbox that lives lacks what every call needs, `quota_exceeded` when it cannot say. */
export async function assertUsable(connection: Connection, sandboxId: string): Promise<void> {
  if (await tryInstall(connection, { sandboxId, files: [] })) return;
  const look = { argv: LOOK_ARGV, maxBytes: 1024, complete: true };
  const { stdout, exitCode } = await connection.invoke(sandboxId, look);
  await connection.assertAlive(sandboxId);
  const lacks = Buffer.from(stdout).toString().trim();
  if (lacks === 'nothing' || exitCode >= KILLED || exitCode < 0)
    throw new SandboxError('quota_exceeded', `Sandbox ${sandboxId} has no process or memory left just now`);
  const needs = 'it needs bash 5 and GNU coreutils and a writable /workspace, /mnt/session and /var/tmp';
  throw new SandboxError(
    'unusable',
    `Sandbox ${sandboxId} cannot be prepared: ${needs}, and lacks ${lacks === '' ? 'bash' : lacks}`,
  );
}

async function tryInstall(
  connection: Connection,
  { sandboxId, files }: { sandboxId: string; files: readonly string[] },
): Promise<boolean> {
  const { stdout } = await connection.invoke(sandboxId, { argv: installArgv(files), maxBytes: 64 });
  return stdout.length > 0;
}
