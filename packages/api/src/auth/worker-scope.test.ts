import type { Database } from '@capstan/db/database';
import type { EventParam } from '@capstan/schema/events/user-events';
import { callersOf } from '@capstan/schema/route';
import { ROUTES } from '@capstan/schema/routes';
import { given, newItem } from '@capstan/session/work/work-item';
import { describe, expect, it } from 'vitest';
import type { Worker } from '../call.ts';
import { requireHeld, requireOwn, requireResults } from './worker-scope.ts';

const worker: Worker = { environmentId: 'env_1', item: null };
const principal = { tenantId: 'tnt_a', apiKey: { id: 'ekey_1', name: 'Key', lastFour: 'abcd' }, worker };
const refused = expect.objectContaining({ code: 'forbidden' });
/** Nothing is asked of it: what is tried is refused before. */
const db = new Proxy({} as Database, {
  get: () => {
    throw new Error('the database was asked');
  },
});

const work = { findWork: () => Promise.reject(new Error('the queue was asked')) };

describe('a worker', () => {
  it('is refused by whatever names nothing, or something that nobody looks at', async () => {
    for (const named of [{}, { vault_id: 'vlt_1' }, { session_id: 'sesn_1', thread_id: 'sthr_1' }])
      await expect(requireOwn({ db, work }, principal, { named, write: false })).rejects.toEqual(refused);
  });

  it('is let in by no route that names nothing', () => {
    const open = ROUTES.filter((route) => callersOf(route).some((caller) => caller !== 'api_key'));
    expect(open.length).toBeGreaterThan(10);
    expect(open.filter(({ path }) => !path.includes('{'))).toEqual([]);
  });

  it('sends what it found and no file of the tenant', () => {
    const result = (content: object[]) =>
      [{ type: 'user.tool_result', tool_use_id: 'sevt_1', content }] as EventParam[];
    const picture = (source: object) => [
      { type: 'text', text: 'x' },
      { type: 'image', source },
    ];
    const own = result(picture({ type: 'base64', media_type: 'image/png', data: 'aaaa' }));
    requireResults(worker, own);
    const file = result(picture({ type: 'file', file_id: 'file_1' }));
    requireResults(undefined, file);
    expect(() => requireResults(worker, file)).toThrow('events.0.content.1.source');
    expect(() => requireResults(worker, [...own, { type: 'user.interrupt' }])).toThrow('events.1');
  });

  it('sends nothing once its work is another’s, or over', async () => {
    const queued = newItem({ id: 'work_1', sessionId: 'sesn_1', now: 0 });
    const offered = given(queued, 0);
    const send = (found: typeof queued, offer = 1) => {
      const item = { workId: 'work_1', sessionId: 'sesn_1', offer };
      return requireHeld({ findWork: async () => found }, { ...principal, worker: { ...worker, item } });
    };
    const lost = expect.objectContaining({ code: 'conflict' });
    await send(offered);
    await expect(send(given(offered, 9))).rejects.toEqual(lost);
    await expect(send({ ...offered, state: 'stopped' })).rejects.toEqual(lost);
    await send(given(offered, 9), 2);
  });

  it('reads neither session nor skill once its work is another’s, or over', async () => {
    const offered = given(newItem({ id: 'work_1', sessionId: 'sesn_1', now: 0 }), 0);
    const item = { workId: 'work_1', sessionId: 'sesn_1', offer: 1 };
    const read = (found: typeof offered, named: Record<string, string>, write = false) => {
      const ports = { db, work: { findWork: async () => found } };
      return requireOwn(ports, { ...principal, worker: { ...worker, item } }, { named, write });
    };
    const asked = 'the database was asked';
    for (const found of [given(offered, 9), { ...offered, state: 'stopped' as const }]) {
      await expect(read(found, { session_id: 'sesn_1' })).rejects.toEqual(refused);
      await expect(read(found, { skill_id: 'skill_1', version: 'latest' })).rejects.toEqual(refused);
      // Of these the next says what is wrong: a send, the item's own calls, and the last words of a memory store.
      await read(found, { session_id: 'sesn_1' }, true).catch(({ message }) => expect(message).toBe(asked));
      await expect(read(found, { memory_store_id: 'memstore_1' })).rejects.toThrow(asked);
      await read(found, { environment_id: 'env_1', work_id: 'work_1' });
    }
    await read(offered, { session_id: 'sesn_1' }).catch(({ message }) => expect(message).toBe(asked));
  });

  it('with a key of its environment is asked for no work', async () => {
    const findWork = () => Promise.reject(new Error('the queue was asked'));
    await requireHeld({ findWork }, principal);
    const { worker: _worker, ...user } = principal;
    await requireHeld({ findWork }, user);
  });
});
