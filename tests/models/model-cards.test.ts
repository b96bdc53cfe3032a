// A tenant's own model, end to end: the session calls the provider on the card with the key on it, from the next call on
// after a change, and bills what the card says.
import { readFileSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import { join } from 'node:path';
import type Anthropic from '@anthropic-ai/sdk';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Conversation, textOf } from '../support/conversation.ts';
import { TestPlatform } from '../support/test-platform.ts';

let platform: TestPlatform;
let client: Anthropic;
let provider: Server;
let host: string;
/** The keys that the provider was called with, one for each call of the model. */
const keys: (string | undefined)[] = [];

const reply = (content: string) =>
  [
    { choices: [{ index: 0, delta: { role: 'assistant', content }, finish_reason: null }] },
    { choices: [{ index: 0, delta: {}, finish_reason: 'stop' }] },
    { choices: [], usage: { prompt_tokens: 1_000, completion_tokens: 500, total_tokens: 1_500 } },
  ]
    .map((chunk) => ({ id: 'c', object: 'chat.completion.chunk', created: 0, model: 'theirs', ...chunk }))
    .map((chunk) => `data: ${JSON.stringify(chunk)}\n\n`)
    .join('');

beforeAll(async () => {
  provider = createServer((request, response) => {
    const key = request.headers.authorization;
    if (request.method !== 'POST') return void response.end('{"data":[]}');
    request.resume().on('end', () => {
      keys.push(key);
      response.writeHead(key === 'Bearer revoked-key-1234' ? 401 : 200, {
        'content-type': 'text/event-stream',
      });
      response.end(`${reply('hello from theirs')}data: [DONE]\n\n`);
    });
  });
  await new Promise<void>((resolve) => provider.listen(0, '127.0.0.1', resolve));
  host = `127.0.0.1:${Object(provider.address()).port}`;
  platform = await TestPlatform.open({ vars: { PRIVATE_HOSTS: host } });
  client = platform.connect();
}, 240_000);

afterAll(async () => {
  await platform.close();
  provider.close();
});

async function post(path: string, body: object): Promise<{ id: string }> {
  const headers = { 'x-api-key': platform.apiKey, 'content-type': 'application/json' };
  const response = await fetch(platform.url + path, { method: 'POST', headers, body: JSON.stringify(body) });
  if (!response.ok) throw new Error(await response.text());
  return await response.json();
}

describe('a session with a model of its own', () => {
  it('calls it with the key of its card, also after that was replaced, and bills by the card', async () => {
    const card = await post('/v1/model_cards', {
      model_id: 'our-model',
      protocol: 'openai_chat_completions',
      base_url: `http://${host}/v1`,
      api_key: 'canary-model-key-1111',
      price: { input: 10, output: 100 },
    });
    const agent = await client.beta.agents.create({ name: 'Ours', model: 'our-model' });
    const environment = await client.beta.environments.create({ name: 'Anywhere' });
    const ground = { agent: agent.id, environment_id: environment.id };
    const conversation = await Conversation.begin(client, ground, 'hi');
    expect(textOf(await conversation.ended(), 'agent.message')).toContain('hello from theirs');
    expect(keys).toEqual(['Bearer canary-model-key-1111']);
    // 1,000 tokens at 10 USD and 500 at 100 USD per million: six cents.
    const { usage } = await client.beta.sessions.retrieve(conversation.id);
    expect(usage.list_cost).toEqual({ amount: '6', currency: 'USD' });

    await post(`/v1/model_cards/${card.id}`, { api_key: 'revoked-key-1234', test: false });
    const refused = await conversation.until((events) => {
      const errors = textOf(events, 'session.error');
      if (errors.includes('refused the API key')) return true;
      void conversation.say('again').catch(() => undefined);
      return false;
    });
    expect(textOf(refused, 'session.error')).toContain(`check api_key on the model card ${card.id}`);
    const kept = readFileSync(join(platform.state, 'logs/workers.log'), 'utf8');
    expect(kept + JSON.stringify(refused)).not.toMatch(/canary-model-key|revoked-key/);
  });
});
