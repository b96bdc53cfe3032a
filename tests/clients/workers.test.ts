// Self-hosted environments with the official SDK's own worker, poller and tool runner: tools run in other processes, whatever
// becomes of those and of the platform.
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import Anthropic from '@anthropic-ai/sdk';
import { betaTool } from '@anthropic-ai/sdk/helpers/beta/json-schema';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { Conversation, eventsOf, type Ground, type SessionEvents, textOf } from '../support/conversation.ts';
import { kill } from '../support/processes.ts';
import { TestPlatform } from '../support/test-platform.ts';
import { WorkerProcess } from '../support/workers.ts';

/** Of workers that are not lost, however busy the machine is. */
const LEASE_SECONDS = 60;
let platform: TestPlatform;
let client: Anthropic;
let agent: string;
let ground: Ground;
let environmentKey: string;
let workers: WorkerProcess[] = [];
let runs = 0;

beforeAll(async () => {
  platform = await TestPlatform.open();
  client = platform.connect({ logLevel: 'error' });
  const properties = { place: { type: 'number' as const } };
  const input_schema = { type: 'object' as const, properties, required: ['place'] };
  const configs = [{ name: 'edit' as const, permission_policy: { type: 'always_ask' as const } }];
  const made = await client.beta.agents.create({
    name: 'Remote',
    model: 'claude-sonnet-4-6',
    tools: [
      { type: 'agent_toolset_20260401', configs },
      { type: 'custom', name: 'look_up', description: 'Looks something up.', input_schema },
    ],
  });
  agent = made.id;
}, 240_000);

beforeEach(async () => {
  const environment = await client.beta.environments.create({
    name: 'At home',
    config: { type: 'self_hosted' },
  });
  ground = { agent, environment_id: environment.id };
  const path = `/v1/environments/${environment.id}/keys`;
  const { key } = await client.post<{ key: string }>(path, { body: { name: 'Test' } });
  environmentKey = key;
});

afterEach(async () => {
  await Promise.all(workers.map((worker) => worker.kill()));
  workers = [];
});

afterAll(() => platform.close());

function start(leaseSeconds = LEASE_SECONDS): { worker: WorkerProcess; workdir: string } {
  const workdir = join(platform.dir, `work-${++runs}`);
  const { environment_id: environmentId } = ground;
  const settings = { url: platform.url, environmentId, environmentKey, workdir, leaseSeconds };
  const worker = new WorkerProcess(settings);
  workers.push(worker);
  return { worker, workdir };
}

const tool = (name: string, input: object) => `[[tool ${name} ${JSON.stringify(input)}]]`;
const bash = (command: string) => tool('bash', { command });

function hasEnded(events: SessionEvents): boolean {
  const last = events.at(-1);
  return last?.type === 'session.status_idle' && last.stop_reason.type === 'end_turn';
}

/** What the calls of built-in tools brought, in the order of the log. */
function results(events: SessionEvents): string[] {
  return events.flatMap((event) =>
    event.type === 'user.tool_result' ? [JSON.stringify(event.content)] : [],
  );
}

async function until(holds: () => boolean | Promise<boolean>): Promise<void> {
  for (const stop = Date.now() + 60_000; Date.now() < stop; ) {
    if (await holds()) return;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  throw new Error(`never came true: ${holds}`);
}

const stats = () => client.beta.environments.work.stats(ground.environment_id);

describe('the worker of the SDK, in another process', () => {
  it('runs a session to its end with bash, write and read', async () => {
    const { workdir } = start();
    const script = [
      tool('write', { file_path: 'notes.txt', content: 'from the model' }),
      bash('cat notes.txt && pwd'),
      tool('read', { file_path: 'notes.txt' }),
    ];
    const session = await Conversation.begin(client, ground, `${script.join(' ')} [[say all done]]`);
    const events = await session.until(hasEnded);
    expect(readFileSync(join(workdir, 'notes.txt'), 'utf8')).toBe('from the model');
    const [, ran = '', read = ''] = results(events);
    expect(ran).toContain('from the model');
    expect(ran).toContain(workdir);
    expect(read).toContain('from the model');
    expect(textOf(events, 'agent.message')).toContain('all done');
    expect(events.filter(({ type }) => type === 'agent.tool_result')).toEqual([]);
    // It lets go of a session that has nothing more for it.
    await until(async () => {
      const { depth, pending, workers_polling } = await stats();
      return depth === 0 && pending === 0 && workers_polling === 1;
    });
    await session.say(`${bash('echo again')} [[say and again]]`);
    expect(
      textOf(await session.until((all) => results(all).length === 4 && hasEnded(all)), 'agent.message'),
    ).toContain('and again');
  }, 120_000);

  it('that is killed loses its lease; the model is told, and another worker goes on', async () => {
    const first = start(5);
    const script = `${bash('touch began; sleep 300')} ${bash('echo second')} [[say survived]]`;
    const session = await Conversation.begin(client, ground, script);
    await until(() => existsSync(join(first.workdir, 'began')));
    await first.worker.kill();
    const second = start();
    const events = await session.until(hasEnded);
    const [lost = '', ran = ''] = results(events);
    expect(lost).toContain('Outcome unknown');
    expect(ran).toContain('second');
    expect(existsSync(join(second.workdir, 'began')), 'run again').toBe(false);
    expect(textOf(events, 'agent.message')).toContain('survived');
  }, 120_000);

  it('waits for a person where the agent asks', async () => {
    const { workdir } = start();
    const write = tool('write', { file_path: 'a.txt', content: 'one' });
    const edit = tool('edit', { file_path: 'a.txt', old_string: 'one', new_string: 'two' });
    const session = await Conversation.begin(client, ground, `${write} ${edit} [[say edited]]`);
    const asked = await session.until((events) =>
      events.some((event) => event.type === 'agent.tool_use' && event.evaluated_permission === 'ask'),
    );
    const ask = asked.findLast(({ type }) => type === 'agent.tool_use');
    expect(readFileSync(join(workdir, 'a.txt'), 'utf8')).toBe('one');
    await client.beta.sessions.events.send(session.id, {
      events: [{ type: 'user.tool_confirmation', tool_use_id: ask?.id ?? '', result: 'allow' }],
    });
    await session.until(hasEnded);
    expect(readFileSync(join(workdir, 'a.txt'), 'utf8')).toBe('two');
  }, 120_000);

  it('finds what waits for it after the platform was killed', async () => {
    const session = await Conversation.begin(client, ground, `${bash('echo found')} [[say there]]`);
    await until(async () => (await stats()).depth === 1);
    kill(platform, 'workerd');
    start();
    const events = await session.until(hasEnded);
    expect(results(events).join()).toContain('found');
  }, 120_000);
});

describe('a work item', () => {
  it('is one worker’s at a time, by the errors the SDK knows', async () => {
    const session = await Conversation.begin(client, ground, `${bash('echo mine')} [[say ok]]`);
    await until(async () => (await stats()).depth === 1);
    const worker = new Anthropic({ authToken: environmentKey, baseURL: platform.url, maxRetries: 0 });
    const { work } = worker.beta.environments;
    const { environment_id } = ground;
    const item = await work.poll(environment_id, { block_ms: 999 });
    expect(item).toMatchObject({ state: 'queued', data: { type: 'session', id: session.id } });
    const id = item?.id ?? '';
    expect(await work.poll(environment_id)).toBeNull();
    expect(await stats()).toMatchObject({ depth: 0, pending: 1, oldest_queued_at: item?.created_at });
    expect(await work.ack(id, { environment_id })).toMatchObject({ state: 'starting', secret: null });
    await expect(work.ack(id, { environment_id })).rejects.toMatchObject({ status: 409 });
    const first = { environment_id, expected_last_heartbeat: 'NO_HEARTBEAT', desired_ttl_seconds: 60 };
    const beat = await work.heartbeat(id, first);
    expect(beat).toMatchObject({ lease_extended: true, state: 'active', ttl_seconds: 60 });
    const lost = await work.heartbeat(id, first).catch((error: unknown) => error);
    expect(lost).toBeInstanceOf(Anthropic.PreconditionFailedError);
    expect(lost).toMatchObject({
      errorCode: 'heartbeat_precondition_failed',
      details: {
        current_state: { last_heartbeat: beat.last_heartbeat, lease_extended: false, state: 'active' },
      },
    });
    const again = { environment_id, expected_last_heartbeat: beat.last_heartbeat };
    expect((await work.heartbeat(id, again)).last_heartbeat > beat.last_heartbeat).toBe(true);
    const { work: own } = client.beta.environments;
    expect(await own.update(id, { environment_id, metadata: { rack: '7' } })).toMatchObject({
      metadata: { rack: '7' },
    });
    expect(await own.stop(id, { environment_id })).toMatchObject({ state: 'stopping' });
    expect(await work.heartbeat(id, again)).toMatchObject({ state: 'stopping' });
    expect(await work.stop(id, { environment_id, force: true })).toMatchObject({ state: 'stopped' });
    const stopped = await work.stop(id, { environment_id }).catch((error: unknown) => error);
    expect(stopped).toBeInstanceOf(Anthropic.ConflictError);
    expect(Reflect.get(stopped ?? {}, 'headers').get('x-should-retry')).toBe('false');
    expect((await own.retrieve(id, { environment_id })).stop_requested_at).not.toBeNull();
    const listed = await work.list(environment_id);
    expect(listed.data.map((each) => each.id)).toContain(id);
    // Its worker had the call and never answered it.
    expect(results(await session.until(hasEnded)).join()).toContain('Outcome unknown');
  }, 60_000);
});

describe('a worker whose work was given to another', () => {
  it('sends and reads nothing more with the token it had', async () => {
    const session = await Conversation.begin(client, ground, `${bash('echo mine')} [[say ok]]`);
    await until(async () => (await stats()).depth === 1);
    const { environment_id } = ground;
    const poller = new Anthropic({ authToken: environmentKey, baseURL: platform.url, maxRetries: 0 });
    const offer = async () => {
      const item = await poller.beta.environments.work.poll(environment_id, {
        block_ms: 999,
        reclaim_older_than_ms: 1,
      });
      const { sessions_token } = JSON.parse(Buffer.from(item?.secret ?? '', 'base64url').toString());
      return new Anthropic({ authToken: sessions_token, baseURL: platform.url, maxRetries: 0 });
    };
    const [one, other] = [await offer(), await offer()];
    const [use] = (await eventsOf(client, session.id)).filter(({ type }) => type === 'agent.tool_use');
    const answer = (worker: Anthropic, text: string) =>
      worker.beta.sessions.events.send(session.id, {
        events: [{ type: 'user.tool_result', tool_use_id: use?.id ?? '', content: [{ type: 'text', text }] }],
      });
    await expect(answer(one, 'of the first')).rejects.toMatchObject({ status: 409 });
    await expect(one.beta.sessions.retrieve(session.id)).rejects.toMatchObject({ status: 403 });
    await expect(one.beta.sessions.events.stream(session.id)).rejects.toMatchObject({ status: 403 });
    expect((await other.beta.sessions.retrieve(session.id)).id).toBe(session.id);
    await answer(other, 'of the second');
    expect(results(await session.until(hasEnded)).join()).toContain('of the second');
  }, 60_000);
});

describe('the poller of the SDK', () => {
  it('drains the queue, each item handled with the token it came with', async () => {
    const sessions = await Promise.all(
      [1, 2].map((n) => Conversation.begin(client, ground, `${bash(`echo number ${n}`)} [[say ok]]`)),
    );
    await until(async () => (await stats()).depth === 2);
    const worker = new Anthropic({ authToken: environmentKey, baseURL: platform.url, logLevel: 'error' });
    const { work } = worker.beta.environments;
    const environmentId = ground.environment_id;
    const handled: string[] = [];
    for await (const item of work.poller({ environmentId, environmentKey, drain: true, blockMs: null })) {
      expect(item.secret).toMatch(/^[\w-]+$/);
      handled.push(item.data.id);
      const claimed = {
        workId: item.id,
        environmentId,
        sessionId: item.data.id,
        workSecret: item.secret ?? '',
      };
      // With the item's own token alone.
      const bare = new Anthropic({ authToken: 'none', baseURL: platform.url, logLevel: 'error' });
      await bare.beta.environments.work.worker({ workdir: platform.dir, maxIdleMs: 300 }).handleItem(claimed);
    }
    expect(handled.toSorted()).toEqual(sessions.map(({ id }) => id).toSorted());
    for (const session of sessions) expect(hasEnded(await eventsOf(client, session.id))).toBe(true);
  }, 120_000);
});

describe('the tool runner of an application', () => {
  it('answers its own tools while a worker answers those of the machine', async () => {
    start();
    const ran: number[] = [];
    const lookUp = betaTool({
      name: 'look_up',
      description: 'Looks something up.',
      inputSchema: { type: 'object', properties: { place: { type: 'number' } }, required: ['place'] },
      run: ({ place }) => {
        ran.push(place);
        return `place ${place}`;
      },
    });
    const script = `${tool('look_up', { place: 7 })} ${bash('echo machine')} ${tool('look_up', { place: 8 })} [[say both]]`;
    const session = await Conversation.begin(client, ground, script);
    for await (const _ of client.beta.sessions.events.toolRunner(session.id, {
      tools: [lookUp],
      maxIdleMs: 300,
    })) {
      // It runs until the session rests.
    }
    const events = await session.until(hasEnded);
    expect(ran).toEqual([7, 8]);
    expect(results(events).join()).toContain('machine');
    expect(textOf(events, 'agent.message')).toContain('both');
  }, 120_000);
});
