// Whether a call left something running in its sandbox: every process that a call started, and all that those started, have
// the call's id in their environment.
import { SandboxError } from '@capstan/sandbox/error';
import type { Sandboxes } from '@capstan/sandbox/port';
import { persist } from './persistence.ts';

/** The variable of a command that has the id of its call. */
export const EFFECT_ID = 'CAPSTAN_EFFECT_ID';

const LOOK = `
for file in /proc/[0-9]*/environ; do
  while IFS= read -r -d '' entry; do
    if [[ $entry == "$1="* ]]; then echo running; exit; fi
  done <"$file"
done 2>/dev/null
echo still`;

export async function runsSomething(sandboxes: Sandboxes, sandboxId: string): Promise<boolean> {
  const command = ['bash', '-c', LOOK, 'bash', EFFECT_ID];
  const { stdout } = await persist(() => sandboxes.exec({ sandboxId, command, cwd: '/' }));
  const answer = new TextDecoder().decode(stdout).trim();
  if (answer === 'running' || answer === 'still') return answer === 'running';
  throw new SandboxError('internal', `Sandbox ${sandboxId} does not say what runs in it`);
}
