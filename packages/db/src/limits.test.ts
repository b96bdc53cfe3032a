// What a tenant may have of a noun it has at most, however many requests come at the same time.
import { MAX_ENVIRONMENT_KEYS } from '@capstan/schema/environment-keys';
import { MAX_MODEL_CARDS } from '@capstan/schema/model-cards';
import { MAX_ENDPOINTS } from '@capstan/schema/webhooks';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { stores } from './stores.ts';
import { openTestDatabase, type TestDatabase } from './testing.ts';

let database: TestDatabase;

beforeAll(async () => {
  database = await openTestDatabase();
});
afterAll(() => database.close());

const mine = () => stores(database.db, 'tnt_a');

/** How many of the requests were granted, and what the others were told. */
async function race(requests: number, create: (index: number) => Promise<unknown>) {
  const all = await Promise.allSettled(Array.from({ length: requests }, (_, index) => create(index)));
  const refused = all.flatMap((one) => (one.status === 'rejected' ? [String(one.reason)] : []));
  return { granted: all.length - refused.length, refused: [...new Set(refused)] };
}

describe('requests that race', () => {
  it('make no webhook endpoint too many', async () => {
    const about = { url: 'https://example.com/', name: '', description: '', secret: 'sealed', now: 1 };
    const ended = await race(MAX_ENDPOINTS + 4, (index) =>
      mine().webhooks.create({ ...about, id: `whep_${index}`, enabledEvents: ['*'] }),
    );
    expect(ended).toEqual({
      granted: MAX_ENDPOINTS,
      refused: [expect.stringContaining(`at most ${MAX_ENDPOINTS} webhook endpoints`)],
    });
  });

  it('make no model card too many, and none twice', async () => {
    const content = {
      displayName: 'Model',
      protocol: 'anthropic_messages' as const,
      baseUrl: 'https://example.com',
      providerModel: 'model',
      apiKey: null,
      apiKeyLastFour: null,
      contextWindow: null,
      maxOutputTokens: null,
      price: null,
      metadata: {},
      now: 1,
    };
    const create = (index: number) =>
      mine().modelCards.create({ ...content, id: `mcard_${index}`, modelId: `model-${index}` });
    const again = { ...content, id: 'mcard_again', modelId: 'model-0' };
    await create(0);
    await expect(mine().modelCards.create(again)).rejects.toMatchObject({ code: 'conflict' });
    const ended = await race(MAX_MODEL_CARDS + 3, (index) => create(index + 1));
    expect(ended).toEqual({
      granted: MAX_MODEL_CARDS - 1,
      refused: [expect.stringContaining(`There are ${MAX_MODEL_CARDS} model cards already`)],
    });
  }, 60_000);

  it('make no environment key too many, and none of an environment that is gone', async () => {
    const environment = await mine().environments.create({
      name: 'Own',
      description: null,
      config: { type: 'self_hosted' },
      metadata: {},
      scope: 'organization',
      now: 1,
    });
    const create = (environmentId: string, index: number) =>
      mine().environmentKeys.create({
        environmentId,
        name: 'Key',
        hash: `hash ${index}`,
        prefix: 'sk',
        lastFour: 'abcd',
        now: 1,
      });
    const ended = await race(MAX_ENVIRONMENT_KEYS + 3, (index) => create(environment.id, index));
    expect(ended).toEqual({
      granted: MAX_ENVIRONMENT_KEYS,
      refused: [expect.stringContaining(`has ${MAX_ENVIRONMENT_KEYS} keys`)],
    });
    await mine().environments.delete(environment.id, 2);
    await expect(create(environment.id, 1_000)).rejects.toMatchObject({ code: 'not_found' });
  }, 60_000);
});
