// A dream on real processes: it reads what was said in a session, writes it into a memory store, and survives its Workers.
import type Anthropic from '@anthropic-ai/sdk';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { Conversation } from '../support/conversation.ts';
import { TestPlatform } from '../support/test-platform.ts';

const MODEL = 'claude-sonnet-4-6';
const WITHIN = { timeout: 90_000, interval: 200 };

let platform: TestPlatform;
let client: Anthropic;
let sessionId: string;

beforeAll(async () => {
  platform = await TestPlatform.open();
  client = platform.connect();
  const agent = await client.beta.agents.create({ name: 'Talker', model: MODEL });
  const { id: environment_id } = await client.beta.environments.create({ name: 'Talks' });
  const talk = await Conversation.begin(client, { agent: agent.id, environment_id }, '[[say Ada likes tea]]');
  await talk.ended();
  sessionId = talk.id;
}, 240_000);

afterAll(() => platform.close());

/** What the model does is said in the instructions. */
async function dream(name: string, instructions: string) {
  const store = await client.beta.memoryStores.create({ name });
  await client.beta.memoryStores.memories.create(store.id, { path: '/old.md', content: 'Ada likes coffee.' });
  const inputs = [
    { type: 'memory_store' as const, memory_store_id: store.id },
    { type: 'sessions' as const, session_ids: [sessionId] },
  ];
  return { store, made: await client.beta.dreams.create({ inputs, model: MODEL, instructions }) };
}

async function textsOf(storeId: string | undefined) {
  const { data } = await client.beta.memoryStores.memories.list(storeId ?? '', { view: 'full' });
  return Object.fromEntries(
    data.flatMap((memory) => (memory.type === 'memory' ? [[memory.path, memory.content]] : [])),
  );
}

const bash = (command: string) => `[[tool bash ${JSON.stringify({ command })}]]`;

it('reads transcripts and writes a new memory store; its input stays as it was', async () => {
  const command =
    'cd /mnt/memory/dream-of-tastes; grep -h tea /mnt/session/uploads/transcripts/*.md >tea.md; rm old.md';
  const { store, made } = await dream('Tastes', `${bash(command)}[[say done]]`);
  await expect
    .poll(async () => (await client.beta.dreams.retrieve(made.id)).status, WITHIN)
    .toBe('completed');
  const ended = await client.beta.dreams.retrieve(made.id);
  expect(ended.usage.output_tokens).toBeGreaterThan(0);
  const output = ended.outputs[0]?.memory_store_id;
  expect(await textsOf(output)).toEqual({ '/tea.md': expect.stringContaining('Ada likes tea') });
  expect(await textsOf(store.id)).toEqual({ '/old.md': 'Ada likes coffee.' });
  const session = ended.session_id ?? '';
  await expect
    .poll(async () => (await client.beta.sessions.retrieve(session)).archived_at, WITHIN)
    .not.toBeNull();
}, 180_000);

it('comes to its end, with one session, when the Workers are killed in the middle', async () => {
  const { made } = await dream('Cut off', `${bash('sleep 2')}[[say done]]`);
  const begun = async () => (await client.beta.dreams.retrieve(made.id)).session_id;
  await expect.poll(begun, WITHIN).not.toBeNull();
  process.kill(platform.ready().pids.workers ?? 0, 'SIGKILL');
  const status = () => client.beta.dreams.retrieve(made.id).then((found) => found.status, String);
  await expect.poll(status, WITHIN).toBe('completed');
  const sessions = await client.beta.sessions.list({ include_archived: true });
  const mine = sessions.data.filter(({ title }) => title === `Dream ${made.id}`);
  expect(mine).toHaveLength(1);
}, 240_000);
