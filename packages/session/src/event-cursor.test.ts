import { silentLogger } from '@capstan/shared/logger';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { made } from './entry.ts';
import { formatCursor, fromPublic, parseCursor, toPublic } from './event-cursor.ts';
import { readable } from './log-reader.ts';
import { World } from './testing.ts';

const order = fc.constantFrom('asc' as const, 'desc' as const);

describe('an event cursor', () => {
  it('reads back as what was written', () => {
    fc.assert(
      fc.property(fc.nat(), order, (seq, direction) => {
        const cursor = { seq, order: direction };
        expect(parseCursor(formatCursor(cursor), direction)).toEqual(cursor);
      }),
    );
  });

  it('is refused when it is anything else, or of the other order', () => {
    fc.assert(
      fc.property(fc.string(), (text) => {
        fc.pre(!/^a[0-9a-z]{1,11}$/.test(text));
        expect(() => parseCursor(text, 'asc')).toThrow(expect.objectContaining({ code: 'invalid_request' }));
      }),
    );
  });
});

describe('a public cursor', () => {
  it('is good for its own session, and refused by every other', () => {
    const cursor = toPublic('a1f', 'sesn_01aaaaaaaaaaaaaaaaaaaaaa01');
    expect(fromPublic(cursor, 'sesn_01aaaaaaaaaaaaaaaaaaaaaa01')).toBe('a1f');
    for (const text of [cursor, 'a1f', `${cursor}.x`, ''])
      expect(() => fromPublic(text, 'sesn_01aaaaaaaaaaaaaaaaaaaaaa02')).toThrow(
        expect.objectContaining({ code: 'invalid_request', message: expect.stringMatching(/^page: /) }),
      );
  });
});

describe('a list of events', () => {
  it('walks every event once, whatever the page size and order', async () => {
    const { log, blobs } = new World();
    const list = readable(log, { blobs, logger: silentLogger });
    const stamp = {
      now: 0,
      newId: (() => {
        let n = 0;
        return () => `sevt_${++n}`;
      })(),
    };
    await log.append(
      0,
      Array.from({ length: 37 }, () => made(stamp, 'session.status_running', {})),
    );
    await fc.assert(
      fc.asyncProperty(fc.integer({ min: 1, max: 40 }), order, async (limit, direction) => {
        const seen: string[] = [];
        let page: string | undefined;
        do {
          const answer = await list.page({ limit, order: direction, page });
          seen.push(...answer.data.map((event) => event.id));
          page = answer.next_page ?? undefined;
        } while (page !== undefined);
        const all = Array.from({ length: 37 }, (_, index) => `sevt_${index + 1}`);
        expect(seen).toEqual(direction === 'asc' ? all : all.reverse());
      }),
    );
  });

  it('filters by type and time', async () => {
    const { log, blobs } = new World();
    const list = readable(log, { blobs, logger: silentLogger });
    const at = (now: number) => ({ now, newId: () => `sevt_${now}` });
    await log.append(0, [
      made(at(1_000), 'session.status_running', {}),
      made(at(2_000), 'session.status_rescheduled', {}),
      made(at(3_000), 'session.status_running', {}),
    ]);
    const ids = async (query: object) =>
      (await list.page({ limit: 10, order: 'asc', ...query })).data.map((event) => event.id);
    expect(await ids({ types: ['session.status_running'] })).toEqual(['sevt_1000', 'sevt_3000']);
    expect(await ids({ after: { at: 2_000, inclusive: true } })).toEqual(['sevt_2000', 'sevt_3000']);
    expect(await ids({ after: { at: 2_000, inclusive: false } })).toEqual(['sevt_3000']);
    expect(await ids({ before: { at: 2_000, inclusive: false } })).toEqual(['sevt_1000']);
  });

  it('ends a page early rather than hold all of a long log, and goes on where it ended', async () => {
    const { log, blobs } = new World();
    const list = readable(log, { blobs, logger: silentLogger });
    const text = 'x'.repeat(200_000);
    for (let seq = 0; seq < 40; seq++) {
      await log.append(seq, [
        made({ now: 0, newId: () => `sevt_${seq}` }, 'agent.message', { content: [{ type: 'text', text }] }),
      ]);
    }
    for (const direction of ['asc', 'desc'] as const) {
      const seen: string[] = [];
      let page: string | undefined;
      do {
        const answer = await list.page({ limit: 1_000, order: direction, page });
        expect(answer.data.length).toBeLessThan(21);
        seen.push(...answer.data.map((event) => event.id));
        page = answer.next_page ?? undefined;
      } while (page !== undefined);
      expect(seen).toHaveLength(new Set(seen).size);
      expect(seen).toHaveLength(40);
    }
    expect((await log.lines(0, 1_000)).length).toBeLessThan(21);
  });

  it('measures an event in bytes, as the storage below does', async () => {
    const { log } = new World();
    const stamp = { now: 0, newId: () => 'sevt_1' };
    const long = made(stamp, 'agent.message', { content: [{ type: 'text', text: '漢'.repeat(100_000) }] });
    await expect(log.append(0, [long])).rejects.toMatchObject({ code: 'too_large' });
  });

  it('refuses an event too long to keep, and writes nothing of its batch', async () => {
    const { log } = new World();
    const stamp = { now: 0, newId: () => 'sevt_1' };
    const long = made(stamp, 'agent.message', { content: [{ type: 'text', text: 'x'.repeat(300_000) }] });
    const entries = [made(stamp, 'session.status_running', {}), long];
    await expect(log.append(0, entries)).rejects.toMatchObject({ code: 'too_large' });
    expect(await log.lines(0, 10)).toEqual([]);
  });
});
