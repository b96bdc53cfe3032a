// The keeper of an image on a real D1: what is owed is built once, and whatever dies is gone on with.

import { dueImages } from '@capstan/db/environment-images';
import { OPEN_CLOUD } from '@capstan/db/environments';
import { REBUILD_MS, RETRY_MS } from '@capstan/db/image-record';
import { stores } from '@capstan/db/stores';
import { openTestDatabase, type TestDatabase } from '@capstan/db/testing';
import type { BuildOutcome } from '@capstan/schema/environment-images';
import { silentLogger } from '@capstan/shared/logger';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { keepImage } from './image-keeper.ts';

const tenantId = 'tnt_images';
const packages = (pip: string[]) => ({ ...OPEN_CLOUD.packages, pip });
const cloud = (pip: string[]) => ({ ...OPEN_CLOUD, packages: packages(pip) });

let database: TestDatabase;
let now: number;
/** Stamps that were asked for. */
let asked: string[];
let deleted: string[];
let build: () => Promise<BuildOutcome>;
const builtAs = (imageId: string): BuildOutcome => ({ built: true, imageId });

beforeAll(async () => {
  database = await openTestDatabase();
});
afterAll(() => database.close());
beforeEach(() => {
  now = Date.parse('2026-11-21T18:00:00Z');
  asked = [];
  deleted = [];
  build = async () => builtAs('im-1');
});

const mine = () => stores(database.db, tenantId);

async function made(pip: string[]): Promise<string> {
  const input = {
    name: 'Data',
    description: null,
    config: cloud(pip),
    metadata: {},
    scope: 'organization' as const,
  };
  return (await mine().environments.create({ ...input, now })).id;
}

const keep = (environmentId: string) =>
  keepImage(
    {
      db: database.db,
      builder: {
        buildImage: (_packages, stamp) => {
          asked.push(stamp);
          return build();
        },
        deleteImage: async (imageId) => void deleted.push(imageId),
      },
      clock: { now: () => now },
      logger: silentLogger,
    },
    { tenantId, environmentId },
  );

const imageOf = async (id: string) => (await mine().environments.retrieve(id)).capstan.image;
const due = async () => (await dueImages(database.db, now, 1_000)).map(({ environmentId }) => environmentId);

describe('the image of an environment', () => {
  it('is owed from the moment that its packages are written, and built once', async () => {
    const id = await made(['pandas']);
    expect(await imageOf(id)).toEqual({ state: 'building', built_at: null, error: null });
    expect(await due()).toContain(id);
    expect(await keep(id)).toBe(now + REBUILD_MS);
    expect(await keep(id)).toBe(now + REBUILD_MS);
    expect(asked).toHaveLength(1);
    expect(await imageOf(id)).toEqual({ state: 'ready', built_at: '2026-11-21T18:00:00.000Z', error: null });
    expect(await due()).not.toContain(id);
  });

  it('is asked for as the same build by whoever comes after a death', async () => {
    const id = await made(['pandas']);
    build = () => Promise.reject(new Error('the process died'));
    await expect(keep(id)).rejects.toThrow('died');
    now += 60_000;
    expect(await due()).toContain(id);
    build = async () => builtAs('im-1');
    await keep(id);
    expect(new Set(asked).size).toBe(1);
    expect(await mine().environmentImages.use(id, cloud(['pandas']), now)).toBe(asked[0]);
  });

  it('that fails says why, is tried again, and does not take the place of the one in use', async () => {
    const id = await made(['pandas']);
    await keep(id);
    await mine().environmentImages.use(id, cloud(['pandas']), now + 1);
    now += REBUILD_MS;
    build = async () => ({ built: false, error: 'E: no such package' });
    expect(await keep(id)).toBe(now + RETRY_MS);
    expect(await imageOf(id)).toEqual({
      state: 'failed',
      built_at: '2026-11-21T18:00:00.000Z',
      error: 'E: no such package',
    });
    expect(asked).toHaveLength(2);
    expect(await mine().environmentImages.use(id, cloud(['pandas']), now)).toBe(asked[0]);
  });

  it('is built daily as long as it is used, and sleeps until somebody does', async () => {
    const id = await made(['pandas']);
    await keep(id);
    now += REBUILD_MS;
    expect(await keep(id)).toBeNull();
    expect(asked).toHaveLength(1);
    await mine().environmentImages.use(id, cloud(['pandas']), now);
    expect(await due()).toContain(id);
    expect(await keep(id)).toBe(now + REBUILD_MS);
    expect(asked[1]).not.toBe(asked[0]);
  });

  it('of other packages is another: what was built meanwhile for the old ones is not recorded', async () => {
    const id = await made(['pandas']);
    build = async () => {
      now += 1_000;
      await mine().environments.update(id, { config: () => cloud(['polars']) }, now);
      build = async () => builtAs('im-1');
      return builtAs('im-1');
    };
    expect(await keep(id)).toBe(now);
    expect(await imageOf(id)).toMatchObject({ state: 'building', built_at: null });
    await keep(id);
    expect(await imageOf(id)).toMatchObject({ state: 'ready' });
    expect(await mine().environmentImages.use(id, cloud(['pandas']), now)).toBeNull();
    expect(await mine().environmentImages.use(id, cloud(['polars']), now)).toBe(asked[1]);
  });

  it('is kept when something else changes, and owed no more when there are no packages', async () => {
    const id = await made(['pandas']);
    await keep(id);
    const before = await imageOf(id);
    await mine().environments.update(id, { name: 'Renamed' }, now);
    expect(await imageOf(id)).toEqual(before);
    await mine().environments.update(id, { config: () => OPEN_CLOUD }, now);
    expect(await imageOf(id)).toBeNull();
    expect(await keep(id)).toBeNull();
  });

  it('is not built for an environment that is archived or gone, nor for another tenant', async () => {
    const id = await made(['pandas']);
    expect(
      await stores(database.db, 'tnt_other').environmentImages.use(id, cloud(['pandas']), now),
    ).toBeNull();
    await mine().environments.archive(id, now);
    expect(await keep(id)).toBeNull();
    expect(await due()).not.toContain(id);
    const other = await made(['pandas']);
    await mine().environments.delete(other, now);
    expect(await keep(other)).toBeNull();
    expect(asked).toEqual([]);
  });
});
