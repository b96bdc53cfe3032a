import { afterAll, beforeAll, beforeEach, expect, it } from 'vitest';
import { sweepBlobs } from './blob-debts.ts';
import { type Blobs, Digester } from './blobs.ts';
import { keepOutputs } from './session-outputs.ts';
import { stores } from './stores.ts';
import { blobDebts, files } from './tables/files.ts';
import { openTestDatabase, type TestDatabase } from './testing.ts';

/** In memory; remembers how many are on their way. */
class MemoryBlobs implements Blobs {
  contents = new Map<string, Buffer>();
  atOnce = 0;
  mostAtOnce = 0;

  async put(key: string, content: AsyncIterable<Uint8Array>) {
    this.mostAtOnce = Math.max(this.mostAtOnce, ++this.atOnce);
    try {
      const pieces: Uint8Array[] = [];
      for await (const piece of content) pieces.push(piece);
      const whole = Buffer.concat(pieces);
      const digester = new Digester();
      await digester.add(whole);
      this.contents.set(key, whole);
      return await digester.end();
    } finally {
      this.atOnce -= 1;
    }
  }

  async get(key: string) {
    const content = this.contents.get(key);
    return content === undefined ? null : new Blob([content]).stream();
  }

  async remove(keys: readonly string[]) {
    for (const key of keys) this.contents.delete(key);
  }
}

const DAY_MS = 86_400_000;
let database: TestDatabase;
let blobs: MemoryBlobs;

beforeAll(async () => {
  database = await openTestDatabase();
}, 60_000);
afterAll(() => database.close());
beforeEach(async () => {
  blobs = new MemoryBlobs();
  await database.db.batch([database.db.delete(files), database.db.delete(blobDebts)]);
});

async function* bytesOf(text: string) {
  if (text !== '') yield Buffer.from(text);
}
const named = (filename: string, text: string) => ({
  filename,
  mimeType: 'text/plain',
  content: bytesOf(text),
});
const keep = (outputs: Parameters<typeof keepOutputs>[2], scope = {}) =>
  keepOutputs(
    { db: database.db, blobs },
    { tenantId: 'tnt_a', sessionId: 'sesn_1', now: 1_000, ...scope },
    outputs,
  );
const rows = () => database.db.select().from(files);
const debts = () => database.db.select().from(blobDebts);
/** Names and contents, as the table and the blobs have them together. */
const kept = async () =>
  (await rows())
    .map(({ filename, blob }) => [filename, blobs.contents.get(blob ?? '')?.toString()])
    .toSorted();

it('any number of them are files of their session, with their contents, and nothing is owed', async () => {
  const given = Array.from(
    { length: 250 },
    (_, index) => [`d\n/"${index}" \\u0041 ü`, `text ${index}`] as const,
  );
  await keep([...given.map(([filename, text]) => named(filename, text)), named('empty', '')]);
  expect(await kept()).toEqual([...given.map(([...pair]) => pair), ['empty', '']].toSorted());
  expect(await debts()).toEqual([]);
  expect(blobs.contents.size).toBe(251);
  expect(blobs.mostAtOnce).toBeLessThanOrEqual(6);
  const listed = await stores(database.db, 'tnt_a').files.list({
    limit: 1,
    order: 'asc',
    sessionId: 'sesn_1',
  });
  expect(listed.data).toEqual([
    {
      ...{ id: expect.stringMatching(/^file_[0-9a-z]{24}$/), type: 'file', mime_type: 'text/plain' },
      ...{
        filename: expect.any(String),
        size_bytes: expect.any(Number),
        downloadable: true,
        expires_at: null,
      },
      ...{ created_at: '1970-01-01T00:00:01.000Z', scope: { type: 'session', id: 'sesn_1' } },
    },
  ]);
  const [row] = (await rows()).filter(({ filename }) => filename === 'empty');
  expect(row).toMatchObject({ kind: 'output', sizeBytes: 0, blob: `t/tnt_a/files/${row?.id}` });
});

it('each name and content is kept once, in each session', async () => {
  await keep([named('a', 'one'), named('b', 'one')]);
  await keep([named('a', 'one'), named('a', 'two'), named('c', 'one')]);
  const once = [
    ['a', 'one'],
    ['a', 'two'],
    ['b', 'one'],
    ['c', 'one'],
  ];
  expect(await kept()).toEqual(once);
  expect([blobs.contents.size, await debts()]).toEqual([4, []]);
  await keep([named('a', 'one')], { sessionId: 'sesn_2' });
  await keep([named('a', 'two'), named('a', 'two')], { tenantId: 'tnt_b', sessionId: 'sesn_3' });
  expect(await kept()).toEqual([...once, ['a', 'one'], ['a', 'two']].toSorted());
  expect([blobs.contents.size, await debts()]).toEqual([6, []]);
  const strange = await stores(database.db, 'tnt_b').files.list({ limit: 9, order: 'asc' });
  expect(strange.data.map(({ filename, scope }) => [filename, scope?.id])).toEqual([['a', 'sesn_3']]);
});

it('what was there already and cannot be removed stays owed', async () => {
  await keep([named('a', 'one')]);
  blobs.remove = () => Promise.reject(new TypeError('away'));
  await expect(keep([named('a', 'one'), named('b', 'two')])).rejects.toThrow('away');
  const own = (await rows()).map(({ blob }) => blob);
  expect((await debts()).map(({ blob }) => blob)).toEqual(
    [...blobs.contents.keys()].filter((key) => !own.includes(key)),
  );
  expect([own.length, blobs.contents.size]).toEqual([2, 3]);
});

it('none is kept when the content of one breaks off', async () => {
  async function* broken() {
    yield Buffer.from('some');
    throw new TypeError('changed');
  }
  const outputs = Array.from({ length: 20 }, (_, index) => named(String(index), 'text'));
  await expect(keep([...outputs, { ...named('x', ''), content: broken() }])).rejects.toThrow('changed');
  expect([await rows(), await debts(), blobs.contents.size]).toEqual([[], [], 0]);
});

it('while they come they are owed, and what was given up meanwhile is not kept', async () => {
  async function* late() {
    expect(await debts()).toHaveLength(2);
    await sweepBlobs({ db: database.db, blobs }, 3 * DAY_MS);
    yield Buffer.from('late');
  }
  await keep([{ ...named('late', ''), content: late() }, named('other', 'text')]);
  expect([await rows(), await debts(), blobs.contents.size]).toEqual([[], [], 0]);
});
