// Sandbox check: can this machine isolate a sandbox? Asked before anything is built, because the answer may end the start.
import { checkIsolation } from '../../packages/modal-emulator/src/preflight.ts';
import { Fault } from './fault.ts';
import type { Tell } from './terminal.ts';

/** Tells what isolation lacks; when sandboxes cannot run at all, a Fault with the way out. */
export async function checkSandboxes(tell: Tell): Promise<void> {
  const { SANDBOX_ISOLATION: wanted } = process.env;
  const { level, problems } = await checkIsolation(wanted);
  const lines = problems.map(({ what, why, fix }) => `${what} Why: ${why} To mend it: ${fix}`);
  if (level === 'refused') throw new Fault('Sandboxes cannot run on this machine.', lines.join('\n'));
  for (const line of lines) tell(`  ! ${line}`);
}
