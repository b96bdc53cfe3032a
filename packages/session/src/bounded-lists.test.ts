import { beforeEach, describe, expect, it } from 'vitest';
import { type Entry, made } from './entry.ts';
import type { EventQuery } from './service.ts';
import { SqlLog } from './sql-log.ts';
import { memorySql } from './testing/memory-sql.ts';

const START = Date.UTC(2026, 0, 1);
let log: SqlLog;
let ids = 0;

beforeEach(() => {
  log = new SqlLog(memorySql());
});

const said = (ms: number) =>
  made({ now: START + ms, newId: () => `sevt_${++ids}` }, 'agent.message', { content: [] });
const at = (ms: number, inclusive = true) => ({ at: START + ms, inclusive });
const seqsOf = async (query: EventQuery) => (await log.page(query)).data.map(({ seq }) => seq);

describe('a list of events within bounds in time', () => {
  it.each([
    { order: 'asc' as const, rest: [4, 5] },
    { order: 'desc' as const, rest: [2, 1] },
  ])('refuses a cursor that stands outside of them, in order $order', async ({ order, rest }) => {
    await log.append(0, [1, 2, 3, 4, 5].map(said));
    const { next_page } = await log.page({ limit: 3, order });
    const query = { limit: 3, order, page: next_page ?? '' };
    expect(await seqsOf(query)).toEqual(rest);
    expect(await seqsOf({ ...query, after: at(0), before: at(9) })).toEqual(rest);
    // It stands at the third.
    expect(await seqsOf({ ...query, after: at(3), before: at(3) })).toEqual([]);
    expect(await seqsOf({ ...query, after: at(2, false), before: at(4, false) })).toEqual([]);
    for (const bounds of [
      { after: at(4) },
      { after: at(3, false) },
      { before: at(2) },
      { before: at(3, false) },
      { after: at(0), before: at(2) },
    ]) {
      await expect(log.page({ ...query, ...bounds })).rejects.toMatchObject({
        code: 'invalid_request',
        message: expect.stringMatching(/^page: the created_at bounds leave out where it stands; /),
      });
    }
  });

  it('goes on from a cursor of its own, whatever was taken since', async () => {
    const event = { id: 'sevt_asked', type: 'user.message' as const, content: [] };
    const asked: Entry = { event: { ...event, processed_at: null } };
    const taken: Entry = { event: { ...event, processed_at: new Date(START + 4).toISOString() } };
    await log.append(0, [said(1), asked, said(2), said(3)]);
    const query = { limit: 1, order: 'asc' as const, after: at(1), before: at(9) };
    const first = await log.page(query);
    await log.append(4, [taken]);
    const second = await log.page({ ...query, page: first.next_page ?? '' });
    expect([...first.data, ...second.data].map(({ seq }) => seq)).toEqual([1, 3]);
    expect(await seqsOf({ ...query, limit: 9, page: second.next_page ?? '' })).toEqual([4, 5]);
  });
});
