// What a session says of itself, as it is told: to webhook endpoints, and to the record of the
// run or the dream that the session is of.
import type { Announcement } from '@capstan/schema/webhook-events';
import { endRun } from './deployment-runs.ts';
import { noteRest } from './dreams.ts';
import { announceAll } from './outbox.ts';
import type { Scope } from './scope.ts';

/** The statements that tell it: part of a batch. May be repeated. */
export function tellOf(scope: Scope, news: readonly Announcement[]) {
  const ends = news.flatMap(({ id, now, ends: how }) =>
    how === undefined
      ? []
      : [...endRun(scope, { sessionId: id, how, now }), noteRest(scope, { sessionId: id, how })],
  );
  return [...announceAll(scope, news), ...ends];
}

/** Tells it by itself. Rejects when that fails: may be repeated. */
export async function tell(scope: Scope, news: readonly Announcement[]): Promise<void> {
  const [first, ...others] = tellOf(scope, news);
  if (first !== undefined) await scope.db.batch([first, ...others]);
}
