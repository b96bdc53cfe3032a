// A coordinator and the agents it calls, through the official SDK, on the whole platform with its sandboxes.
import { type Anthropic, BadRequestError } from '@anthropic-ai/sdk';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Conversation, count, type SessionEvents, textOf } from '../support/conversation.ts';
import { TestPlatform } from '../support/test-platform.ts';

const model = 'claude-sonnet-4-6';
let platform: TestPlatform;
let client: Anthropic;
let ground: { agent: string; environment_id: string };
let scout: string;

beforeAll(async () => {
  platform = await TestPlatform.open();
  client = platform.connect();
  const toolset = { type: 'agent_toolset_20260401' as const };
  const careful = { ...toolset, default_config: { permission_policy: { type: 'always_ask' as const } } };
  scout = (await client.beta.agents.create({ name: 'Scout', model, tools: [toolset] })).id;
  const scribe = (await client.beta.agents.create({ name: 'Scribe', model, tools: [careful] })).id;
  const lead = await client.beta.agents.create({
    name: 'Lead',
    model,
    tools: [toolset],
    multiagent: { type: 'coordinator', agents: [scout, scribe] },
  });
  const environment = await client.beta.environments.create({ name: 'Anywhere' });
  ground = { agent: lead.id, environment_id: environment.id };
}, 240_000);

afterAll(() => platform.close());

const tool = (name: string, input: object) => `[[tool ${name} ${JSON.stringify(input)}]]`;
const bash = (command: string) => tool('bash', { command });
const delegate = (agent: string, script: string) => tool('delegate', { agent, message: script });
/** Spoken by an agent, it is a script for whoever is told. */
const answers = (script: string) => `[[say ${script}]]`;

const threadsOf = async (id: string) => {
  const threads = [];
  for await (const thread of client.beta.sessions.threads.list(id)) threads.push(thread);
  return threads;
};

async function eventsOfThread(session_id: string, thread: string) {
  const events = [];
  for await (const event of client.beta.sessions.threads.events.list(thread, { session_id }))
    events.push(event);
  return events;
}

const rested = (events: SessionEvents) => events.at(-1)?.type === 'session.status_idle';

describe('a coordinator', () => {
  it('has a file written by an agent in a thread of its own, and reads it in the sandbox they share', async () => {
    const back = `${bash('cat /workspace/found')} [[say all clear]]`;
    const work = `${bash('echo a river > /workspace/found')} ${answers(back)}`;
    const conversation = await Conversation.begin(
      client,
      ground,
      `${delegate('Scout', work)} [[say I wait]]`,
    );
    const events = await conversation.until(
      (seen) => rested(seen) && textOf(seen, 'agent.message').includes('all clear'),
    );
    const session_id = conversation.id;
    const [primary, child, ...others] = await threadsOf(session_id);
    expect(others).toEqual([]);
    expect(primary).toMatchObject({ parent_thread_id: null, status: 'idle', agent: { name: 'Lead' } });
    expect(child).toMatchObject({
      parent_thread_id: primary?.id,
      status: 'idle',
      agent: { type: 'agent', id: scout, name: 'Scout' },
      archived_at: null,
      stats: { active_seconds: expect.any(Number) },
    });
    expect(textOf(events, 'agent.tool_result')).toContain('a river');
    expect(textOf(events, 'agent.tool_use')).not.toContain('echo');
    expect(count(events, 'session.thread_created')).toBe(1);
    expect(count(events, 'agent.thread_message_sent')).toBe(1);
    expect(count(events, 'agent.thread_message_received')).toBe(1);
    expect(events.map(({ type }) => type).slice(-3)).toEqual([
      'session.thread_status_idle',
      'session.usage',
      'session.status_idle',
    ]);

    const own = await eventsOfThread(session_id, child?.id ?? '');
    expect(JSON.stringify(own)).toContain('echo a river');
    expect(JSON.stringify(own)).not.toContain('I wait');
    expect(await eventsOfThread(session_id, primary?.id ?? '')).toEqual(events);
    const session = await client.beta.sessions.retrieve(session_id);
    const sum = [primary, child].reduce((total, thread) => total + (thread?.usage?.output_tokens ?? 0), 0);
    expect(session.usage.output_tokens).toBe(sum);

    const of = { session_id };
    const found = await client.beta.sessions.threads.retrieve(child?.id ?? '', of);
    expect(found).toEqual({ ...child, stats: found.stats });
    const outside = {
      type: 'user.message',
      content: [{ type: 'text', text: '[[say I heard you]]' }],
      session_thread_id: child?.id,
    };
    const send = () => client.post(`/v1/sessions/${session_id}/events`, { body: { events: [outside] } });
    await send();
    await conversation.until(
      (seen) => rested(seen) && textOf(seen, 'agent.thread_message_received').includes('I heard you'),
    );
    const archived = await client.beta.sessions.threads.archive(child?.id ?? '', of);
    expect(archived).toMatchObject({ status: 'terminated', archived_at: expect.any(String) });
    const ended = await client.beta.sessions.threads.list(session_id, { statuses: ['terminated'] });
    expect(ended.data.map(({ id }) => id)).toEqual([child?.id]);
    await expect(client.beta.sessions.threads.archive(primary?.id ?? '', of)).rejects.toBeInstanceOf(
      BadRequestError,
    );
    await expect(send()).rejects.toThrow(/events\.0\.session_thread_id: .* has ended/);
  });

  it('is followed thread by thread, each stream with its own words', async () => {
    const { id } = await client.beta.sessions.create(ground);
    const whole = await client.beta.sessions.events.stream(id, { event_deltas: ['agent.message'] });
    const conversation = new Conversation(client, id);
    await conversation.say(`${delegate('Scout', '[[delay 30]] [[words 20]]')} [[say I wait]]`);
    const session: unknown[] = [];
    let own: Promise<{ type: string }[]> | undefined;
    for await (const event of whole) {
      session.push(event);
      if (event.type === 'session.thread_created') own = follow(id, event.session_thread_id);
      if (event.type === 'session.status_idle') break;
    }
    const child = await own;
    const types = child?.map(({ type }) => type) ?? [];
    expect(types).toContain('event_delta');
    expect(types.at(-1)).toBe('session.thread_status_idle');
    expect(JSON.stringify(child)).toContain('w20');
    const received = JSON.stringify(session.filter((event) => has(event, 'agent.thread_message_received')));
    expect(received).toContain('w20');
    expect(JSON.stringify(session.filter((event) => has(event, 'event_delta')))).not.toContain('w20');
    await conversation.ended();
  });

  it('waits while a person decides what its agent asks, on the session', async () => {
    const work = `${bash('echo signed > /workspace/deed')} [[say [[say it is signed]]]]`;
    const conversation = await Conversation.begin(
      client,
      ground,
      `${delegate('Scribe', work)} [[say I wait]]`,
    );
    const asked = await conversation.until(rested);
    const [use] = asked.filter((event) => event.type === 'agent.tool_use');
    const [, child] = await threadsOf(conversation.id);
    if (use?.type !== 'agent.tool_use') throw new Error('nothing was asked');
    expect(use).toMatchObject({ evaluated_permission: 'ask', session_thread_id: child?.id });
    expect(asked.at(-1)).toMatchObject({ stop_reason: { type: 'requires_action', event_ids: [use.id] } });
    await client.beta.sessions.events.send(conversation.id, {
      events: [{ type: 'user.tool_confirmation', tool_use_id: use.id, result: 'allow' }],
    });
    const done = await conversation.until(
      (events) => rested(events) && textOf(events, 'agent.message').includes('it is signed'),
    );
    expect(done.at(-1)).toMatchObject({ stop_reason: { type: 'end_turn' } });
    expect(count(done, 'agent.tool_result')).toBe(1);
  });

  it('has several agents at work at once, and is interrupted with all of them', async () => {
    const slow = bash('sleep 60');
    const conversation = await Conversation.begin(
      client,
      ground,
      `[[parallel]] ${delegate('Scout', slow)} ${delegate('Scout', slow)} ${delegate('Scout', slow)}`,
    );
    const session_id = conversation.id;
    await conversation.until((events) => count(events, 'session.thread_created') === 3);
    const children = (await threadsOf(session_id)).slice(1);
    const begun = async () => {
      const logs = await Promise.all(children.map(({ id }) => eventsOfThread(session_id, id)));
      return logs.filter((events) => events.some(({ type }) => type === 'agent.tool_use')).length;
    };
    await expect.poll(begun, { timeout: 30_000 }).toBe(3);
    expect((await client.beta.sessions.retrieve(session_id)).status).toBe('running');
    await client.beta.sessions.events.send(session_id, { events: [{ type: 'user.interrupt' }] });
    const events = await conversation.until(rested);
    expect(events.at(-1)).toMatchObject({ stop_reason: { type: 'end_turn' } });
    expect((await threadsOf(session_id)).map(({ status }) => status)).toEqual(Array(4).fill('idle'));
    await conversation.say('[[echo-history]]');
    const told = await conversation.until(
      (seen) => rested(seen) && textOf(seen, 'agent.message').includes('echo-history'),
    );
    for (const { id } of children) expect(textOf(told, 'agent.message')).toContain(id);
    expect(textOf(told, 'agent.message')).toContain('interrupted by the user');
  });
});

describe('a session of many threads', () => {
  it('lists them all, page by page, however large their agents are', async () => {
    const about = { type: 'string', description: 'x'.repeat(700_000) };
    const { id: large } = await client.beta.agents.create({
      name: 'Large',
      model,
      tools: [
        {
          type: 'custom',
          name: 'ask',
          description: 'Asks.',
          input_schema: { type: 'object', properties: { about } },
        },
      ],
    });
    const lead = await client.beta.agents.create({
      name: 'Lead of many',
      model,
      multiagent: { type: 'coordinator', agents: [large] },
    });
    const many = `[[ptools 25 delegate ${JSON.stringify({ agent: 'Large', message: '[[say here]]' })}]]`;
    const conversation = await Conversation.begin(client, { ...ground, agent: lead.id }, many);
    const session_id = conversation.id;
    const here = (times: number) => (events: SessionEvents) =>
      rested(events) && count(events, 'agent.thread_message_received') === times;
    await conversation.until(here(25), 120_000);
    for (const { id, parent_thread_id } of await threadsOf(session_id))
      if (parent_thread_id !== null) await client.beta.sessions.threads.archive(id, { session_id });
    await conversation.say(many);
    await conversation.until(here(50), 120_000);
    const threads = await threadsOf(session_id);
    expect(threads.map(({ agent }) => ('name' in agent ? agent.name : null))).toEqual([
      'Lead of many',
      ...Array(50).fill('Large'),
    ]);
    expect(new Set(threads.map(({ id }) => id)).size).toBe(51);
    const list = (query: object) => client.beta.sessions.threads.list(session_id, query);
    const ended = await list({ statuses: ['terminated'], limit: 1 });
    expect(ended.data.map(({ id }) => id)).toEqual([threads[1]?.id]);
    expect((await ended.getNextPage()).data.map(({ id }) => id)).toEqual([threads[2]?.id]);
    const other = await client.beta.sessions.create(ground);
    const stray = client.beta.sessions.threads.list(other.id, { page: ended.next_page ?? '' });
    await expect(stray).rejects.toBeInstanceOf(BadRequestError);
  }, 300_000);
});

function has(event: unknown, type: string): boolean {
  return JSON.stringify(event).includes(`"type":"${type}"`);
}

/** What the stream of a thread tells from its beginning until it rests. */
async function follow(session_id: string, thread: string) {
  const headers = { 'last-event-id': '0' };
  const query = { session_id, event_deltas: ['agent.message' as const] };
  const events = [];
  const stream = await client.beta.sessions.threads.events.stream(thread, query, { headers });
  for await (const event of stream) {
    events.push(event);
    if (event.type === 'session.thread_status_idle') break;
  }
  return events;
}
