// Tool calls that a worker of the user's own performs, because the session's environment is self-hosted: which they are,
// when a worker is needed, and what becomes of calls whose worker is lost.
//
// 1. A call that a lost worker may have begun is never silently run again: its result says that nobody knows (R6). Only
//    tools that change nothing wait for the next worker.
// 2. That a worker is needed is read off the state (M3).
import type { BuiltInTool } from '@capstan/schema/tools';
import { conclude } from './conclude.ts';
import { closeCalls, waiting } from './endings.ts';
import type { Entry } from './entry.ts';
import { evolveAll } from './evolve.ts';
import type { Context } from './frame.ts';
import type { SessionSpec } from './spec.ts';
import type { OpenCall, State } from './state.ts';
import { again, blocking } from './thread.ts';

/** Those of the built-in tools that need a machine to work on. */
const ON_A_MACHINE: ReadonlySet<string> = new Set<BuiltInTool>([
  'bash',
  'read',
  'write',
  'edit',
  'glob',
  'grep',
]);

/** They change nothing: to perform one again is harmless. */
const REPEATABLE: ReadonlySet<string> = new Set<BuiltInTool>(['read', 'glob', 'grep']);

export function isSelfHosted({ environment }: Pick<SessionSpec, 'environment'>): boolean {
  return environment.type === 'self_hosted';
}

export function isRemote(spec: Pick<SessionSpec, 'environment'>, toolName: string): boolean {
  return isSelfHosted(spec) && ON_A_MACHINE.has(toolName);
}

/** The last call that waits for a worker: one has to be offered the session. Null: none is needed. */
export function neededFor({ status, threads }: State, spec: SessionSpec): string | null {
  if (!isSelfHosted(spec) || status === 'terminated') return null;
  // A worker may have tools of its own: what waits for the client may wait for it.
  const waiting = threads.flatMap(({ calls }) => calls.filter(isWaiting));
  return waiting.at(-1)?.id ?? null;
}

/** The worker that had the session until `until` (epoch ms) has it no more. */
export function workerLost(context: Context, until: number): Entry[] {
  const { state, stamp } = context;
  const entries = state.threads.flatMap((thread) => {
    const calls = thread.calls.filter((call) => mayHaveBegun(call, until));
    if (calls.length === 0) return [];
    const closed = closeCalls(thread, { calls, text: UNKNOWN }, stamp);
    const left = again(evolveAll(state, closed), thread);
    return [...closed, ...(left.status === 'idle' && blocking(left).length > 0 ? waiting(left, stamp) : [])];
  });
  return conclude(context, entries);
}

const UNKNOWN =
  'Outcome unknown: the worker that had this call stopped before it sent a result, so the call may or may not have ' +
  'taken effect. Check before you run it again.';

function mayHaveBegun({ waitsFor, name, since = 0 }: OpenCall, until: number): boolean {
  return waitsFor === 'worker' && since <= until && !REPEATABLE.has(name);
}

function isWaiting({ waitsFor }: OpenCall): boolean {
  return waitsFor === 'worker' || waitsFor === 'client';
}
