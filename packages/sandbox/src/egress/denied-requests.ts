// Denied requests: what each sandbox was refused lately, for those who use it. In memory: it informs, and decides nothing.
import type { DeniedRequest } from '../port.ts';
import { DENIALS, type Denial } from './denial.ts';

export interface DeniedRequests {
  note(denial: Denial): void;
  /** Oldest first. */
  since(sandbox: string, after: number): DeniedRequest[];
  /** The number of the last; 0: none is known. */
  last(sandbox: string): number;
  forget(sandbox: string): void;
}

const MAX_KEPT = 100;
/** Beyond it, the sandbox that was refused something longest ago is forgotten. */
const MAX_SANDBOXES = 2_000;

export function createDeniedRequests(now: () => number = Date.now): DeniedRequests {
  const kept = new Map<string, DeniedRequest[]>();
  let last = 0;
  return {
    note({ sandbox, target, reason }) {
      if (sandbox === null) return;
      // A number is never given twice, nor a lower one after a restart.
      last = Math.max(last + 1, now());
      const before = kept.get(sandbox) ?? [];
      kept.delete(sandbox);
      const [, advice] = DENIALS[reason];
      kept.set(sandbox, [...before.slice(1 - MAX_KEPT), { number: last, target, reason, advice }]);
      const [oldest] = kept.keys();
      if (kept.size > MAX_SANDBOXES && oldest !== undefined) kept.delete(oldest);
    },
    since: (sandbox, after) => (kept.get(sandbox) ?? []).filter(({ number }) => number > after),
    last: (sandbox) => kept.get(sandbox)?.at(-1)?.number ?? 0,
    forget: (sandbox) => void kept.delete(sandbox),
  };
}
