import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { LedgerEntry } from './ledger.ts';
import { stores } from './stores.ts';
import { openTestDatabase, type TestDatabase } from './testing.ts';

const start = Date.parse('2026-11-20T23:59:59Z');
const HOUR = 3_600_000;

let database: TestDatabase;
beforeAll(async () => {
  database = await openTestDatabase();
});
afterAll(() => database.close());

const ledgerOf = (tenantId: string) => stores(database.db, tenantId).ledger;

function entry(eventId: string, over: Partial<LedgerEntry> = {}): LedgerEntry {
  return {
    eventId,
    sessionId: 'sesn_1',
    threadId: 'sthr_1',
    agentId: 'agent_1',
    agentVersion: 1,
    kind: 'model',
    provider: 'openai',
    model: 'some-model',
    inputTokens: 100,
    outputTokens: 10,
    cacheReadTokens: 5,
    cacheWriteTokens: 2,
    costNanoUsd: 1_500,
    estimated: false,
    at: start,
    ...over,
  };
}

const all = { limit: 1_000 };

describe('LedgerStore', () => {
  it('records a call once, however often it is told of it and beside which others', async () => {
    const ledger = ledgerOf('tnt_once');
    const first = entry('sevt_once_1');
    await ledger.record([first]);
    await Promise.all([
      ledger.record([first, entry('sevt_once_2')]),
      ledger.record([entry('sevt_once_2'), first]),
      ledger.record([{ ...first, inputTokens: 9_999 }]),
    ]);
    const { data } = await ledger.summary({ ...all, groupBy: 'session' });
    expect(data).toEqual([
      {
        type: 'usage_summary',
        group: 'sesn_1',
        model_calls: 2,
        input_tokens: 200,
        output_tokens: 20,
        cache_read_input_tokens: 10,
        cache_creation_input_tokens: 4,
        list_cost: { amount: '1', currency: 'USD' },
        list_cost_nano_usd: 3_000,
        unpriced_model_calls: 0,
        estimated_model_calls: 0,
      },
    ]);
  });

  it('tells how many calls were billed by an estimate', async () => {
    const ledger = ledgerOf('tnt_estimated');
    await ledger.record([entry('sevt_told'), entry('sevt_untold', { estimated: true })]);
    const { data } = await ledger.summary({ ...all, groupBy: 'day' });
    expect(data).toMatchObject([{ model_calls: 2, estimated_model_calls: 1, input_tokens: 200 }]);
  });

  it('records thousands of calls at once', async () => {
    const ledger = ledgerOf('tnt_many');
    const many = Array.from({ length: 2_500 }, (_, index) => entry(`sevt_many_${index}`));
    await ledger.record(many);
    await ledger.record(many);
    const { data } = await ledger.summary({ ...all, groupBy: 'agent' });
    expect(data.map(({ model_calls }) => model_calls)).toEqual([2_500]);
  });

  it('refuses a call that it could not keep whole, with those beside it', async () => {
    const ledger = ledgerOf('tnt_whole');
    const broken = { ...entry('sevt_whole_2'), model: null } as unknown as LedgerEntry;
    await expect(ledger.record([entry('sevt_whole_1'), broken])).rejects.toThrow();
    expect((await ledger.summary({ ...all, groupBy: 'day' })).data).toEqual([]);
  });

  it('sums up by day, model, agent and session within bounds', async () => {
    const ledger = ledgerOf('tnt_groups');
    await ledger.record([
      entry('sevt_g1'),
      entry('sevt_g2', { at: start + HOUR, model: 'other', costNanoUsd: null, kind: 'compaction' }),
      entry('sevt_g3', { at: start + 2 * HOUR, sessionId: 'sesn_2', agentId: 'agent_2', agentVersion: 3 }),
    ]);
    const groups = async (groupBy: 'day' | 'model' | 'agent' | 'session', bounds = {}) =>
      (await ledger.summary({ ...all, groupBy, ...bounds })).data.map((row) => [row.group, row.model_calls]);
    expect(await groups('day')).toEqual([
      ['2026-11-20', 1],
      ['2026-11-21', 2],
    ]);
    expect(await groups('model')).toEqual([
      ['openai/other', 1],
      ['openai/some-model', 2],
    ]);
    expect(await groups('agent')).toEqual([
      ['agent_1', 2],
      ['agent_2', 1],
    ]);
    expect(await groups('session', { from: start + HOUR, to: start + 2 * HOUR })).toEqual([['sesn_1', 1]]);
    const unpriced = (await ledger.summary({ ...all, groupBy: 'model' })).data[0];
    expect(unpriced).toMatchObject({ list_cost: null, list_cost_nano_usd: null, unpriced_model_calls: 1 });
  });

  it('gives its groups page by page', async () => {
    const ledger = ledgerOf('tnt_paged');
    const sessions = Array.from({ length: 5 }, (_, index) => `sesn_${index}`);
    await ledger.record(sessions.map((sessionId) => entry(`sevt_paged_${sessionId}`, { sessionId })));
    const seen: string[] = [];
    let page: string | undefined;
    do {
      const answer = await ledger.summary({ groupBy: 'session', limit: 2, page });
      seen.push(...answer.data.map(({ group }) => group));
      page = answer.next_page ?? undefined;
    } while (page);
    expect(seen).toEqual(sessions);
    const first = await ledger.summary({ groupBy: 'session', limit: 2 });
    await expect(
      ledger.summary({ groupBy: 'day', limit: 2, page: first.next_page ?? '' }),
    ).rejects.toMatchObject({ code: 'invalid_request' });
  });

  it('tells one tenant nothing of another', async () => {
    await ledgerOf('tnt_ours').record([entry('sevt_ours')]);
    expect((await ledgerOf('tnt_theirs').summary({ ...all, groupBy: 'session' })).data).toEqual([]);
  });

  it('keeps the lines of a session that is gone', async () => {
    const ours = stores(database.db, 'tnt_gone');
    await ours.ledger.record([entry('sevt_gone', { sessionId: 'sesn_gone' })]);
    await ours.sessions.remove('sesn_gone', 0);
    expect((await ours.ledger.summary({ ...all, groupBy: 'session' })).data).toHaveLength(1);
  });
});
