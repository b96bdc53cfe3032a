// What becomes of a delivery after an attempt, and of its endpoint. Pure.

/** How an attempt ended. */
export type Outcome =
  | { kind: 'answered'; status: number; retryAfterSeconds: number | null; excerpt: string | null }
  /** Its URL is one that nothing is sent to. */
  | { kind: 'refused'; problem: string }
  /** There was no answer. */
  | { kind: 'failed'; problem: string };

export interface Course {
  /** Attempts so far, this one included. */
  attempts: number;
  /** The first of them; epoch ms. */
  firstAt: number;
  /** Since when every attempt at the endpoint has failed, epoch ms; null: none has since the last that did not. */
  failingSince: number | null;
  /** Epoch ms. */
  now: number;
  /** From 0 to 1. */
  jitter: number;
}

export interface Verdict {
  status: 'delivered' | 'pending' | 'failed';
  /** When it is tried again, epoch ms; null: it is not. */
  dueAt: number | null;
  /** Null: it was delivered. */
  error: string | null;
  /** Why the endpoint is to be disabled; null: it is not. */
  disable: string | null;
}

const MINUTE = 60;
const HOUR = 60 * MINUTE;

/** After each failed attempt, how long the next one waits, in seconds: together 70 hours and 42 minutes. */
export const RETRY_DELAYS: readonly number[] = [
  5,
  30,
  2 * MINUTE,
  10 * MINUTE,
  30 * MINUTE,
  HOUR,
  3 * HOUR,
  6 * HOUR,
  12 * HOUR,
  24 * HOUR,
  24 * HOUR,
];

/** Of a delay, how much chance adds or takes. */
const SPREAD = 0.1;
/** An endpoint that wants to be left alone for longer is asked again then all the same. */
const LONGEST_TOLD = 6 * HOUR;

export function judge(outcome: Outcome, course: Course): Verdict {
  if (outcome.kind === 'refused')
    return ended(outcome.problem, `Nothing is sent to its URL: ${outcome.problem}`);
  if (outcome.kind === 'failed') return again(outcome.problem, course, 0);
  const { status } = outcome;
  if (status >= 200 && status < 300) return { status: 'delivered', dueAt: null, error: null, disable: null };
  const error = `answered ${status}`;
  if (status === 410) return ended(error, 'It answered 410: it is gone');
  if (status >= 300 && status < 400)
    return ended(error, `It answered ${status}: redirects are not followed, give the URL they lead to`);
  return again(error, course, outcome.retryAfterSeconds ?? 0);
}

function ended(error: string, disable: string): Verdict {
  return { status: 'failed', dueAt: null, error, disable };
}

function again(error: string, { attempts, now, jitter, ...course }: Course, told: number): Verdict {
  const delay = RETRY_DELAYS[attempts - 1];
  if (delay === undefined) {
    // Nothing else got through in all that time either.
    const dead = course.failingSince !== null && course.failingSince <= course.firstAt;
    const reason = `Every delivery has failed since ${new Date(course.failingSince ?? now).toISOString()}`;
    return { status: 'failed', dueAt: null, error, disable: dead ? reason : null };
  }
  const seconds = Math.max(delay * (1 - SPREAD + 2 * SPREAD * jitter), Math.min(told, LONGEST_TOLD));
  return { status: 'pending', dueAt: now + Math.round(seconds * 1_000), error, disable: null };
}
