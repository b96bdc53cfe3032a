import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { settle, sweepBlobs } from './blob-debts.ts';
import type { Blobs } from './blobs.ts';
import type { FileStore } from './files.ts';
import { stores } from './stores.ts';
import { blobDebts, files } from './tables/files.ts';
import { openTestDatabase, type TestDatabase } from './testing.ts';

let database: TestDatabase;
let own: FileStore;
let strange: FileStore;

beforeAll(async () => {
  database = await openTestDatabase();
  own = stores(database.db, 'tnt_own').files;
  strange = stores(database.db, 'tnt_strange').files;
});
afterAll(() => database.close());

const DAY_MS = 86_400_000;
const content = { sizeBytes: 3, digest: 'd'.repeat(64) };
const named = { filename: 'a.txt', mimeType: 'text/plain', downloadable: false, content };

async function upload(now: number, more: { expiresAt?: number } = {}) {
  const expected = await own.expect(now);
  const made = await own.create({ kind: 'upload', ...named, ...expected, ...more, now });
  return { ...made, blob: expected.blob };
}

const debts = async () => (await database.db.select().from(blobDebts)).map(({ blob }) => blob);

/** Remembers what was removed. */
function shelfOf(removed: string[]) {
  const blobs: Pick<Blobs, 'remove'> = {
    remove: async (keys) => {
      removed.push(...keys);
    },
  };
  const none = () => Promise.reject(new TypeError('not asked for'));
  return { db: database.db, blobs: { put: none, get: none, ...blobs } };
}

describe('a file', () => {
  it('is its tenant’s alone', async () => {
    const { id } = await upload(1_000);
    expect(await own.row(id)).toMatchObject({ id, filename: 'a.txt', sessionId: null });
    await expect(strange.row(id)).rejects.toMatchObject({ code: 'not_found' });
    expect(await strange.remove(id, 2_000)).toBeNull();
    expect(await strange.pick([id])).toEqual([]);
    expect((await strange.list({ limit: 10, order: 'desc' })).data).toEqual([]);
    expect(await own.row(id)).toMatchObject({ id });
  });

  it('and the debt of its blob are never there together', async () => {
    const expected = await own.expect(5_000);
    expect(await debts()).toContain(expected.blob);
    await own.create({ kind: 'upload', ...named, ...expected, now: 6_000 });
    expect(await debts()).not.toContain(expected.blob);
    expect(await own.remove(expected.id, 7_000)).toEqual([expected.blob]);
    expect(await debts()).toContain(expected.blob);
    const removed: string[] = [];
    await settle(shelfOf(removed), [expected.blob]);
    expect(removed).toEqual([expected.blob]);
    expect(await debts()).not.toContain(expected.blob);
  });

  it('that arrives after its blob was given up is refused, and keeps nothing', async () => {
    const expected = await own.expect(0);
    const late = own.create({ kind: 'upload', ...named, ...expected, now: 2 * DAY_MS });
    await expect(late).rejects.toMatchObject({ code: 'unavailable' });
    await expect(own.row(expected.id)).rejects.toMatchObject({ code: 'not_found' });
    expect(await debts()).toContain(expected.blob);
  });

  it('shares its blob: that is owed with the last one', async () => {
    const first = await upload(8_000);
    const row = await own.row(first.id);
    const copy = { ...row, id: 'file_copy', kind: 'copy' as const };
    await database.db.insert(files).values(copy);
    expect(await own.remove(first.id, 9_000)).toEqual([]);
    expect(await own.remove('file_copy', 9_000)).toEqual([first.blob]);
  });
});

describe('a list of files', () => {
  it('is read through the index that holds just what it shows', async () => {
    const plan = async (where: string) => {
      const explain = `EXPLAIN QUERY PLAN SELECT * FROM files WHERE ${where} ORDER BY id DESC LIMIT 21`;
      const { results } = await database.binding.prepare(explain).all<{ detail: string }>();
      return results.map(({ detail }) => detail).join('; ');
    };
    const all = await plan("tenant_id = 't' AND kind <> 'copy' AND id < 'x'");
    expect(all).toMatch(/SEARCH files USING INDEX files_listed \(tenant_id=\? AND id<\?\)$/);
    const scoped = await plan("tenant_id = 't' AND session_id = 's' AND kind = 'output' AND id < 'x'");
    expect(scoped).toMatch(
      /SEARCH files USING INDEX files_session \(tenant_id=\? AND session_id=\? AND id<\?\)$/,
    );
  });
});

describe('the sweep', () => {
  it('removes what uploads that died have left, and no blob of a file', async () => {
    const died = await own.expect(20_000);
    const { blob } = await upload(20_000);
    const removed: string[] = [];
    await sweepBlobs(shelfOf(removed), 20_000 + DAY_MS - 1);
    expect(removed).not.toContain(died.blob);
    await sweepBlobs(shelfOf(removed), 20_000 + DAY_MS + 600_000);
    expect(removed).toContain(died.blob);
    expect(removed).not.toContain(blob);
    expect(await debts()).not.toContain(died.blob);
  });

  it('takes the content of a file that has expired, and leaves what is known of it', async () => {
    const now = 400 * DAY_MS;
    const { id, blob } = await upload(now, { expiresAt: now + 3_600_000 });
    const removed: string[] = [];
    await sweepBlobs(shelfOf(removed), now + 3_599_999);
    expect(removed).not.toContain(blob);
    await sweepBlobs(shelfOf(removed), now + 3_600_000);
    expect(removed).toContain(blob);
    expect(await own.row(id)).toMatchObject({ blob: null });
  });

  it('leaves the debt of what it could not remove', async () => {
    const { id, blob } = await upload(30_000);
    await own.remove(id, 30_001);
    const shelf = shelfOf([]);
    const broken = {
      ...shelf,
      blobs: { ...shelf.blobs, remove: () => Promise.reject(new TypeError('away')) },
    };
    await expect(settle(broken, [blob])).rejects.toThrow('away');
    await expect(sweepBlobs(broken, 500 * DAY_MS)).rejects.toThrow('away');
    expect(await debts()).toContain(blob);
  });
});
