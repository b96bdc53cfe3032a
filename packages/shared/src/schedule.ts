// A deployment's schedule: what its clock owes at an instant. Pure: the same question has the same answer, on every machine.
// S1. A run starts up to a jitter after its fire time: the same for the same deployment and fire time, and never so long that
//     two runs change places.
// S2. A fire time is owed once: those up to and with `handledUpTo` are over.

import { parseCron } from '@capstan/schema/cron';
import type { MissedRuns } from '@capstan/schema/deployments';
import { FireTimes } from './fire-times.ts';

export interface Schedule {
  deploymentId: string;
  expression: string;
  timezone: string;
}

export interface Owed {
  /** Fire times to run now, epoch ms, earliest first. */
  fire: number[];
  /** Everything up to and with this fire time is decided; as before when nothing was owed. */
  handledUpTo: number;
  /** Fire times that are over without a run. At least: those that nobody counts are not in it. */
  skipped: number;
  /** When to ask again, epoch ms; null: it never fires again. */
  nextAt: number | null;
}

/** A run that could not start within it is missed. */
export const MISSED_AFTER_MS = 5 * 60_000;
/** Of the missed runs of a schedule that makes up for all of them, so many are made: the latest. */
export const MOST_MADE_UP = 100;

const JITTER_SHARE = 0.15;
const LEAST_JITTER_MS = 5_000;
const MOST_JITTER_MS = 9 * 60_000;

export function fireTimesOf({ expression, timezone }: Schedule): FireTimes {
  const cron = parseCron(expression);
  if ('problem' in cron) throw new TypeError(`A schedule was stored that cannot fire: ${cron.problem}`);
  return new FireTimes(cron, timezone);
}

/** `handledUpTo` and `now` are epoch ms. */
export function owedBy(
  schedule: Schedule,
  { handledUpTo, missedRuns }: { handledUpTo: number; missedRuns: MissedRuns },
  now: number,
): Owed {
  const times = fireTimesOf(schedule);
  const count = missedRuns === 'all' ? MOST_MADE_UP : 1;
  // One more: the latest may be waiting for its jitter to pass.
  const past = times.latest({ after: handledUpTo, until: now, count: count + 1 });
  const begun = past.filter((time) => startOf(schedule, times, time) <= now);
  const last = begun.at(-1);
  const fire = begun.slice(-count).filter((time) => missedRuns !== 'skip' || !isMissed(time));
  const [next] = times.after(last ?? handledUpTo, 1);
  return {
    fire,
    handledUpTo: last ?? handledUpTo,
    skipped: begun.length - fire.length,
    nextAt: next === undefined ? null : startOf(schedule, times, next),
  };

  function isMissed(time: number): boolean {
    return now - startOf(schedule, times, time) > MISSED_AFTER_MS;
  }
}

/** When the run of a fire time starts, epoch ms. */
export function startOf({ deploymentId }: Schedule, times: FireTimes, time: number): number {
  const [next = Number.POSITIVE_INFINITY] = times.after(time, 1);
  const share = (next - time) * JITTER_SHARE;
  const longest = Math.min(MOST_JITTER_MS, Math.max(LEAST_JITTER_MS, share));
  return time + Math.floor(fractionOf(`${deploymentId}@${time}`) * longest);
}

/** FNV-1a, its bits mixed once more: near texts give numbers far apart, from 0 up to 1. */
function fractionOf(text: string): number {
  let hash = 0x811c9dc5;
  for (let i = 0; i < text.length; i++) hash = Math.imul(hash ^ text.charCodeAt(i), 0x01000193);
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
  return ((hash ^ (hash >>> 16)) >>> 0) / 2 ** 32;
}
