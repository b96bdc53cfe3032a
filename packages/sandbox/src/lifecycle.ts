// What becomes of a session's one sandbox: decisions over what is recorded of it and what is seen of it. Pure.
//  L1 What is not there again is never called restored: loss is judged by what was recorded before a sandbox was used.
//  L2 An image is let go only after what replaces it is recorded; until then, and until it is deleted, the record has it.
//  L3 A sandbox in which something runs is not replaced before it comes near its end.
//  L4 One that lives and cannot be used any more is never photographed, and is ended once no call is under way in it: of those
//     the outcome may still be had.
// Instants are epoch ms.
import type { SandboxNews } from '@capstan/schema/sandbox-news';
import type { Boot } from './boot.ts';

/** As long as no one has asked for a sandbox for this long, nobody knows whether it lives. */
export const TRUSTED_MS = 60_000;
/** A sandbox is photographed when its session has rested for this long, unless its host says otherwise. */
export const REST_MS = 20_000;
/** Nearer to its end than this, a sandbox in which nothing runs is replaced before it is used. */
export const RENEW_MS = 60 * 60_000;
/** Nearer than this, whatever runs in it: longer than any call may take. */
export const LAST_MS = 15 * 60_000;
/** What runs in the background is looked for this often: a sandbox that is asked something is not ended as an idle one. */
export const LOOK_MS = 5 * 60_000;
/** An image that was lent is kept for this long: whoever it was lent to is being made. */
export const LEND_MS = 60_000;

export interface KeptImage {
  imageId: string;
  /** When another session was last given it to begin with; null: no other session has it. */
  lentAt: number | null;
}

export interface KeptSnapshot extends KeptImage {
  snapshotId: string;
  sandboxId: string;
  takenAt: number;
  /** The last event of a tool call whose work it may have; null: there was none. */
  upTo: string | null;
  /** Something was running as it was taken: that is not in it. */
  running: boolean;
  /** It says in a file of its own which snapshot it is. */
  marked: boolean;
}

/** A snapshot that was asked for: whether it was taken is not known. */
export interface Taking {
  snapshotId: string;
  sandboxId: string;
  beganAt: number;
  upTo: string | null;
  running: boolean;
}

export interface LiveSandbox {
  sandboxId: string;
  /** It ends then, or before. */
  expiresAt: number;
  /** A call was made in it. */
  used: boolean;
  /** Somebody asked for it before there was a call. */
  wanted: boolean;
  /** A call may have changed it since its snapshot was begun, or since it was made. */
  changed: boolean;
  /** It was seen to have ended. */
  ended: boolean;
  /** It could not be used any more, though it lived. Absent in records of earlier releases. */
  wrecked?: boolean;
  /** It replaced another one after that event: calls up to there may have been made in that one. Null: in this or none. */
  madeAfter: string | null;
}

/** What a session remembers of its sandbox, as JSON in its own storage. */
export interface SandboxRecord {
  live: LiveSandbox | null;
  /** Another one was asked for: whether it was made is not known. */
  making: boolean;
  /** One was made early, and nobody needed it: the next is made when somebody does. */
  spared: boolean;
  /** What the next sandbox begins with. */
  snapshot: KeptSnapshot | null;
  taking: Taking | null;
  /** Images this session needs no more, and is to let go. */
  discarded: readonly KeptImage[];
  /** How its sandbox came to be, until somebody uses it. Absent in records of earlier releases. */
  boot?: Boot | null;
  /** Oldest first. */
  news: readonly SandboxNews[];
}

export const NOTHING_RECORDED: SandboxRecord = {
  live: null,
  making: false,
  spared: false,
  snapshot: null,
  taking: null,
  discarded: [],
  news: [],
};

/** Whether something runs in the background, and when that was seen. */
export interface Look {
  at: number;
  running: boolean;
}

export interface Sight {
  now: number;
  /** When it last answered this process; null: never, or it is in doubt. */
  seenAt: number | null;
  /** Calls under way in it. */
  calls: number;
  look: Look | null;
  /** Replacing it has just failed: it is used as it is. */
  keep: boolean;
}

export type Opening =
  | { do: 'use' | 'check' | 'look' | 'renew' | 'end'; sandboxId: string }
  /** Other calls are to have their outcome first. */
  | { do: 'wait' }
  /** What became of a snapshot that was asked for has to be known first. */
  | { do: 'finish' }
  | { do: 'restore'; snapshot: KeptSnapshot }
  | { do: 'spawn' };

/** What to do next for somebody who needs the sandbox. */
export function opening({ live, snapshot, taking }: SandboxRecord, sight: Sight): Opening {
  if (live === null || live.ended) {
    if (taking !== null) return { do: 'finish' };
    return snapshot === null ? { do: 'spawn' } : { do: 'restore', snapshot };
  }
  const { sandboxId } = live;
  if (live.wrecked) {
    // What was photographed before it was wrecked is only to be had while it lives.
    if (taking !== null) return { do: 'finish' };
    return sight.calls > 0 ? { do: 'wait' } : { do: 'end', sandboxId };
  }
  if (!isRecent(sight.seenAt, sight.now, TRUSTED_MS)) return { do: 'check', sandboxId };
  const left = live.expiresAt - sight.now;
  if (left > RENEW_MS || sight.calls > 0 || sight.keep) return { do: 'use', sandboxId };
  if (left > LAST_MS) {
    if (!isRecent(sight.look?.at ?? null, sight.now, LOOK_MS)) return { do: 'look', sandboxId };
    if (sight.look?.running) return { do: 'use', sandboxId };
  }
  return { do: 'renew', sandboxId };
}

export interface Caring {
  now: number;
  /** Since when the session rests; null: it works. */
  restsSince: number | null;
  /** How long it is to have rested. */
  restMs: number;
  look: Look | null;
}

export type Care =
  /** Nothing is due before then; null: ever. */
  | { do: 'wait'; until: number | null }
  | { do: 'finish' | 'look' | 'snapshot' }
  /** Nobody needed it: it is ended. */
  | { do: 'spare'; sandboxId: string }
  /** It cannot be used any more. */
  | { do: 'end'; sandboxId: string }
  | { do: 'discard'; image: KeptImage };

/** What to do next for a sandbox that nobody needs just now. */
export function care(record: SandboxRecord, caring: Caring): Care {
  if (record.taking !== null) return { do: 'finish' };
  const image = record.discarded.find((one) => freeAt(one) <= caring.now);
  if (image !== undefined) return { do: 'discard', image };
  const next = photograph(record, caring);
  if (next.do !== 'wait') return next;
  return { do: 'wait', until: earliest([next.until, ...record.discarded.map(freeAt)]) };
}

function photograph({ live, snapshot }: SandboxRecord, { now, restsSince, restMs, look }: Caring): Care {
  if (live === null || live.ended) return { do: 'wait', until: null };
  if (live.wrecked)
    return restsSince === null ? { do: 'wait', until: null } : { do: 'end', sandboxId: live.sandboxId };
  if (!live.changed) return spare(live, { restsSince, restMs, now });
  const last = live.expiresAt - LAST_MS;
  const taken = snapshot !== null && snapshot.sandboxId === live.sandboxId && snapshot.takenAt >= last;
  const atLast = taken ? null : last;
  const seen = isRecent(look?.at ?? null, now, LOOK_MS);
  if (atLast !== null && now >= atLast) return { do: seen ? 'snapshot' : 'look' };
  if (restsSince === null) return { do: 'wait', until: atLast };
  const due = restsSince + restMs;
  if (now < due) return { do: 'wait', until: earliest([due, atLast]) };
  if (look === null || !seen) return { do: 'look' };
  if (look.running) return { do: 'wait', until: earliest([look.at + LOOK_MS, atLast]) };
  return { do: 'snapshot' };
}

/** One that was made early, for a call that never came, is not kept for it. */
function spare(
  { sandboxId, used, wanted }: LiveSandbox,
  { restsSince, restMs, now }: Omit<Caring, 'look'>,
): Care {
  if (used || wanted || restsSince === null) return { do: 'wait', until: null };
  const due = restsSince + restMs;
  return now < due ? { do: 'wait', until: due } : { do: 'spare', sandboxId };
}

function freeAt({ lentAt }: KeptImage): number {
  return lentAt === null ? Number.NEGATIVE_INFINITY : lentAt + LEND_MS;
}

/** Not of what lies ahead: the clock has been set back since. */
function isRecent(at: number | null, now: number, withinMs: number): boolean {
  return at !== null && now >= at && now - at < withinMs;
}

function earliest(times: readonly (number | null)[]): number | null {
  const known = times.filter((time) => time !== null);
  return known.length === 0 ? null : Math.min(...known);
}

/** The images that a session which is over has to let go. */
export function leftImages({ snapshot, discarded }: SandboxRecord): KeptImage[] {
  return snapshot === null ? [...discarded] : [...discarded, snapshot];
}

/** Whether there is anything to give back. */
export function holdsAnything(record: SandboxRecord): boolean {
  const { live, making, taking } = record;
  return live !== null || making || taking !== null || leftImages(record).length > 0;
}
