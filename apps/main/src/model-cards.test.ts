import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import Anthropic from '@anthropic-ai/sdk';
import type { ModelCard } from '@capstan/schema/model-cards';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { openWorld, sha256Hex, type World } from './testing/world.ts';

const KEY = 'canary-key-of-a-provider-0000abcd';

let world: World;
let client: Anthropic;
let server: Server;
let origin: string;
/** What the provider answers, and what it was asked for and with. */
let status: number;
let asked: { path: string; headers: IncomingMessage['headers'] }[];

beforeAll(async () => {
  server = createServer((request: IncomingMessage, response: ServerResponse) => {
    asked.push({ path: request.url ?? '', headers: request.headers });
    response.writeHead(status, { 'content-type': 'application/json' });
    response.end(JSON.stringify({ error: { message: `not with ${KEY} and a long story` } }));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port }: Pick<AddressInfo, 'port'> = Object(server.address());
  origin = `http://127.0.0.1:${port}`;
  world = await openWorld({
    secrets: {
      PLATFORM_ROOT_SECRET: 'a root secret for tests, 32 characters and more',
      BOOTSTRAP_API_KEY_SHA256: await sha256Hex('test-key-of-the-default-tenant'),
      PRIVATE_HOSTS: `127.0.0.1:${port}`,
    },
  });
  client = new Anthropic({ apiKey: world.key, baseURL: world.url, maxRetries: 0 });
});
afterAll(async () => {
  await world.close();
  server.close();
});
beforeEach(async () => {
  [status, asked] = [200, []];
  for (const { id } of (await request<{ data: ModelCard[] }>('GET', '/v1/model_cards?limit=100')).body.data)
    await request('DELETE', `/v1/model_cards/${id}`);
});

async function request<T>(method: string, path: string, body?: object) {
  const headers = { 'x-api-key': world.key, 'content-type': 'application/json' };
  const response = await world.fetch(path, { method, headers, ...(body && { body: JSON.stringify(body) }) });
  const text = await response.text();
  const parsed: T = JSON.parse(text);
  return { status: response.status, body: parsed, text };
}

const card = (over: object = {}) => ({
  model_id: 'our-model',
  protocol: 'openai_chat_completions',
  base_url: `${origin}/v1`,
  api_key: KEY,
  ...over,
});
const create = async (over: object = {}) => request<ModelCard>('POST', '/v1/model_cards', card(over));

describe('a model card', () => {
  it('is tested with its provider, sealed, and never shows its key again', async () => {
    const price = { input: 1.5, output: 6, cache_read: 0.15 };
    const made = await create({ price, context_window: 32_000, metadata: { team: 'a' } });
    expect(made.status, made.text).toBe(200);
    expect(made.body).toEqual({
      id: expect.stringMatching(/^mcard_/),
      type: 'model_card',
      model_id: 'our-model',
      display_name: 'our-model',
      protocol: 'openai_chat_completions',
      base_url: `${origin}/v1`,
      provider_model: 'our-model',
      api_key_last_four: 'abcd',
      context_window: 32_000,
      max_output_tokens: null,
      price: { input: 1.5, output: 6, cache_read: 0.15, cache_write: 1.5 },
      metadata: { team: 'a' },
      created_at: expect.any(String),
      updated_at: expect.any(String),
    });
    expect(asked).toHaveLength(1);
    expect(asked[0]).toMatchObject({ path: '/v1/models', headers: { authorization: `Bearer ${KEY}` } });
    const shown = await request<ModelCard>('GET', `/v1/model_cards/${made.body.id}`);
    expect(shown.body).toEqual(made.body);
    const listed = await request('GET', '/v1/model_cards');
    expect(made.text + shown.text + listed.text + world.logs().join()).not.toContain('canary');
    const stranger = { headers: { 'x-api-key': world.strangerKey } };
    expect((await world.fetch(`/v1/model_cards/${made.body.id}`, stranger)).status).toBe(404);
  });

  it('asks a provider of the Messages API as that is asked', async () => {
    await create({ protocol: 'anthropic_messages', base_url: origin });
    expect(asked[0]).toMatchObject({ path: '/v1/models', headers: { 'x-api-key': KEY } });
    expect(asked[0]?.headers.authorization).toBeUndefined();
  });

  it.each([
    [401, {}, /^api_key: the provider refuses the key \(status 401\)$/],
    [403, { api_key: null }, /^api_key: the provider wants a key \(status 403\)$/],
    [502, {}, /^base_url: the provider answers 502/],
  ])('is refused when the provider answers %i, without its words', async (answered, over, message) => {
    status = answered;
    const refused = await create(over);
    expect(refused.status).toBe(400);
    expect(refused.body).toMatchObject({ error: { message: expect.stringMatching(message) } });
    expect(refused.text).not.toMatch(/canary|long story/);
    expect((await request<{ data: [] }>('GET', '/v1/model_cards')).body.data).toEqual([]);
    expect((await create({ ...over, test: false })).status).toBe(200);
  });

  it.each([
    ['http://169.254.169.254/v1', /^base_url: /],
    ['http://127.0.0.1:1/v1', /^base_url: /],
    ['https://localhost/v1', /^base_url: /],
    ['https://user:pass@example.com/v1', /^base_url: must have no/],
    ['ftp://example.com', /^base_url: expected an http/],
  ])('has no address like %s, tested or not', async (base_url, message) => {
    const refused = await create({ base_url, test: false });
    expect(refused.status).toBe(400);
    expect(refused.body).toMatchObject({ error: { message: expect.stringMatching(message) } });
  });

  it('is the only one of its model', async () => {
    await create();
    const second = await create();
    expect(second.status).toBe(409);
    expect(second.body).toMatchObject({
      error: { message: expect.stringContaining('our-model has a card') },
    });
  });

  it('changes what is given, asks again only when that matters, and sends no key to another host', async () => {
    const { body: made } = await create();
    const path = `/v1/model_cards/${made.id}`;
    asked = [];
    const named = await request<ModelCard>('POST', path, { display_name: 'Ours', max_output_tokens: 4_000 });
    expect(named.body).toMatchObject({
      display_name: 'Ours',
      max_output_tokens: 4_000,
      api_key_last_four: 'abcd',
    });
    expect(asked).toEqual([]);
    const moved = await request<ModelCard>('POST', path, {
      base_url: 'https://api.example.com/v1',
      test: false,
    });
    expect(moved.body).toMatchObject({ error: { message: expect.stringMatching(/^api_key: give the key/) } });
    status = 401;
    expect((await request('POST', path, { api_key: 'another-key-of-theirs-9999' })).status).toBe(400);
    expect((await request<ModelCard>('GET', path)).body.api_key_last_four).toBe('abcd');
    status = 200;
    const rotated = await request<ModelCard>('POST', path, { api_key: 'another-key-of-theirs-9999' });
    expect(rotated.body.api_key_last_four).toBe('9999');
    expect((await request<ModelCard>('POST', path, { api_key: null })).body.api_key_last_four).toBeNull();
  });

  it('is gone with its key when it is deleted', async () => {
    const { body: made } = await create();
    const gone = await request('DELETE', `/v1/model_cards/${made.id}`);
    expect(gone.body).toEqual({ id: made.id, type: 'model_card_deleted' });
    expect((await request('GET', `/v1/model_cards/${made.id}`)).status).toBe(404);
  });
});

describe('models', () => {
  it('are the own ones and those of the installation, page by page in both directions', async () => {
    await create({ display_name: 'Ours', context_window: 32_000 });
    const ids: string[] = [];
    for await (const model of client.beta.models.list({ limit: 1 })) ids.push(model.id);
    expect(ids).toEqual(['our-model', 'known-model']);
    const first = await client.models.list({ limit: 1 });
    expect(first).toMatchObject({ has_more: true, first_id: 'our-model', last_id: 'our-model' });
    expect((await client.models.list({ before_id: 'known-model' })).data.map(({ id }) => id)).toEqual([
      'our-model',
    ]);
    for (const turn of [{ after_id: 'gone' }, { before_id: 'gone' }])
      await expect(client.models.list(turn)).rejects.toMatchObject({ status: 400 });
    expect((await client.models.list({ lifecycle: ['retired'] })).data).toEqual([]);
  });

  it('say what is known of them', async () => {
    await create({ model_id: 'vendor/our-model:7b', display_name: 'Ours', context_window: 32_000 });
    expect(await client.models.retrieve('vendor/our-model:7b')).toMatchObject({
      type: 'model',
      display_name: 'Ours',
      lifecycle: 'active',
      max_input_tokens: 32_000,
      max_tokens: null,
      capabilities: null,
    });
    expect(await client.models.retrieve('known-model')).toMatchObject({
      created_at: '2026-01-02T00:00:00.000Z',
    });
    await expect(client.models.retrieve('nobody')).rejects.toMatchObject({ status: 404 });
  });
});
