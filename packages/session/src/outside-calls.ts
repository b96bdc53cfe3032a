// What is asked of a session's sandbox from outside any turn. A session that is over has none.
import { ApiError } from '@capstan/schema/error';
import type { Exposed, Holding } from './harness.ts';
import type { State } from './state.ts';

/** Gets the sandbox ready for what comes. Refuses (`conflict`) when the session is over. */
export function prewarm({ status }: State, holding: Holding): void {
  if (status === 'terminated') throw over();
  holding.prewarm();
}

/** Credentials have changed: what runs in the sandbox has them at once. Nothing to do when the session is over. */
export function refresh({ status }: State, holding: Holding): void {
  if (status !== 'terminated') holding.refresh();
}

/** How the server side reaches a port of the sandbox. Refuses (`conflict`) when none runs, or the session is over. */
export async function expose({ status }: State, holding: Holding, port: number): Promise<Exposed> {
  if (status === 'terminated') throw over();
  const exposed = await holding.expose(port);
  if (exposed !== null) return exposed;
  throw noneRuns();
}

/** The sandbox that runs. Refuses (`conflict`) when none does, or the session is over. */
export async function place({ status }: State, holding: Holding): Promise<string> {
  if (status === 'terminated') throw over();
  const sandboxId = await holding.place();
  if (sandboxId !== null) return sandboxId;
  throw noneRuns();
}

/** Does something in the sandbox that may change it, made when there is none. Refuses (`conflict`) when the session is over. */
export async function work<T>(
  { status }: State,
  holding: Holding,
  job: (sandboxId: string) => Promise<T>,
): Promise<T> {
  if (status === 'terminated') throw over();
  return holding.work(job);
}

function over(): ApiError {
  return new ApiError('conflict', 'The session is over: it has no sandbox any more.');
}

function noneRuns(): ApiError {
  return new ApiError(
    'conflict',
    'The session has no sandbox that runs: it gets one with its next tool call, or by …/prewarm.',
  );
}
