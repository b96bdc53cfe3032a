// A self-hosted session whose agent has a skill and memory stores, with the official SDK's own worker in another process: it
// brings both to where it works, and what the agent writes into a store is in the store afterwards.
import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { type Anthropic, toFile } from '@anthropic-ai/sdk';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { Conversation, type SessionEvents, textOf } from '../support/conversation.ts';
import { TestPlatform } from '../support/test-platform.ts';
import { WorkerProcess } from '../support/workers.ts';

let platform: TestPlatform;
let workdir: string;
let client: Anthropic;
const workers: WorkerProcess[] = [];

beforeAll(async () => {
  platform = await TestPlatform.open();
  workdir = join(platform.dir, 'work');
  client = platform.connect({ logLevel: 'error' });
}, 240_000);

afterAll(async () => {
  await Promise.all(workers.map((worker) => worker.kill()));
  await platform.close();
});

/** An environment with a worker. */
async function start(occupied?: string): Promise<{ environment_id: string; worker: WorkerProcess }> {
  const { id: environmentId } = await client.beta.environments.create({
    name: 'At home',
    config: { type: 'self_hosted' },
  });
  const keys = `/v1/environments/${environmentId}/keys`;
  const { key: environmentKey } = await client.post<{ key: string }>(keys, { body: { name: 'Test' } });
  const settings = { url: platform.url, environmentId, environmentKey, workdir, leaseSeconds: 5 };
  const worker = new WorkerProcess({ ...settings, ...(occupied !== undefined && { occupied }) });
  workers.push(worker);
  return { environment_id: environmentId, worker };
}

const tool = (name: string, input: object) => `[[tool ${name} ${JSON.stringify(input)}]]`;
const bash = (command: string) => tool('bash', { command });

async function makeAgent(): Promise<string> {
  const main = '---\nname: greeting\ndescription: Greets people.\n---\nRun scripts/greet.sh with a name.\n';
  const skill = await client.beta.skills.create({
    files: [
      await toFile(Buffer.from(main), 'greeting/SKILL.md'),
      await toFile(Buffer.from('#!/bin/sh\necho "Welcome, $1"\n'), 'greeting/scripts/greet.sh'),
    ],
  });
  const agent = await client.beta.agents.create({
    name: 'Host',
    model: 'claude-sonnet-4-6',
    tools: [{ type: 'agent_toolset_20260401' }],
    skills: [{ type: 'custom', skill_id: skill.id }],
  });
  return agent.id;
}

async function makeStore(name: string, memories: Record<string, string>): Promise<string> {
  const { id } = await client.beta.memoryStores.create({ name });
  for (const [path, content] of Object.entries(memories))
    await client.beta.memoryStores.memories.create(id, { path, content });
  return id;
}

async function memoriesOf(store: string): Promise<Record<string, string | null>> {
  const { data } = await client.beta.memoryStores.memories.list(store, { view: 'full' });
  return Object.fromEntries(
    data.map((one) => [one.path, one.type === 'memory' ? (one.content ?? null) : null]),
  );
}

const attached = (memory_store_id: string, access: 'read_write' | 'read_only') => ({
  type: 'memory_store' as const,
  memory_store_id,
  access,
});

const results = (events: SessionEvents) =>
  events.flatMap((event) => (event.type === 'user.tool_result' ? [event] : []));

function hasEnded(events: SessionEvents): boolean {
  const last = events.at(-1);
  return last?.type === 'session.status_idle' && last.stop_reason.type === 'end_turn';
}

it('works with the skill, and keeps what it writes into a store', async () => {
  const { environment_id } = await start();
  const guests = await makeStore('Guests', { '/ada.md': 'Likes tea.', '/old.md': 'Forget me.' });
  const rules = await makeStore('Rules', { '/house.md': 'No shoes.' });
  const session = await client.beta.sessions.create({
    agent: await makeAgent(),
    environment_id,
    resources: [attached(guests, 'read_write'), attached(rules, 'read_only')],
  });
  const conversation = new Conversation(client, session.id);
  const script = [
    tool('read', { file_path: 'skills/greeting/SKILL.md' }),
    bash('skills/greeting/scripts/greet.sh Ada; cat /mnt/memory/guests/ada.md /mnt/memory/rules/house.md'),
    bash('printf " And cake." >>/mnt/memory/guests/ada.md; rm /mnt/memory/guests/old.md'),
    tool('write', { file_path: '/mnt/memory/guests/new/bob.md', content: 'Likes coffee.' }),
    tool('write', { file_path: '/mnt/memory/rules/house.md', content: 'Shoes are fine.' }),
  ];
  await conversation.say(`${script.join(' ')} [[say done]]`);
  const events = await conversation.until(hasEnded);
  expect(textOf(events, 'agent.message')).toContain('done');
  const [skill, ran, , , refused] = results(events);
  expect(JSON.stringify(skill?.content)).toContain('Run scripts/greet.sh');
  expect(JSON.stringify(ran?.content)).toContain('Welcome, Ada');
  expect(JSON.stringify(ran?.content)).toContain('Likes tea.No shoes.');
  expect(refused).toMatchObject({ is_error: true });

  const kept = { '/ada.md': 'Likes tea. And cake.', '/new/bob.md': 'Likes coffee.' };
  await expect.poll(() => memoriesOf(guests), { timeout: 60_000, interval: 200 }).toEqual(kept);
  expect(await memoriesOf(rules)).toEqual({ '/house.md': 'No shoes.' });
  const { data: versions } = await client.beta.memoryStores.memoryVersions.list(guests, {});
  const writers = versions.filter(({ path }) => path === '/new/bob.md').map(({ created_by }) => created_by);
  expect(writers).toEqual([expect.objectContaining({ session_id: session.id })]);
  // It leaves nothing of the session behind.
  const left = () => (existsSync(join(workdir, 'skills')) ? readdirSync(join(workdir, 'skills')) : []);
  await expect.poll(left, { timeout: 30_000 }).toEqual([]);
}, 180_000);

it('runs nothing where a store cannot be mounted, and the model is told', async () => {
  const { environment_id, worker } = await start('memory/taken');
  const store = await makeStore('Taken', { '/a.md': 'Kept.' });
  const session = await client.beta.sessions.create({
    agent: await makeAgent(),
    environment_id,
    resources: [attached(store, 'read_write')],
  });
  const conversation = new Conversation(client, session.id);
  await conversation.say(`${bash('touch ran; echo ran')} [[say done]]`);
  const events = await conversation.until(hasEnded);
  expect(results(events).map(({ content }) => JSON.stringify(content))).toEqual([
    expect.stringContaining('Outcome unknown'),
  ]);
  expect(existsSync(join(workdir, 'ran'))).toBe(false);
  expect(worker.output).toContain('already exists at the memory store');
  expect(await memoriesOf(store)).toEqual({ '/a.md': 'Kept.' });
}, 180_000);
