// workerd killed at every step of dreams: each comes to its end with one session, one copy of its memory store and what was
// dreamt, and lets its session go.
import type Anthropic from '@anthropic-ai/sdk';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { Conversation } from '../support/conversation.ts';
import { FailpointServer } from '../support/failpoint-server.ts';
import { kill } from '../support/processes.ts';
import { TestPlatform } from '../support/test-platform.ts';

const MODEL = 'claude-sonnet-4-6';
const WITHIN = { timeout: 120_000, interval: 200 };
/** A transcript is kept, the session announced, written and begun; in the end it is archived. */
const POINTS = ['put', 'expect', 'batch', 'view', 'archive'].flatMap((step) => [
  `clock.${step}:before`,
  `clock.${step}:after`,
]);
const DREAMS = 6;
let server: FailpointServer;
let platform: TestPlatform;
let client: Anthropic;
let sessionId: string;

beforeAll(async () => {
  server = await FailpointServer.start();
  platform = await TestPlatform.open({ vars: { FAILPOINTS: server.url }, restartAfterMs: 100 });
  client = platform.connect();
  const agent = await client.beta.agents.create({ name: 'Talker', model: MODEL });
  const { id: environment_id } = await client.beta.environments.create({ name: 'Talks' });
  const talk = await Conversation.begin(client, { agent: agent.id, environment_id }, '[[say Ada likes tea]]');
  await talk.ended();
  sessionId = talk.id;
}, 240_000);

afterAll(async () => {
  await platform.close();
  server.stop();
});

const bash = (command: string) => `[[tool bash ${JSON.stringify({ command })}]]`;
const DREAMT = bash('cd /mnt/memory/*; grep -h tea /mnt/session/uploads/transcripts/*.md >tea.md; rm old.md');

async function dream(name: string): Promise<string> {
  const store = await client.beta.memoryStores.create({ name });
  await client.beta.memoryStores.memories.create(store.id, { path: '/old.md', content: 'Ada likes coffee.' });
  const inputs = [
    { type: 'memory_store' as const, memory_store_id: store.id },
    { type: 'sessions' as const, session_ids: [sessionId] },
  ];
  const instructions = `${DREAMT}[[say done]]`;
  return (await client.beta.dreams.create({ inputs, model: MODEL, instructions })).id;
}

const retrieve = (id: string) => client.beta.dreams.retrieve(id).catch(() => null);

it('each comes to its end once, whatever died at whichever step of it', async () => {
  const struck = POINTS.map((point) => server.strike({ point, kill: () => void kill(platform, 'workerd') }));
  const made = await Promise.all(Array.from({ length: DREAMS }, (_, index) => dream(`Dream ${index}`)));
  await Promise.all(struck);
  for (const id of made) {
    await expect.poll(async () => (await retrieve(id))?.status, WITHIN).toBe('completed');
    const { outputs, session_id } = await client.beta.dreams.retrieve(id);
    const [output, ...others] = outputs;
    expect(others).toEqual([]);
    const { data } = await client.beta.memoryStores.memories.list(output?.memory_store_id ?? '');
    expect(data.map((memory) => memory.path)).toEqual(['/tea.md']);
    const archivedAt = async () => (await client.beta.sessions.retrieve(session_id ?? '')).archived_at;
    await expect.poll(archivedAt, WITHIN).not.toBeNull();
  }
  const titles: (string | null)[] = [];
  for await (const { title } of client.beta.sessions.list({ include_archived: true, limit: 100 }))
    titles.push(title);
  expect(titles.filter((title) => title?.startsWith('Dream ')).toSorted()).toEqual(
    made.map((id) => `Dream ${id}`).toSorted(),
  );
}, 900_000);
