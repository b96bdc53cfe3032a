// What every log of a session keeps, whatever it is stored in, run against the real thing.
import { type EventType, MAX_EVENT_BYTES } from '@capstan/schema/events';
import { createLogger, silentLogger } from '@capstan/shared/logger';
import fc from 'fast-check';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { type Entry, type LoggedEntry, made, type Note } from './entry.ts';
import { readable, readEntries } from './log-reader.ts';
import { ROW_BYTES } from './log-row.ts';
import type { Blobs, EventLog, Receipt, View } from './ports.ts';
import type { EventQuery } from './service.ts';
import { type Fold, restore, toSnapshot } from './snapshot.ts';
import { spill } from './spill.ts';

/** What one session stores, empty at first. */
export interface Storage {
  log: EventLog;
  blobs: Blobs;
  /** Another process opens it; the one before is gone. */
  reopen(): Promise<EventLog>;
}

export interface Host {
  create(): Promise<Storage>;
  close(): Promise<void>;
}

const START = Date.UTC(2026, 0, 1);
const CHILD = 'sthr_child';
const OTHER = 'sthr_other';
const SESSION = 'session';

let ids = 0;
const newId = () => `sevt_${String(++ids).padStart(6, '0')}`;
const stamp = (now = START) => ({ now, newId });
const noted = (entry: Entry, note: Note): Entry => ({ ...entry, note: { ...entry.note, ...note } });
const said = (text: string, now = START) =>
  made(stamp(now), 'agent.message', { content: [{ type: 'text', text }] });
const asked = (text: string): Entry => ({
  event: { id: newId(), type: 'user.message', processed_at: null, content: [{ type: 'text', text }] },
});
const taken = ({ event, note }: Entry, now = START): Entry => {
  if (event.type !== 'user.message') throw new Error('only messages wait');
  return { event: { ...event, processed_at: new Date(now).toISOString() }, note };
};
const receipt = (name: string, change: Partial<Receipt> = {}): Receipt => ({
  name,
  fingerprint: 'same',
  echoes: [0],
  now: START,
  expiresAt: START + 1_000,
  ...change,
});
const idsOf = (entries: readonly Entry[]) => entries.map(({ event }) => event.id);
const seqsOf = (lines: readonly { seq: number }[]) => lines.map(({ seq }) => seq);

export function describeEventLog(subject: string, open: () => Promise<Host>): void {
  describe(`an event log in ${subject}`, () => {
    let host: Host;
    let storage: Storage;
    let log: EventLog;
    let blobs: Blobs;

    beforeAll(async () => {
      host = await open();
    }, 60_000);
    afterAll(() => host.close());
    beforeEach(async () => {
      storage = await host.create();
      ({ log, blobs } = storage);
    });

    const reader = () => readable(log, { blobs, logger: silentLogger });
    const stored = async () => {
      const entries: LoggedEntry[] = [];
      for await (const entry of readEntries(log, 0)) entries.push(entry);
      return entries;
    };
    const keep = async (expected: number, entries: Entry[]) => {
      const kept = await spill(entries, blobs);
      await log.append(expected, kept);
      return kept;
    };
    const listed = async (query: Partial<EventQuery> = {}) => {
      const events = [];
      let page: string | undefined;
      do {
        const answer = await reader().page({ limit: 1_000, order: 'asc', ...query, page });
        events.push(...answer.data);
        expect(answer.next_page ?? '').not.toBe(page);
        page = answer.next_page ?? undefined;
      } while (page !== undefined);
      return events;
    };

    describe('that is appended to', () => {
      it('has the entries as they were, numbered from 1, also for the next process', async () => {
        const entries = [said('one'), noted(said('two'), { opaque: 'kept "unread"' }), asked('three')];
        await log.append(0, entries.slice(0, 1));
        await log.append(1, entries.slice(1));
        log = await storage.reopen();
        expect(await stored()).toEqual(entries.map((entry, index) => ({ seq: index + 1, ...entry })));
        expect((await log.lines(1, 1)).map(({ seq, type }) => ({ seq, type }))).toEqual([
          { seq: 2, type: 'agent.message' },
        ]);
        expect(await log.lines(3, 10)).toEqual([]);
      });

      it('refuses a writer that does not know its last row, with all it brought', async () => {
        await log.append(0, [said('one')], { snapshot: 'first' });
        await log.draft({ thread: null, eventId: 'sevt_draft', text: 'half' });
        const extra = { receipt: receipt('late'), snapshot: 'late', dropDrafts: [null] };
        for (const expected of [0, 2]) {
          await expect(log.append(expected, [said('late')], extra)).rejects.toMatchObject({
            name: 'LogMoved',
          });
        }
        expect(await stored()).toHaveLength(1);
        expect(await log.answered('late', START)).toBeNull();
        expect(await log.snapshot()).toEqual({ seq: 1, state: 'first' });
        expect(await log.drafts()).toHaveLength(1);
      });

      it('lets one of two writers at the same place through', async () => {
        const outcomes = await Promise.allSettled([log.append(0, [said('a')]), log.append(0, [said('b')])]);
        expect(outcomes.map(({ status }) => status).sort()).toEqual(['fulfilled', 'rejected']);
        expect(await stored()).toHaveLength(1);
      });

      it('writes nothing of a batch with an event too long for a row', async () => {
        const batch = [said('short'), said('x'.repeat(ROW_BYTES))];
        const extra = { receipt: receipt('long'), snapshot: 'long' };
        await expect(log.append(0, batch, extra)).rejects.toMatchObject({ code: 'too_large' });
        expect(await stored()).toEqual([]);
        expect(await log.answered('long', START)).toBeNull();
        expect(await log.snapshot()).toBeNull();
      });
    });

    describe('with receipts', () => {
      it('answers a name as it was answered, while it is remembered', async () => {
        const [first, second] = [asked('first'), asked('second')];
        await log.append(0, [said('before'), second, first], {
          receipt: receipt('send', { echoes: [2, 1] }),
        });
        await log.append(3, [taken(first), taken(second)]);
        expect(await reader().answered('send', START + 999)).toEqual({
          fingerprint: 'same',
          events: [first.event, second.event],
        });
        expect(await reader().answered('send', START + 1_000)).toBeNull();
        expect(await reader().answered('another', START)).toBeNull();
      });

      it('takes a name again once it is forgotten', async () => {
        await log.append(0, [said('old')], { receipt: receipt('send') });
        const later = START + 5_000;
        const again = receipt('send', { now: later, expiresAt: later + 1, fingerprint: 'new' });
        await log.append(1, [said('new')], { receipt: again });
        expect(await log.answered('send', later)).toMatchObject({ fingerprint: 'new', lines: [{ seq: 2 }] });
      });
    });

    describe('with threads', () => {
      it('shows each view its own rows, and shared ones in two', async () => {
        await log.append(0, [
          said('primary'),
          noted(said('child'), { thread: CHILD }),
          noted(said('told to both'), { thread: CHILD, shared: true }),
          noted(said('other'), { thread: OTHER }),
          said('primary again'),
        ]);
        expect(seqsOf(await log.lines(0, 10))).toEqual([1, 2, 3, 4, 5]);
        expect(seqsOf(await log.lines(0, 10, SESSION))).toEqual([1, 3, 5]);
        expect(seqsOf(await log.lines(0, 10, { thread: CHILD }))).toEqual([2, 3]);
        expect(seqsOf(await log.lines(2, 1, { thread: CHILD }))).toEqual([3]);
        expect(await log.lines(0, 10, { thread: 'sthr_unknown' })).toEqual([]);
        expect(seqsOf((await log.page({ limit: 10, order: 'desc' })).data)).toEqual([5, 3, 1]);
        expect(seqsOf((await log.page({ limit: 10, order: 'asc', thread: OTHER })).data)).toEqual([4]);
      });

      it('lists and replays like a plain array, whatever was written and is asked for', async () => {
        await fc.assert(
          fc.asyncProperty(
            fc.array(batch, { minLength: 4, maxLength: 8 }),
            fc.array(question, { minLength: 3, maxLength: 8 }),
            async (writes, questions) => {
              storage = await host.create();
              ({ log, blobs } = storage);
              const model = new Model();
              for (const write of writes) {
                const entries = model.plan(write);
                model.add(await keep(model.rows.length, entries));
              }
              for (const { view, cursor, ...query } of questions) {
                const thread = view === SESSION ? undefined : view.thread;
                expect((await listed({ ...query, thread })).map(({ id }) => id)).toEqual(
                  model.list({ ...query, thread }),
                );
                expect(seqsOf(await log.lines(cursor, query.limit, view))).toEqual(
                  model.replay(cursor, view).slice(0, query.limit),
                );
              }
              expect(seqsOf(await stored())).toEqual(model.rows.map(({ seq }) => seq));
            },
          ),
          { numRuns: 25 },
        );
      }, 120_000);
    });

    describe('that is listed', () => {
      it('says which page is the last', async () => {
        await log.append(0, [said('one'), said('two')]);
        const next = async (limit: number) => (await log.page({ limit, order: 'asc' })).next_page;
        expect(await next(1)).not.toBeNull();
        expect(await next(2)).toBeNull();
        expect(await next(3)).toBeNull();
      });

      it('shows what was queued where it was taken, and finds its row', async () => {
        const message = asked('wait');
        await log.append(0, [message, said('meanwhile')]);
        expect(await log.position(message.event.id)).toBeNull();
        await log.append(2, [taken(message)]);
        expect((await listed()).map(({ id }) => id)).toEqual([
          (await stored())[1]?.event.id,
          message.event.id,
        ]);
        expect(await log.position(message.event.id)).toBe(3);
        expect(await log.position('sevt_unknown')).toBeNull();
        expect(await reader().entry(message.event.id)).toEqual(taken(message));
        expect(await reader().entry('sevt_unknown')).toBeNull();
      });
    });

    describe('with drafts', () => {
      const piece = (eventId: string, text: string, thread: string | null = null) =>
        log.draft({ thread, eventId, text });

      it('joins the pieces of each, in the order they were begun, also for the next process', async () => {
        await piece('sevt_b', 'one ');
        await piece('sevt_a', 'other', CHILD);
        await piece('sevt_b', 'two 🙂');
        log = await storage.reopen();
        expect(await log.drafts()).toEqual([
          { thread: null, eventId: 'sevt_b', text: 'one two 🙂' },
          { thread: CHILD, eventId: 'sevt_a', text: 'other' },
        ]);
      });

      it('ends a draft with its event, and takes no piece of it any more', async () => {
        const message = said('whole');
        await piece(message.event.id, 'who');
        await piece('sevt_other', 'stays');
        await log.append(0, [message]);
        await piece(message.event.id, 'le');
        expect(await log.drafts()).toEqual([{ thread: null, eventId: 'sevt_other', text: 'stays' }]);
      });

      it('drops those of one thread with an append', async () => {
        await piece('sevt_primary', 'p');
        await piece('sevt_child', 'c', CHILD);
        await log.append(0, [said('any')], { dropDrafts: [CHILD] });
        expect((await log.drafts()).map(({ eventId }) => eventId)).toEqual(['sevt_primary']);
        await log.append(1, [said('any')], { dropDrafts: [null] });
        expect(await log.drafts()).toEqual([]);
      });
    });

    describe('with snapshots', () => {
      it('has the newest, and keeps the older one when the newer is too long for a row', async () => {
        expect(await log.snapshot()).toBeNull();
        await log.append(0, [said('one'), said('two')], { snapshot: 'a' });
        await log.append(2, [said('three')], { snapshot: 'b' });
        expect(await log.snapshot()).toEqual({ seq: 3, state: 'b' });
        await log.append(3, [said('four')], { snapshot: '漢'.repeat(600_000) });
        log = await storage.reopen();
        expect(await log.snapshot()).toEqual({ seq: 3, state: 'b' });
        expect(await stored()).toHaveLength(4);
      });

      it('restores what the whole log folds to, wherever snapshots were taken, and of whatever version', async () => {
        const taking = fc.record({
          count: fc.integer({ min: 1, max: 5 }),
          snapshot: fc.constantFrom('none', 'good', 'old', 'broken'),
        });
        await fc.assert(
          fc.asyncProperty(fc.array(taking, { maxLength: 6 }), async (writes) => {
            ({ log } = await host.create());
            let state = COUNT.initial;
            let seq = 0;
            let from = 0;
            for (const { count, snapshot } of writes) {
              const entries = Array.from({ length: count }, () => said('x'));
              for (const entry of entries) state = COUNT.evolve(state, { ...entry, seq: ++seq });
              await log.append(seq - count, entries, { snapshot: SNAPSHOTS[snapshot](state) });
              if (snapshot !== 'none') from = snapshot === 'good' ? seq : 0;
            }
            expect(await restore(log, COUNT)).toEqual({ state, seq, snapshotSeq: from });
          }),
          { numRuns: 25 },
        );
      }, 60_000);
    });

    describe('with large events', () => {
      const long = (bytes: number) => 'x'.repeat(bytes);

      it('has small rows, and reads each event as it was, its members in their order', async () => {
        const entries = [
          said('small'),
          said(long(300_000)),
          noted(said(long(300_000)), { opaque: long(400_000), thread: CHILD, shared: true }),
          made(stamp(), 'agent.tool_use', { name: 'write', input: { text: '漢'.repeat(100_000) } }),
          noted(made(stamp(), 'agent.thinking', {}), { opaque: long(300_000) }),
          asked(long(7_000_000)),
        ];
        await keep(0, entries);
        for (const { data, note } of await log.lines(0, 10))
          expect(Buffer.byteLength(data + (note ?? ''))).toBeLessThanOrEqual(ROW_BYTES);
        const lines = [];
        while (lines.length < entries.length) {
          const more = await reader().lines(lines.length, 10);
          expect(more).not.toHaveLength(0);
          lines.push(...more);
        }
        expect(lines.map(({ data }) => data)).toEqual(entries.map(({ event }) => JSON.stringify(event)));
        const whole = [];
        for await (const { seq: _, ...entry } of reader().entries(0)) whole.push(entry);
        expect(whole).toEqual(entries);
        expect(await listed()).toEqual(entries.map(({ event }) => event));
      }, 30_000);

      it('spills no more of an event than it has to', async () => {
        const entries = [
          noted(said(long(1_000)), { opaque: long(300_000) }),
          noted(said(long(300_000)), { opaque: long(1_000) }),
        ];
        const fields = (await spill(entries, blobs)).map(({ note }) =>
          note?.spill?.map(({ field }) => field),
        );
        expect(fields).toEqual([['opaque'], ['content']]);
      });

      it('names what was stored when it is taken, and stores it once', async () => {
        let puts = 0;
        const counted: Blobs = {
          ...delegate(blobs),
          put: (key, text) => {
            puts += 1;
            return blobs.put(key, text);
          },
        };
        const message = asked(long(300_000));
        const queued = await spill([message], counted);
        await log.append(0, queued, { receipt: receipt('send') });
        await log.append(
          1,
          await spill(
            queued.map((entry) => taken(entry)),
            counted,
          ),
        );
        expect(puts).toBe(1);
        expect(await listed()).toEqual([taken(message).event]);
        expect((await reader().answered('send', START))?.events).toEqual([message.event]);
      });

      it('is not changed by a writer that comes late with another text for the same event', async () => {
        const ending = (end: string) =>
          made(stamp(), 'agent.message', {
            id: 'sevt_message',
            content: [{ type: 'text', text: long(300_000) + end }],
          });
        const [entry, late] = [ending('a'), ending('b')];
        await keep(0, [entry]);
        const zombie = await spill([late], blobs);
        await expect(log.append(0, zombie)).rejects.toMatchObject({ name: 'LogMoved' });
        expect(await listed()).toEqual([entry.event]);
      });

      it('refuses what is over the limit, naming it, before it stores anything of the batch', async () => {
        const put: Blobs = { ...delegate(blobs), put: () => Promise.reject(new Error('stored')) };
        await expect(spill([said(long(300_000)), said(long(MAX_EVENT_BYTES))], put)).rejects.toMatchObject({
          code: 'too_large',
          message: expect.stringContaining(`${MAX_EVENT_BYTES} bytes`),
        });
        const title = made(stamp(), 'session.updated', { title: long(300_000) });
        await expect(spill([title], blobs)).rejects.toMatchObject({ code: 'too_large' });
      });

      it('reads on when a blob is gone, and says so', async () => {
        const lines: string[] = [];
        const logger = createLogger((line) => lines.push(line));
        await keep(0, [
          said('before'),
          noted(said(long(300_000)), { opaque: long(300_000) }),
          made(stamp(), 'agent.tool_use', { name: 'write', input: { text: long(300_000) } }),
        ]);
        await blobs.removeAll();
        const robust = readable(log, { blobs, logger });
        const { data } = await robust.page({ limit: 10, order: 'asc' });
        expect(data[1]).toMatchObject({ content: [{ type: 'text', text: '[content no longer available]' }] });
        expect(data[2]).toMatchObject({ input: { unavailable: '[content no longer available]' } });
        expect(lines.filter((line) => line.includes('"warn","event":"session.blob_missing"'))).toHaveLength(
          2,
        );
        const notes = [];
        for await (const { note } of robust.entries(0)) notes.push(note);
        expect(notes).toEqual([undefined, undefined, undefined]);
      });

      it('says that it cannot be read or written right now, and loses nothing, while the blobs are away', async () => {
        const away: Blobs = {
          put: () => Promise.reject(new Error('network')),
          get: () => Promise.reject(new Error('network')),
          removeAll: () => Promise.reject(new Error('network')),
        };
        const unavailable = { code: 'unavailable', retryAfterSeconds: 1 };
        const entry = said(long(300_000));
        await expect(spill([entry], away)).rejects.toMatchObject(unavailable);
        await keep(0, [entry]);
        const without = readable(log, { blobs: away, logger: silentLogger });
        await expect(without.page({ limit: 1, order: 'asc' })).rejects.toMatchObject(unavailable);
        expect(await listed()).toEqual([entry.event]);
      });

      it('ends a read early rather than hold many of them, and goes on where it ended', async () => {
        const entries = Array.from({ length: 12 }, () => said(long(1_000_000)));
        await keep(0, entries);
        expect((await log.lines(0, 1_000)).length).toBeLessThan(5);
        for (const order of ['asc', 'desc'] as const) {
          const { data } = await reader().page({ limit: 1_000, order });
          expect(data.length).toBeLessThan(5);
          const seen = (await listed({ order })).map(({ id }) => id);
          expect(seen).toEqual(order === 'asc' ? idsOf(entries) : idsOf(entries).reverse());
        }
      }, 30_000);

      it('leaves nothing when all of it is removed', async () => {
        const [kept] = await keep(0, [said(long(300_000))]);
        const key = kept?.note?.spill?.[0]?.key ?? '';
        expect(await blobs.get(key)).not.toBeNull();
        const other = await host.create();
        await other.blobs.put(key, 'of another session');
        await blobs.removeAll();
        await blobs.removeAll();
        expect(await blobs.get(key)).toBeNull();
        expect(await other.blobs.get(key)).toBe('of another session');
      });
    });
  });
}

function delegate(blobs: Blobs): Blobs {
  return {
    put: (key, text) => blobs.put(key, text),
    get: (key) => blobs.get(key),
    removeAll: () => blobs.removeAll(),
  };
}

/** Order matters to it, so that a fold that leaves out, doubles or swaps a row comes to another state. */
const COUNT: Fold<{ hash: number; last: string }> = {
  version: 'count-1',
  initial: { hash: 0, last: '' },
  evolve: (state, { seq, event }) => ({ hash: (state.hash * 31 + seq) % 1_000_003, last: event.id }),
};

const SNAPSHOTS = {
  none: () => undefined,
  good: (state: typeof COUNT.initial) => toSnapshot(COUNT, state),
  old: () => toSnapshot({ version: 'count-0' }, { hash: 1, last: 'wrong' }),
  broken: () => '{"version":"count-1","state":',
};

const thread = fc.constantFrom(null, CHILD, OTHER);
type Write =
  | { do: 'say'; type: 'agent.thinking' | 'session.status_running'; thread: string | null; shared: boolean }
  | { do: 'ask'; thread: string | null; shared: boolean; large: boolean }
  | { do: 'take' };
const batch: fc.Arbitrary<Write[]> = fc.array(
  fc.oneof(
    fc.record({
      do: fc.constant('say' as const),
      type: fc.constantFrom('agent.thinking' as const, 'session.status_running' as const),
      thread,
      shared: fc.boolean(),
    }),
    fc.record({
      do: fc.constant('ask' as const),
      thread,
      shared: fc.boolean(),
      large: fc.oneof(
        { weight: 9, arbitrary: fc.constant(false) },
        { weight: 1, arbitrary: fc.constant(true) },
      ),
    }),
    fc.record({ do: fc.constant('take' as const) }),
  ),
  { minLength: 1, maxLength: 5 },
);
/** Most questions leave most filters out: the more there are, the less is left to compare. */
const seldom = <T>(filter: fc.Arbitrary<T>) =>
  fc.oneof({ weight: 4, arbitrary: fc.constant(undefined) }, { weight: 1, arbitrary: filter });
const bound = seldom(
  fc.record({ at: fc.integer({ min: 0, max: 20 }).map((n) => START + n), inclusive: fc.boolean() }),
);
const question = fc.record({
  view: fc.constantFrom<View>(SESSION, SESSION, { thread: CHILD }, { thread: OTHER }),
  cursor: fc.nat(20),
  limit: fc.oneof(fc.integer({ min: 1, max: 4 }), fc.integer({ min: 1, max: 40 })),
  order: fc.constantFrom('asc' as const, 'desc' as const),
  types: seldom(fc.subarray<EventType>(['agent.thinking', 'user.message'], { minLength: 1 })),
  after: bound,
  before: bound,
});

/** The log as a plain array. */
class Model {
  rows: { seq: number; entry: Entry; hidden: boolean }[] = [];
  #waiting: Entry[] = [];
  #now = START;

  plan(writes: readonly Write[]): Entry[] {
    return writes.flatMap((write) => {
      this.#now += 1;
      if (write.do === 'take') {
        const next = this.#waiting.shift();
        return next ? [taken(next, this.#now)] : [];
      }
      const owner: Note =
        write.thread === null ? {} : { thread: write.thread, ...(write.shared ? { shared: true } : {}) };
      if (write.do === 'say') return [noted(made(stamp(this.#now), write.type, {}), owner)];
      return [noted(asked(write.large ? 'x'.repeat(270_000) : 'short'), owner)];
    });
  }

  /** As they were appended: what was spilled is taken again as it stands. */
  add(entries: readonly Entry[]): void {
    for (const entry of entries) {
      const { id, processed_at } = entry.event;
      if (processed_at === null) this.#waiting.push(entry);
      else for (const row of this.rows) if (row.entry.event.id === id) row.hidden = true;
      this.rows.push({ seq: this.rows.length + 1, entry, hidden: false });
    }
  }

  #shown(view: View) {
    return this.rows.filter(({ entry: { note } }) =>
      view === SESSION ? !note?.thread || note.shared : note?.thread === view.thread,
    );
  }

  replay(cursor: number, view: View): number[] {
    return seqsOf(this.#shown(view)).filter((seq) => seq > cursor);
  }

  list({ order, types, after, before, thread: of }: Partial<EventQuery>): string[] {
    const events = this.#shown(of === undefined ? SESSION : { thread: of })
      .filter(({ hidden }) => !hidden)
      .map(({ entry }) => entry.event)
      .filter((event) => types === undefined || types.includes(event.type))
      .filter(({ processed_at }) => {
        if (after === undefined && before === undefined) return true;
        if (processed_at === null) return false;
        const at = Date.parse(processed_at);
        const late = after === undefined || (after.inclusive ? at >= after.at : at > after.at);
        return late && (before === undefined || (before.inclusive ? at <= before.at : at < before.at));
      })
      .map(({ id }) => id);
    return order === 'asc' ? events : events.reverse();
  }
}
