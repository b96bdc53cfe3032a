// How a sandbox came to be: the phases in which it was made and filled, until the log tells them. Pure. Instants are epoch ms.
import type { BootPhase, SandboxBoot } from '@capstan/schema/events/sandbox-events';

export interface Phase {
  name: BootPhase['name'];
  beganAt: number;
  endedAt: number;
  /** The repository that was cloned; null: it is another phase. */
  url: string | null;
}

/** Of a sandbox that nobody has used yet. */
export interface Boot {
  sandboxId: string;
  sandbox: SandboxBoot['sandbox'];
  beganAt: number;
  phases: readonly Phase[];
  /** What belongs into it has been brought. */
  filled: boolean;
}

/** As the log tells it: phases in the order they began, none of them negative when a clock was set back. */
export function toBoot({ sandbox, beganAt, phases }: Boot): SandboxBoot {
  const since = (at: number) => Math.max(0, Math.round(at - beganAt));
  const told = phases
    .toSorted((a, b) => a.beganAt - b.beganAt)
    .map(({ name, beganAt: began, endedAt, url }) => ({
      name,
      started_after_ms: since(began),
      duration_ms: Math.max(0, Math.round(endedAt - began)),
      repository_url: url,
    }));
  return {
    sandbox,
    started_at: new Date(beganAt).toISOString(),
    duration_ms: Math.max(0, ...told.map((phase) => phase.started_after_ms + phase.duration_ms)),
    phases: told,
  };
}
