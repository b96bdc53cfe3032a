// What is asked of a session's sandbox from outside any turn. A session that is over has none.
import { ApiError } from '@capstan/schema/error';
import type { Exposed, Holding } from './harness.ts';
import type { State } from './state.ts';

/** Gets the sandbox ready for what comes. Refuses (`conflict`) when the session is over. */
export function prewarm({ status }: State, holding: Holding): void {
  if (status === 'terminated')
    throw new ApiError('conflict', 'The session is over: it has no sandbox any more.');
  holding.prewarm();
}

/** How the server side reaches a port of the sandbox. Refuses (`conflict`) when none runs. */
export async function expose({ status }: State, holding: Holding, port: number): Promise<Exposed> {
  const exposed = status === 'terminated' ? null : await holding.expose(port);
  if (exposed !== null) return exposed;
  throw noneRuns();
}

/** The sandbox that runs, made when it is to be changed. Refuses (`conflict`) when none runs, or the session is over. */
export async function place(
  { status, deleted }: State,
  holding: Holding,
  how: { make: boolean },
): Promise<string> {
  const sandboxId = status === 'terminated' || deleted ? null : await holding.place(how);
  if (sandboxId !== null) return sandboxId;
  throw noneRuns();
}

function noneRuns(): ApiError {
  return new ApiError(
    'conflict',
    'The session has no sandbox that runs: it gets one with its next tool call, or by …/prewarm.',
  );
}
