import { ApiKeyStore, DEFAULT_TENANT } from '@capstan/db/api-keys';
import { OPEN_CLOUD } from '@capstan/db/environments';
import { stores } from '@capstan/db/stores';
import { openTestDatabase, type TestDatabase } from '@capstan/db/testing';
import { plainAgent } from '@capstan/db/testing-agent';
import { silentLogger } from '@capstan/shared/logger';
import { createSealer } from '@capstan/shared/seal';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Api, createApi } from '../app.ts';
import { sha256Hex } from '../auth/digest.ts';
import type { ApiPorts } from '../ports.ts';

const KEY = 'a-key';
const schedule = { type: 'cron', expression: '0 9 * * *', timezone: 'UTC' };
let database: TestDatabase;
let api: Api;
let parts: { agent: string; environment_id: string };
/** What happened, in its order: the clock is told to expect or to look, or the database is written to. */
let steps: string[] = [];

beforeAll(async () => {
  database = await openTestDatabase();
  const now = Date.now();
  const named = { tenantId: DEFAULT_TENANT, name: 'Test', lastFour: '-key' };
  await new ApiKeyStore(database.db).create({ ...named, hash: await sha256Hex(KEY), now });
  const { agents, environments } = stores(database.db, DEFAULT_TENANT);
  const settings = plainAgent('Reporter');
  const agent = await agents.create({ settings, metadata: {}, now });
  const scope = 'organization' as const;
  const about = { name: 'Cloud', description: null, metadata: {}, scope, now };
  const environment = await environments.create({ ...about, config: OPEN_CLOUD });
  parts = { agent: agent.id, environment_id: environment.id };
  const step = (name: string) => async () => void steps.push(name);
  const db = new Proxy(database.db, {
    get(target, key) {
      if (key === 'batch' || key === 'update') steps.push('write');
      return Reflect.get(target, key);
    },
  });
  api = createApi({
    db,
    clocks: { expect: step('expect'), look: step('look') },
    sealer: createSealer(['a root secret'], 'tests'),
    secrets: { root: 'a root secret for tests, 32 characters', bootstrapKeyHash: null },
    reach: {},
    clock: Date,
    logger: silentLogger,
    version: 'test',
    previewHost: null,
    maxBodyBytes: 1_000_000,
    rateLimits: { creates: 1_000, reads: 1_000 },
  } as unknown as ApiPorts);
});
afterAll(() => database.close());

async function call(path: string, body: object = {}): Promise<{ id: string }> {
  const request = new Request(`http://localhost/v1/deployments${path}`, {
    method: 'POST',
    headers: { 'x-api-key': KEY, 'content-type': 'application/json' },
    body: JSON.stringify(body),
  });
  steps = [];
  const response = await api.fetch(request);
  expect(response.status, await response.clone().text()).toBe(200);
  return response.json();
}

/** Each once, as often as the database may have been written to. */
const order = () => steps.filter((step, index) => step !== steps[index - 1]);
const initial_events = [{ type: 'user.message', content: [{ type: 'text', text: 'Write.' }] }];

describe('the clock of a deployment', () => {
  it('is told before a schedule is written that it comes, and to look once it is there', async () => {
    const told = ['expect', 'write', 'look'];
    const { id } = await call('', { ...parts, name: 'Report', initial_events, schedule });
    expect(order()).toEqual(told);
    await call(`/${id}/pause`);
    expect(order()).toEqual(['write']);
    await call(`/${id}/unpause`);
    expect(order()).toEqual(told);
    await call(`/${id}`, { schedule: { ...schedule, timezone: 'Europe/Berlin' } });
    expect(order()).toEqual(told);
    await call(`/${id}`, { name: 'Other' });
    expect(order()).toEqual(['write']);
  });

  it('is none of a deployment without a schedule', async () => {
    const { id } = await call('', { ...parts, name: 'By hand', initial_events });
    await call(`/${id}/pause`);
    await call(`/${id}/unpause`);
    expect(order()).toEqual(['write']);
  });
});
