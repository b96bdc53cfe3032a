// Random operations against a plain model of a store, and several writers at once on the real database.
import { ApiError } from '@capstan/schema/error';
import { ancestorsOf } from '@capstan/schema/memory-path';
import type { Actor } from '@capstan/schema/memory-versions';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Stores, stores } from './stores.ts';
import { openTestDatabase, type TestDatabase } from './testing.ts';

let database: TestDatabase;
let own: Stores;
let now = 1_000_000;

beforeAll(async () => {
  database = await openTestDatabase();
  own = stores(database.db, 'tnt_own');
});
afterAll(() => database.close());

const KEY: Actor = { type: 'api_actor', api_key_id: 'key_1' };

const path = fc
  .array(fc.constantFrom('a', 'b', 'a-', 'É'), { minLength: 1, maxLength: 3 })
  .map((s) => `/${s.join('/')}`);
const content = fc.constantFrom('', 'one', 'two', '\u{1f600}');
const step = fc.oneof(
  fc.record({ do: fc.constant('create' as const), path, content }),
  fc.record({
    do: fc.constant('update' as const),
    which: fc.nat(9),
    path: fc.option(path, { nil: undefined }),
    content: fc.option(content, { nil: undefined }),
    expected: fc.option(content, { nil: undefined }),
  }),
  fc.record({
    do: fc.constant('delete' as const),
    which: fc.nat(9),
    expected: fc.option(content, { nil: undefined }),
  }),
);
type Step = typeof step extends fc.Arbitrary<infer T> ? T : never;

interface Model {
  /** By id. */
  memories: Map<string, { path: string; content: string }>;
  /** By memory, the oldest first. */
  history: Map<string, string[]>;
}

async function sha(text: string): Promise<string> {
  return Buffer.from(await crypto.subtle.digest('SHA-256', Buffer.from(text))).toString('hex');
}

function overlaps(one: string, other: string): boolean {
  return one === other || ancestorsOf(one).includes(other) || ancestorsOf(other).includes(one);
}

const isInTheWay = ({ memories }: Model, wanted: string, but?: string) =>
  [...memories].some(([id, memory]) => id !== but && overlaps(memory.path, wanted));

function write(
  model: Model,
  id: string,
  [operation, memory]: [string, { path: string; content: string }],
): void {
  model.history.set(id, [...(model.history.get(id) ?? []), `${operation} ${memory.path}`]);
  if (operation === 'deleted') model.memories.delete(id);
  else model.memories.set(id, memory);
}

async function outcome<T>(work: Promise<T>): Promise<T | string> {
  return work.catch((error: unknown) => {
    if (error instanceof ApiError) return error.code;
    throw error;
  });
}

async function take(model: Model, storeId: string, next: Step): Promise<void> {
  const by = { actor: KEY, view: 'full' as const, now: ++now };
  if (next.do === 'create') {
    const { do: _, ...said } = next;
    const made = await outcome(own.memories.create({ storeId, ...said, ...by }));
    if (isInTheWay(model, said.path)) expect(made).toBe('memory_path_conflict');
    else if (typeof made === 'string') expect.unreachable(made);
    else write(model, made.id, ['created', said]);
    return;
  }
  const ids = [...model.memories.keys()];
  const id = ids[next.which % Math.max(1, ids.length)] ?? 'mem_none';
  const before = model.memories.get(id);
  const expectedSha256 = next.expected === undefined ? undefined : await sha(next.expected);
  const fails = next.expected !== undefined && next.expected !== before?.content;
  if (next.do === 'delete') {
    const gone = await outcome(own.memories.delete({ storeId, id }, { expectedSha256, ...by }));
    if (before === undefined) expect(gone).toBe('not_found');
    else if (fails) expect(gone).toBe('memory_precondition_failed');
    else write(model, id, ['deleted', before]);
    return;
  }
  const change = { path: next.path, content: next.content, expectedSha256, ...by };
  const changed = await outcome(own.memories.update({ storeId, id }, change));
  if (before === undefined) return expect(changed).toBe('not_found');
  const after = { path: next.path ?? before.path, content: next.content ?? before.content };
  if (after.path === before.path && after.content === before.content) expect(changed).toMatchObject(before);
  else if (fails) expect(changed).toBe('memory_precondition_failed');
  else if (isInTheWay(model, after.path, id)) expect(changed).toBe('memory_path_conflict');
  else {
    expect(changed).toMatchObject({ id, ...after });
    write(model, id, ['modified', after]);
  }
}

async function everything(storeId: string): Promise<{ id: string; path: string; content: string | null }[]> {
  const { data } = await own.memories.list({ storeId, view: 'full', depth: 0 });
  return data.flatMap((item) => (item.type === 'memory' ? [item] : []));
}

const newStore = () => own.memoryStores.create({ name: 'x', description: '', metadata: {}, now: ++now });

describe('a memory store', () => {
  it('does what a plain model of it does, step by step', async () => {
    const property = fc.asyncProperty(fc.array(step, { minLength: 1, maxLength: 25 }), async (steps) => {
      const { id: storeId } = await newStore();
      const model: Model = { memories: new Map(), history: new Map() };
      for (const next of steps) await take(model, storeId, next);
      const shown = (await everything(storeId)).map(({ id, path: at, content: text }) => [id, at, text]);
      const meant = [...model.memories].map(([id, memory]) => [id, memory.path, memory.content]);
      expect(shown.toSorted()).toEqual(meant.toSorted());
      for (const [memoryId, meantToBe] of model.history) {
        const { data } = await own.memoryVersions.list({
          storeId,
          memoryId,
          view: 'full',
          created: {},
          limit: 20,
        });
        const told = data.map(({ operation, path: at }) => `${operation} ${at}`).toReversed();
        expect(told).toEqual(meantToBe.slice(-20));
      }
      const revision = (await own.memoryStores.standing([storeId]))[0]?.revision;
      expect(revision).toBe([...model.history.values()].flat().length);
    });
    await fc.assert(property, { numRuns: 25 });
  }, 120_000);

  it('is never left with overlapping paths or a broken history by writers that race', async () => {
    const writers = fc.array(fc.array(step, { minLength: 1, maxLength: 6 }), { minLength: 2, maxLength: 4 });
    const property = fc.asyncProperty(writers, async (several) => {
      const { id: storeId } = await newStore();
      await Promise.all(several.map((steps) => race(storeId, steps)));
      const there = await everything(storeId);
      for (const one of there)
        for (const other of there)
          if (one.id !== other.id) expect(overlaps(one.path, other.path)).toBe(false);
      const { data } = await own.memoryVersions.list({ storeId, view: 'full', created: {}, limit: 100 });
      const byMemory = Map.groupBy(data, ({ memory_id }) => memory_id);
      for (const [id, versions] of byMemory) {
        const [head] = versions;
        const kinds = versions.map(({ operation }) => operation).toReversed();
        expect(kinds.join(' ')).toMatch(/^created( modified)*( deleted)?$/);
        const memory = there.find((one) => one.id === id);
        if (memory === undefined) expect(head?.operation).toBe('deleted');
        else expect(head).toMatchObject({ path: memory.path, content: memory.content });
      }
      expect((await own.memoryStores.standing([storeId]))[0]?.revision).toBe(data.length);
    });
    await fc.assert(property, { numRuns: 15 });
  }, 120_000);
});

/** Does each step to whatever is there then; how it is refused is left to it. */
async function race(storeId: string, steps: Step[]): Promise<void> {
  const by = { actor: KEY, view: 'basic' as const, now: ++now };
  for (const next of steps) {
    if (next.do === 'create') {
      const { path: at, content: text } = next;
      await outcome(own.memories.create({ storeId, path: at, content: text, ...by }));
      continue;
    }
    const there = await everything(storeId);
    const id = there[next.which % Math.max(1, there.length)]?.id ?? 'mem_none';
    const expectedSha256 = next.expected === undefined ? undefined : await sha(next.expected);
    if (next.do === 'delete') await outcome(own.memories.delete({ storeId, id }, { expectedSha256, ...by }));
    else {
      const { path: at, content: text } = next;
      await outcome(own.memories.update({ storeId, id }, { path: at, content: text, expectedSha256, ...by }));
    }
  }
}
