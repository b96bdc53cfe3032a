// What an agent may miss after its sandbox was replaced, perhaps more than once since it was last told.
import type { SandboxReplacement } from '@capstan/schema/events/sandbox-events';

/** Null: nothing that it could miss is gone. `before`: what it was not told yet. */
export function missed(
  replacement: SandboxReplacement,
  before: SandboxReplacement | null,
): SandboxReplacement | null {
  const { restored, lost } = replacement;
  const after = lost.files === 'none' && !lost.processes ? null : replacement;
  if (before === null || after === null) return after ?? before;
  const worst = after.lost.files === 'none' ? before.lost.files : after.lost.files;
  const files = before.lost.files === 'all' ? 'all' : worst;
  return { restored, lost: { files, processes: lost.processes || before.lost.processes } };
}
