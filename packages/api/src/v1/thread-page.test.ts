import { sessionStatus } from '@capstan/schema/sessions';
import { ZERO_USAGE } from '@capstan/schema/usage';
import type { ThreadView } from '@capstan/session/service';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { pageOfThreads, type ThreadQuery } from './thread-page.ts';

const address = { tenantId: 'tnt_ours', sessionId: 'sesn_one' };
const thread = (index: number, status: ThreadView['status'] = 'idle', system = ''): ThreadView => ({
  id: `sthr_${index}`,
  parentId: index === 0 ? null : 'sthr_0',
  workflowRunId: null,
  agent: {
    type: 'agent',
    id: 'agent_one',
    version: 1,
    name: 'One',
    description: null,
    model: { id: 'some-model' },
    system,
    tools: [],
    mcp_servers: [],
    skills: [],
    execution_identity: { type: 'service_account' },
  },
  status,
  usage: ZERO_USAGE,
  activeSeconds: 0,
  createdAt: 0,
  updatedAt: 0,
  archivedAt: null,
});
const pagesOf = (threads: ThreadView[], query: ThreadQuery): string[][] => {
  const pages: string[][] = [];
  let page: string | undefined;
  do {
    const answer = pageOfThreads(threads, { ...query, page }, address);
    pages.push(answer.data.map(({ id }) => id));
    page = answer.next_page ?? undefined;
  } while (page);
  return pages;
};

describe('pages of threads', () => {
  it('show each thread of the statuses once, in order, whatever the limit', () => {
    const statuses = fc.constantFrom(...sessionStatus.options);
    fc.assert(
      fc.property(
        fc.array(statuses),
        fc.integer({ min: 1, max: 5 }),
        fc.array(statuses),
        (all, limit, wanted) => {
          const threads = all.map((status, index) => thread(index, status));
          const shown = threads.filter(({ status }) => wanted.includes(status)).map(({ id }) => id);
          const pages = pagesOf(threads, { limit, statuses: wanted });
          expect(pages.flat()).toEqual(shown);
          expect(pages.every((page) => page.length <= limit)).toBe(true);
        },
      ),
    );
  });

  it('hold their place while statuses change', () => {
    const running = [0, 1, 2].map((index) => thread(index, 'running'));
    const query = { limit: 1, statuses: ['running' as const] };
    const { next_page } = pageOfThreads(running, query, address);
    const since = [thread(0), thread(1), thread(2, 'running')];
    const next = pageOfThreads(since, { ...query, page: next_page ?? '' }, address);
    expect(next.data.map(({ id }) => id)).toEqual(['sthr_2']);
  });

  it('end early when the agents are large, with one thread at least', () => {
    const large = (size: number) =>
      Array.from({ length: 4 }, (_, index) => thread(index, 'idle', 'x'.repeat(size)));
    const sizes = (size: number) => pagesOf(large(size), { limit: 1000 }).map(({ length }) => length);
    expect(sizes(1_500_000)).toEqual([3, 1]);
    expect(sizes(4_100_000)).toEqual([1, 1, 1, 1]);
  });

  it('refuse a cursor of another session', () => {
    const threads = [thread(0), thread(1)];
    const { next_page } = pageOfThreads(threads, { limit: 1 }, address);
    const elsewhere = { ...address, sessionId: 'sesn_two' };
    expect(() => pageOfThreads(threads, { limit: 1, page: next_page ?? '' }, elsewhere)).toThrow(/^page: /);
  });
});
