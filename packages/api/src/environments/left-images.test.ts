// Images that environments have left, on a real D1: deleted once, late enough, and never one that is in use.
import { OPEN_CLOUD } from '@capstan/db/environments';
import { REBUILD_MS } from '@capstan/db/image-record';
import { LEFT_IMAGE_GRACE_MS } from '@capstan/db/left-images';
import { stores } from '@capstan/db/stores';
import { openTestDatabase, type TestDatabase } from '@capstan/db/testing';
import { silentLogger } from '@capstan/shared/logger';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { keepImage } from './image-keeper.ts';
import { sweepLeftImages } from './left-images.ts';

const tenantId = 'tnt_left';
const cloud = (pip: string[]) => ({ ...OPEN_CLOUD, packages: { ...OPEN_CLOUD.packages, pip } });

let database: TestDatabase;
let now: number;
/** Ids are numbered over all tests: they share the tables. */
let made = 0;
let deleted: string[];
let away: boolean;
let during: () => Promise<void>;

beforeAll(async () => {
  database = await openTestDatabase();
});
afterAll(() => database.close());
beforeEach(() => {
  now = Date.parse('2026-11-21T18:00:00Z') + made * 30 * REBUILD_MS;
  deleted = [];
  away = false;
  during = async () => {};
});

const mine = () => stores(database.db, tenantId);
const builder = {
  buildImage: async () => {
    const imageId = `im-${++made}`;
    await during();
    return { built: true as const, imageId };
  },
  deleteImage: async (imageId: string) => {
    if (away) throw new Error('nobody is there');
    deleted.push(imageId);
  },
};
const keep = (environmentId: string) =>
  keepImage(
    { db: database.db, builder, clock: { now: () => now }, logger: silentLogger },
    { tenantId, environmentId },
  );
const sweep = () => sweepLeftImages({ db: database.db, builder, logger: silentLogger }, now);

/** With its image built. */
async function environment(pip = ['pandas']): Promise<{ id: string; imageId: string }> {
  const said = { name: 'Data', description: null, metadata: {}, scope: 'organization' as const };
  const { id } = await mine().environments.create({ ...said, config: cloud(pip), now });
  await keep(id);
  return { id, imageId: `im-${made}` };
}

async function rebuilt(id: string): Promise<string> {
  await mine().environmentImages.use(id, cloud(['pandas']), now + 1);
  now += REBUILD_MS;
  await keep(id);
  return `im-${made}`;
}

describe('an image', () => {
  it('that a later build has replaced is deleted two days after, once', async () => {
    const { id, imageId } = await environment();
    const second = await rebuilt(id);
    now += LEFT_IMAGE_GRACE_MS - 1;
    expect([await sweep(), deleted]).toEqual([0, []]);
    now += 1;
    expect([await sweep(), await sweep(), deleted]).toEqual([1, 0, [imageId]]);
    const third = await rebuilt(id);
    now += 10 * REBUILD_MS;
    await sweep();
    expect(deleted).toEqual([imageId, second]);
    expect(third).not.toBe(second);
  });

  it.each<[string, (id: string) => Promise<unknown>]>([
    ['has other packages', (id) => mine().environments.update(id, { config: () => cloud(['polars']) }, now)],
    ['has none any more', (id) => mine().environments.update(id, { config: () => OPEN_CLOUD }, now)],
    ['is archived', (id) => mine().environments.archive(id, now)],
    ['is deleted', (id) => mine().environments.delete(id, now)],
  ])('of an environment that %s is deleted', async (_, change) => {
    const { id, imageId } = await environment();
    now += 1_000;
    await change(id);
    now += LEFT_IMAGE_GRACE_MS;
    await sweep();
    expect(deleted).toEqual([imageId]);
  });

  it('in use stays, whatever else becomes of its environment', async () => {
    const { id } = await environment();
    await mine().environments.update(id, { name: 'Renamed' }, now + 1);
    now += 10 * REBUILD_MS;
    // It sleeps.
    await keep(id);
    expect([await sweep(), deleted]).toEqual([0, []]);
  });

  it('that was built for packages that are others by then is deleted', async () => {
    const { id } = await environment();
    during = async () => {
      during = async () => {};
      now += 1_000;
      await mine().environments.update(id, { config: () => cloud(['polars']) }, now);
    };
    const first = `im-${made}`;
    const late = await rebuilt(id);
    await keep(id);
    now += 10 * REBUILD_MS;
    await sweep();
    expect(deleted.toSorted()).toEqual([first, late].toSorted());
  });

  it('that was noted by two keepers at once is not deleted while it is in use, nor at once after it', async () => {
    const { id, imageId } = await environment();
    await mine().environmentImages.leave(imageId, now);
    now += 10 * REBUILD_MS;
    expect(await sweep()).toBe(0);
    await rebuilt(id);
    expect(await sweep()).toBe(0);
    now += LEFT_IMAGE_GRACE_MS;
    expect([await sweep(), deleted]).toEqual([1, [imageId]]);
  });

  it('that cannot be deleted now is tried again', async () => {
    const { id, imageId } = await environment();
    await mine().environments.delete(id, now);
    now += LEFT_IMAGE_GRACE_MS;
    away = true;
    expect(await sweep()).toBe(0);
    away = false;
    expect([await sweep(), deleted]).toEqual([1, [imageId]]);
  });
});
