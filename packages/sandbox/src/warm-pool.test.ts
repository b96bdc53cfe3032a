import { describe, expect, it } from 'vitest';
import {
  AGAIN_MS,
  asked,
  CLAIM_MS,
  claimed,
  duties,
  EMPTY_POOL,
  ended,
  FRESH_MS,
  failed,
  intended,
  LATE_MS,
  LONGEST_MS,
  LOOK_MS,
  lost,
  MOST_AT_ONCE,
  made,
  nextAt,
  PENDING_MS,
  type PoolRecord,
  type PoolWish,
  rung,
  type SandboxKind,
  seen,
  settled,
  succeeded,
  type WarmEntry,
} from './warm-pool.ts';

const NOW = 1_000_000_000;
const DAY_MS = 24 * 60 * 60_000;

const of = (imageId: string | null, cpu: number | null = null): SandboxKind => ({
  imageId,
  cpu,
  memoryMiB: null,
  gpu: null,
});
const entry = (name: string, more: Partial<WarmEntry> = {}): WarmEntry => ({
  name,
  state: 'ready',
  sandboxId: `sb-${name}`,
  kind: of(null),
  askedAt: NOW,
  lateUntil: 0,
  expiresAt: NOW + DAY_MS,
  dueAt: NOW + LOOK_MS,
  sessionId: null,
  ...more,
});
const making = (name: string, more: Partial<WarmEntry> = {}) =>
  entry(name, { state: 'making', sandboxId: null, dueAt: NOW, ...more });
const mine = (name: string, sessionId: string) =>
  entry(name, { state: 'claimed', sessionId, dueAt: NOW + DAY_MS });
const pool = (...entries: WarmEntry[]): PoolRecord => ({ ...EMPTY_POOL, entries });
const want = (wanted: number, imageId: string | null = null): PoolWish => ({ wanted, kind: of(imageId) });

function intend(record: PoolRecord, wish: PoolWish): PoolRecord {
  let count = 0;
  return intended(record, wish, { now: NOW, newName: () => `new${++count}` });
}

const shape = ({ entries }: PoolRecord) => entries.map(({ name, state }) => `${name} ${state}`);
const aged = entry('aged', { expiresAt: NOW + FRESH_MS - 1 });

describe('what a pool is to be', () => {
  it.each<[string, PoolRecord, PoolWish, string[]]>([
    ['makes what is missing', pool(entry('a')), want(3), ['a ready', 'new1 making', 'new2 making']],
    ['counts what is being made', pool(making('a'), entry('b')), want(2), ['a making', 'b ready']],
    ['does not count what is somebody’s', pool(mine('a', 's')), want(1), ['a claimed', 'new1 making']],
    [
      'does not count what is ending',
      pool(entry('a', { state: 'ending' })),
      want(1),
      ['a ending', 'new1 making'],
    ],
    [
      'ends all when none is wanted',
      pool(making('a'), entry('b'), mine('c', 's')),
      want(0),
      ['a ending', 'b ending', 'c claimed'],
    ],
    [
      'ends all whatever their image when none is wanted',
      pool(entry('a')),
      { wanted: 0, kind: null },
      ['a ending'],
    ],
    [
      'ends what may come before what is there',
      pool(making('a'), entry('b')),
      want(1),
      ['a ending', 'b ready'],
    ],
    [
      'ends that with the least time left',
      pool(entry('a', { expiresAt: NOW + FRESH_MS }), entry('b')),
      want(1),
      ['a ending', 'b ready'],
    ],
    [
      'replaces those of another image',
      pool(entry('a'), making('b')),
      want(1, 'im-2'),
      ['a ending', 'b ending', 'new1 making'],
    ],
    ['judges nothing by an image it does not know', pool(entry('a')), { wanted: 2, kind: null }, ['a ready']],
    [
      'makes another for one with little time left, and keeps that until then',
      pool(aged),
      want(1),
      ['aged ready', 'new1 making'],
    ],
    [
      'ends one with little time left when another is there',
      pool(aged, entry('b')),
      want(1),
      ['aged ending', 'b ready'],
    ],
    [
      'ends one that nobody can be given any more',
      pool(entry('a', { expiresAt: NOW + CLAIM_MS - 1 })),
      want(1),
      ['a ending', 'new1 making'],
    ],
    [
      'forgets what was somebody’s when its time is over',
      pool({ ...mine('a', 's'), expiresAt: NOW }),
      want(0),
      [],
    ],
  ])('%s', (_, ...[record, wish, expected]) => {
    expect(shape(intend(record, wish))).toEqual(expected);
  });

  it('is made a few at a time', () => {
    const record = intend(EMPTY_POOL, want(20, 'im-1'));
    expect(record.entries).toHaveLength(MOST_AT_ONCE);
    expect(record.entries[0]).toEqual({
      name: 'new1',
      state: 'making',
      sandboxId: null,
      kind: of('im-1'),
      askedAt: null,
      lateUntil: 0,
      expiresAt: NOW + DAY_MS,
      dueAt: NOW,
      sessionId: null,
    });
    expect(intend(record, want(20, 'im-1'))).toBe(record);
  });
});

describe('what is done', () => {
  it('is what is due, and of what is somebody’s nothing', () => {
    const record = pool(
      making('a'),
      entry('b', { dueAt: NOW }),
      entry('c'),
      entry('d', { state: 'ending', dueAt: NOW }),
      { ...mine('e', 's'), dueAt: NOW },
    );
    expect(duties(record, NOW).map((duty) => `${duty.do} ${duty.entry.name}`)).toEqual([
      'make a',
      'look b',
      'end d',
    ]);
  });

  it('waits after a failure, twice as long after each, and is tried at once when somebody rings', () => {
    const first = failed(pool(making('a')), 'away', NOW);
    expect([duties(first, NOW), duties(first, NOW + AGAIN_MS).length]).toEqual([[], 1]);
    expect(nextAt(first, want(1), NOW)).toBe(NOW + AGAIN_MS);
    const second = failed(first, 'away', NOW);
    expect(second).toMatchObject({ failures: 2, retryAt: NOW + 2 * AGAIN_MS, lastError: 'away' });
    const tenth = Array.from({ length: 10 }).reduce<PoolRecord>(
      (record) => failed(record, 'away', NOW),
      second,
    );
    expect(tenth.retryAt).toBe(NOW + LONGEST_MS);
    expect(duties(rung(tenth), NOW)).toHaveLength(1);
    expect(rung(tenth).lastError).toBe('away');
    expect(succeeded(tenth)).toMatchObject({ failures: 0, retryAt: null, lastError: null });
  });

  it.each<[string, PoolRecord, PoolWish, number | null]>([
    ['at once, when something is due', pool(making('a'), entry('b')), want(2), NOW],
    ['when one is to be looked at', pool(entry('a')), want(1), NOW + LOOK_MS],
    ['soon, while the image is being built', EMPTY_POOL, { wanted: 1, kind: null }, NOW + PENDING_MS],
    ['when what is somebody’s is over', pool(mine('a', 's')), want(0), NOW + DAY_MS],
    ['never, when there is nothing', EMPTY_POOL, want(0), null],
  ])('is done next %s', (_, ...[record, wish, expected]) => {
    expect(nextAt(record, wish, NOW)).toBe(expected);
  });

  it('is recorded for what it was done to, and for nothing else', () => {
    const ref = { sandboxId: 'sb-1', expiresAt: NOW + 5, now: NOW };
    const done = made(pool(making('a'), making('b')), 'a', ref);
    expect(done.entries[0]).toMatchObject({
      state: 'ready',
      sandboxId: 'sb-1',
      expiresAt: NOW + 5,
      dueAt: NOW + LOOK_MS,
    });
    expect(done.entries[1]).toEqual(making('b'));
    expect(made(pool(entry('a', { state: 'ending', sandboxId: null })), 'a', ref).entries[0]).toMatchObject({
      state: 'ending',
      sandboxId: 'sb-1',
    });
    const looked = entry('a', { dueAt: NOW });
    expect(seen(pool(looked), 'a', NOW).entries[0]?.dueAt).toBe(NOW + LOOK_MS);
    expect(shape(lost(pool(looked, entry('b')), 'a'))).toEqual(['b ready']);
    // It was claimed while it was looked at.
    expect(shape(lost(pool(mine('a', 's')), 'a'))).toEqual(['a claimed']);
  });

  it('is done once more to what may still have been made when it was ended', () => {
    const unknown = entry('a', { state: 'ending', sandboxId: null, dueAt: NOW });
    const once = ended(pool(unknown), 'a', NOW);
    expect(once.entries[0]).toMatchObject({ state: 'ending', dueAt: NOW + LATE_MS });
    expect(ended(once, 'a', NOW + LATE_MS).entries).toEqual([]);
    expect(ended(pool(entry('b', { state: 'ending' })), 'b', NOW).entries).toEqual([]);
  });

  it('is done once more by name to what was asked for twice, and only when no answer can be late', () => {
    const twice = asked(asked(pool(making('a', { askedAt: null })), 'a', NOW), 'a', NOW + 1);
    expect(twice.entries[0]).toMatchObject({ askedAt: NOW + 1, lateUntil: NOW + LATE_MS });
    const ready = made(twice, 'a', { sandboxId: 'sb-1', expiresAt: NOW + DAY_MS, now: NOW });
    const late = { state: 'ending', sandboxId: null, dueAt: NOW + LATE_MS };
    expect(lost(ready, 'a').entries).toMatchObject([late]);
    const ending = intend(ready, want(0));
    const byId = ended(ending, 'a', NOW + LATE_MS);
    expect(byId.entries).toMatchObject([late]);
    expect(ended(byId, 'a', NOW + LATE_MS - 1).entries).toHaveLength(1);
    expect(ended(byId, 'a', NOW + LATE_MS + 1).entries).toEqual([]);
    const given = claimed(ready, { sessionId: 's', kind: of(null) }, NOW).record;
    const kept = settled(given, { sessionId: 's', kept: 'sb-1' }, NOW);
    expect(kept.entries).toMatchObject([{ ...late, sessionId: null, kept: 'sb-1' }]);
  });
});

describe('a session that claims', () => {
  const claim = (record: PoolRecord, sessionId = 's', imageId: string | null = null) =>
    claimed(record, { sessionId, kind: of(imageId) }, NOW);

  it('is given the one with the least time left, and the same again', () => {
    const first = claim(pool(entry('a'), aged));
    expect(first.entry).toMatchObject({
      name: 'aged',
      state: 'claimed',
      sessionId: 's',
      dueAt: aged.expiresAt,
    });
    expect(claim(first.record).entry).toEqual(first.entry);
    expect(claim(first.record, 'other').entry?.name).toBe('a');
  });

  it.each<[string, WarmEntry, string | null]>([
    ['of another image', entry('a', { kind: of('im-1') }), 'im-2'],
    ['of an image, where the usual one is wanted', entry('a', { kind: of('im-1') }), null],
    ['of another size', entry('a', { kind: of(null, 2) }), null],
    ['that is being made', making('a'), null],
    ['that is ending', entry('a', { state: 'ending' }), null],
    ['that is another’s', mine('a', 'other'), null],
    ['that ends soon', entry('a', { expiresAt: NOW + CLAIM_MS - 1 }), null],
  ])('is given none %s', (_, one, imageId) => {
    expect(claim(pool(one), 's', imageId)).toEqual({ record: pool(one), entry: null });
  });

  it('keeps what it says it keeps, and the rest of its own ends', () => {
    const record = pool(mine('a', 's'), mine('b', 'other'), entry('c'));
    const settle = (kept: string | null) => shape(settled(record, { sessionId: 's', kept }, NOW));
    expect(settle('sb-a')).toEqual(['b claimed', 'c ready']);
    expect(settle('sb-made-by-itself')).toEqual(['a ending', 'b claimed', 'c ready']);
    expect(settle(null)).toEqual(['a ending', 'b claimed', 'c ready']);
  });
});
