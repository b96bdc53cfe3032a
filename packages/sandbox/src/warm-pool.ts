// The sandboxes that an environment keeps ready for sessions to come: decisions over what is recorded of them. Pure.
//  P1 What is made is recorded before it is asked for, under a name of its own: whoever dies leaves it to be found by that.
//  P2 A sandbox is one session's from the moment that it is claimed, and never another's.
//  P3 What is to end is nobody's, and is recorded until it has ended.
//  P4 Who asked for one and died may still be given it: its name is recorded until that cannot happen any more.
// Instants are epoch ms.

/** With less time left than this, one is replaced. */
export const FRESH_MS = 12 * 60 * 60_000;
/** With less than this, nobody is given it. */
export const CLAIM_MS = 2 * 60 * 60_000;
/** One that waits is looked at this often: the backend ends what nobody has asked anything for 30 minutes. */
export const LOOK_MS = 20 * 60_000;
/** What was asked for may still come to be for this long, also when whoever asked is dead: no call takes longer. */
export const LATE_MS = 11 * 60_000;
/** An image that is being built is asked about this often. */
export const PENDING_MS = 10_000;
/** What fails is tried again after the first, then after twice as long, up to the last. */
export const AGAIN_MS = 5_000;
export const LONGEST_MS = 10 * 60_000;
/** So many are made at once. */
export const MOST_AT_ONCE = 4;

const DAY_MS = 24 * 60 * 60_000;

/** What a sandbox is made of. Null: what is usual. */
export interface SandboxKind {
  imageId: string | null;
  cpu: number | null;
  memoryMiB: number | null;
  gpu: string | null;
}

export interface WarmEntry {
  /** Of the sandbox, and never another's. */
  name: string;
  state: 'making' | 'ready' | 'claimed' | 'ending';
  /** Null: whether it was made is not known. */
  sandboxId: string | null;
  kind: SandboxKind;
  /** When it was last asked for; null: nobody has yet. */
  askedAt: number | null;
  /** Until then another of its name may come to be: it was asked for before, by somebody who heard no answer. */
  lateUntil: number;
  expiresAt: number;
  /** When something is next to be done about it. */
  dueAt: number;
  /** Whose it is; null: nobody's. */
  sessionId: string | null;
  /** One of its name that a session has, and that does not end with others. */
  kept?: string;
}

export interface PoolRecord {
  entries: readonly WarmEntry[];
  failures: number;
  /** Nothing is tried before then; null: nothing has failed. */
  retryAt: number | null;
  lastError: string | null;
}

export const EMPTY_POOL: PoolRecord = { entries: [], failures: 0, retryAt: null, lastError: null };

export interface PoolWish {
  wanted: number;
  /** What they are to be made of; null: that cannot be known now, and none is made or judged by it. */
  kind: SandboxKind | null;
}

export interface Minting {
  now: number;
  newName(): string;
}

/** What there is to be, written down: nothing has been done about it yet. The same record when all is as it is wanted. */
export function intended(record: PoolRecord, wish: PoolWish, { now, newName }: Minting): PoolRecord {
  const kept = record.entries.filter(({ state, expiresAt }) => state !== 'claimed' || expiresAt > now);
  const surplus = new Set(surplusOf(kept.filter(isHeld), wish, now).map(({ name }) => name));
  const entries = kept.map((entry) => (surplus.has(entry.name) ? toEnding(entry, now) : entry));
  const { kind } = wish;
  const missing = kind === null ? 0 : missingOf(entries, wish.wanted, now);
  if (missing === 0 && surplus.size === 0 && kept.length === record.entries.length) return record;
  const made = kind === null ? [] : Array.from({ length: missing }, () => toMake(newName(), kind, now));
  return { ...record, entries: [...entries, ...made] };
}

/** Those that wait for a session, or are about to. */
function isHeld({ state }: WarmEntry): boolean {
  return state === 'making' || state === 'ready';
}

function surplusOf(held: readonly WarmEntry[], { wanted, kind }: PoolWish, now: number): WarmEntry[] {
  if (wanted === 0) return [...held];
  const wrong = held.filter(
    (entry) => (kind !== null && !isSame(entry.kind, kind)) || entry.expiresAt - now < CLAIM_MS,
  );
  const right = held.filter((entry) => !wrong.includes(entry)).toSorted(mostWorthFirst);
  const fresh = right.filter((entry) => isFresh(entry, now));
  const aged = right.filter((entry) => !isFresh(entry, now));
  // What is near its end is kept until another is ready in its place.
  const ready = fresh.filter(({ state }) => state === 'ready').length;
  return [...wrong, ...fresh.slice(wanted), ...aged.slice(Math.max(0, wanted - ready))];
}

function missingOf(entries: readonly WarmEntry[], wanted: number, now: number): number {
  const fresh = entries.filter((entry) => isHeld(entry) && isFresh(entry, now)).length;
  const making = entries.filter(({ state }) => state === 'making').length;
  return Math.max(0, Math.min(wanted - fresh, MOST_AT_ONCE - making));
}

function isSame(one: SandboxKind, other: SandboxKind): boolean {
  const { imageId, cpu, memoryMiB, gpu } = one;
  return imageId === other.imageId && cpu === other.cpu && memoryMiB === other.memoryMiB && gpu === other.gpu;
}

function isFresh({ state, expiresAt }: WarmEntry, now: number): boolean {
  return state === 'making' || expiresAt - now >= FRESH_MS;
}

/** Those that are there before those that may come, and the longest time left first. */
function mostWorthFirst(a: WarmEntry, b: WarmEntry): number {
  if (a.state !== b.state) return a.state === 'ready' ? -1 : 1;
  return b.expiresAt - a.expiresAt;
}

function toMake(name: string, kind: SandboxKind, now: number): WarmEntry {
  const times = { askedAt: null, lateUntil: 0, expiresAt: now + DAY_MS, dueAt: now };
  return { name, state: 'making', sandboxId: null, kind, ...times, sessionId: null };
}

function toEnding(entry: WarmEntry, now: number): WarmEntry {
  return { ...entry, state: 'ending', dueAt: now };
}

export interface Duty {
  do: 'make' | 'look' | 'end';
  entry: WarmEntry;
}

/** What is to be done now. */
export function duties(record: PoolRecord, now: number): Duty[] {
  if (isWaiting(record, now)) return [];
  return record.entries.flatMap((entry) => {
    const what = DUTIES[entry.state];
    return what === null || entry.dueAt > now ? [] : [{ do: what, entry }];
  });
}

/** Something has failed, and is not tried again yet. */
export function isWaiting({ retryAt }: PoolRecord, now: number): boolean {
  return retryAt !== null && retryAt > now;
}

const DUTIES = { making: 'make', ready: 'look', ending: 'end', claimed: null } as const;

/** When to look again; null: there is nothing, and nothing is wanted. */
export function nextAt(
  { entries, retryAt }: PoolRecord,
  { wanted, kind }: PoolWish,
  now: number,
): number | null {
  const times = entries.map(({ dueAt }) => dueAt);
  if (wanted > 0 && kind === null) times.push(now + PENDING_MS);
  if (times.length === 0) return wanted === 0 ? null : (retryAt ?? now);
  return Math.max(Math.min(...times), retryAt ?? now);
}

/** Somebody asks for it at that moment, perhaps not for the first time. */
export function asked(record: PoolRecord, name: string, now: number): PoolRecord {
  return changed(record, name, (entry) => ({ ...entry, askedAt: now, lateUntil: lateBy(entry.askedAt) }));
}

function lateBy(askedAt: number | null): number {
  return askedAt === null ? 0 : askedAt + LATE_MS;
}

export function made(
  record: PoolRecord,
  name: string,
  { sandboxId, expiresAt, now }: { sandboxId: string; expiresAt: number; now: number },
): PoolRecord {
  return changed(record, name, (entry) =>
    entry.state === 'making'
      ? { ...entry, state: 'ready', sandboxId, expiresAt, dueAt: now + LOOK_MS }
      : { ...entry, sandboxId },
  );
}

/** It lives. */
export function seen(record: PoolRecord, name: string, now: number): PoolRecord {
  return changed(record, name, (entry) =>
    entry.state === 'ready' ? { ...entry, dueAt: now + LOOK_MS } : entry,
  );
}

/** It has ended by itself. */
export function lost(record: PoolRecord, name: string): PoolRecord {
  return changed(record, name, (entry) => (entry.state === 'ready' ? gone(entry) : entry));
}

/** It was ended, or there was none of its name, by whoever looked then. */
export function ended(record: PoolRecord, name: string, lookedAt: number): PoolRecord {
  return changed(record, name, (entry) => {
    if (entry.state !== 'ending') return entry;
    if (entry.sandboxId !== null) return gone(entry);
    const last = Math.max(entry.lateUntil, lateBy(entry.askedAt));
    return lookedAt < last ? { ...entry, dueAt: last } : null;
  });
}

/** What may still come to be under its name is looked for when nothing can any longer. */
function gone(entry: WarmEntry): WarmEntry | null {
  const { lateUntil } = entry;
  return lateUntil === 0 ? null : { ...entry, state: 'ending', sandboxId: null, dueAt: lateUntil };
}

/** One for the session: that which it has been given already, or another. Null: there is none of that kind. */
export function claimed(
  record: PoolRecord,
  { sessionId, kind }: { sessionId: string; kind: SandboxKind },
  now: number,
): { record: PoolRecord; entry: WarmEntry | null } {
  const given = record.entries.find((entry) => entry.state === 'claimed' && entry.sessionId === sessionId);
  if (given !== undefined) return { record, entry: given };
  const [oldest] = record.entries
    .filter((one) => one.state === 'ready' && isSame(one.kind, kind) && one.expiresAt - now >= CLAIM_MS)
    .toSorted((a, b) => a.expiresAt - b.expiresAt);
  if (oldest === undefined) return { record, entry: null };
  const entry: WarmEntry = { ...oldest, state: 'claimed', sessionId, dueAt: oldest.expiresAt };
  return { record: changed(record, entry.name, () => entry), entry };
}

/** Of what it was given the session keeps that one, which is its own to end; null: none. */
export function settled(
  record: PoolRecord,
  { sessionId, kept }: { sessionId: string; kept: string | null },
  now: number,
): PoolRecord {
  const own = record.entries.filter((entry) => entry.state === 'claimed' && entry.sessionId === sessionId);
  return own.reduce(
    (all, { name }) =>
      changed(all, name, (entry) =>
        kept !== null && entry.sandboxId === kept
          ? gone({ ...entry, sessionId: null, kept })
          : toEnding(entry, now),
      ),
    record,
  );
}

export function failed(record: PoolRecord, message: string, now: number): PoolRecord {
  const wait = Math.min(LONGEST_MS, AGAIN_MS * 2 ** Math.min(record.failures, 20));
  return { ...record, failures: record.failures + 1, retryAt: now + wait, lastError: message };
}

export function succeeded(record: PoolRecord): PoolRecord {
  const { failures, retryAt, lastError } = record;
  if (failures === 0 && retryAt === null && lastError === null) return record;
  return { ...record, failures: 0, retryAt: null, lastError: null };
}

/** Something has changed: what failed may work now. */
export function rung(record: PoolRecord): PoolRecord {
  return record.retryAt === null ? record : { ...record, failures: 0, retryAt: null };
}

/** Null: it is forgotten. */
function changed(record: PoolRecord, name: string, next: (entry: WarmEntry) => WarmEntry | null): PoolRecord {
  const entries = record.entries.flatMap((entry) => {
    if (entry.name !== name) return [entry];
    const after = next(entry);
    return after === null ? [] : [after];
  });
  return { ...record, entries };
}
