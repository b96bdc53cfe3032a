// Sessions in workerd, called as main calls them: the RPC entrypoint, the Durable Object, its storage.
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { openD1 } from '@capstan/db/d1';
import { stores } from '@capstan/db/stores';
import { plainAgent } from '@capstan/db/testing-agent';
import type { SessionAddress } from '@capstan/session/address';
import type { Sessions } from '@capstan/session/service';
import { newId } from '@capstan/shared/ids';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type AgentHarness, openAgentHarness } from './testing/agent-harness.ts';

const TENANT = 'tnt_default';

/** Says the same to everything, as a Chat Completions stream. */
function startModel(): Promise<Server> {
  const chunk = (choice: object) => `data: ${JSON.stringify({ choices: [{ index: 0, ...choice }] })}\n\n`;
  const server = createServer((request, response) => {
    request.resume().on('end', () => {
      response.writeHead(200, { 'content-type': 'text/event-stream' });
      response.write(chunk({ delta: { role: 'assistant', content: 'hello' } }));
      response.end(`${chunk({ delta: {}, finish_reason: 'stop' })}data: [DONE]\n\n`);
    });
  });
  return new Promise((resolve) => server.listen(0, '127.0.0.1', () => resolve(server)));
}

let model: Server;
let harness: AgentHarness<Sessions>;
let sessions: Sessions;
let db: ReturnType<typeof openD1>;
let agentId: string;

beforeAll(async () => {
  model = await startModel();
  const { port } = model.address() as AddressInfo;
  harness = await openAgentHarness({ OPENAI_BASE_URL: `http://127.0.0.1:${port}/v1` });
  sessions = harness.agent;
  db = openD1(harness.env.DB);
  const created = await stores(db, TENANT).agents.create({
    settings: plainAgent('tester', { model: { id: 'any-model' } }),
    metadata: {},
    now: Date.now(),
  });
  agentId = created.id;
});

afterAll(async () => {
  await harness.close();
  model.close();
});

async function created(): Promise<SessionAddress> {
  const session = await stores(db, TENANT).sessions.create({
    agent: { id: agentId },
    environmentId: null,
    title: null,
    metadata: {},
    now: Date.now(),
  });
  return { tenantId: TENANT, sessionId: session.id };
}

const message = (text: string) => ({
  type: 'user.message' as const,
  content: [{ type: 'text' as const, text }],
});
const statusOf = async (address: SessionAddress) => (await sessions.view(address)).status;

describe('a session in workerd', () => {
  it('answers a message, lists what happened and leaves its row right', async () => {
    const address = await created();
    await sessions.send(address, [message('hi')]);
    await expect.poll(() => statusOf(address)).toBe('idle');
    const { data } = await sessions.listEvents(address, { limit: 100, order: 'asc' });
    expect(data.map((event) => event.type)).toContain('agent.message');
    const row = () => stores(db, TENANT).sessions.find(address.sessionId);
    await expect.poll(async () => (await row())?.usage).toEqual((await sessions.view(address)).usage);
  });

  it('that was announced begins by itself once it is created, also when nobody comes to say so', async () => {
    const address = { tenantId: TENANT, sessionId: newId('session', Date.now()) };
    await sessions.expect(address);
    await stores(db, TENANT).sessions.create({
      id: address.sessionId,
      agent: { id: agentId },
      environmentId: null,
      title: null,
      metadata: {},
      initialEvents: [message('begin')],
      now: Date.now(),
    });
    const row = () => stores(db, TENANT).sessions.find(address.sessionId);
    await expect.poll(async () => (await row())?.status).toBe('idle');
    const { data } = await sessions.listEvents(address, { limit: 100, order: 'asc' });
    expect(data.filter(({ type }) => type === 'user.message')).toHaveLength(1);
    expect(data.map(({ type }) => type)).toContain('agent.message');
  });

  it('that was announced and is not created yet is unknown', async () => {
    const address = { tenantId: TENANT, sessionId: newId('session', Date.now()) };
    await sessions.expect(address);
    const view = async () => sessions.view(address);
    await expect(view()).rejects.toMatchObject({ code: 'not_found' });
  });

  it('walks a log that is larger than a page may be', async () => {
    const address = await created();
    const text = 'x'.repeat(900_000);
    for (let count = 0; count < 8; count++) await sessions.send(address, [message(text)]);
    await expect.poll(() => statusOf(address), { timeout: 30_000 }).toBe('idle');
    const seen: string[] = [];
    let page: string | undefined;
    do {
      const answer = await sessions.listEvents(address, { limit: 1_000, order: 'desc', page });
      seen.push(...answer.data.filter((event) => event.type === 'user.message').map((event) => event.id));
      page = answer.next_page ?? undefined;
    } while (page !== undefined);
    expect(new Set(seen).size).toBe(8);
    expect(seen).toHaveLength(8);
  }, 60_000);

  it('that is deleted leaves nothing, and its streams are told', async () => {
    const address = await created();
    await sessions.send(address, [message('hi')]);
    await expect.poll(() => statusOf(address)).toBe('idle');
    const stream = await sessions.streamEvents(address, {});
    await sessions.delete(address);
    const text = await new Response(stream).text();
    expect(text).toContain('event: session.deleted');
    await expect.poll(() => stores(db, TENANT).sessions.find(address.sessionId)).toBeNull();
    const view = async () => sessions.view(address);
    await expect(view()).rejects.toMatchObject({ code: 'not_found' });
  });

  it('of another tenant does not exist, and says so through every layer', async () => {
    const { sessionId } = await created();
    const view = async () => sessions.view({ tenantId: 'tnt_other', sessionId });
    await expect(view()).rejects.toMatchObject({ code: 'not_found' });
  });
});
