// What a session keeps, through the official SDK and on real processes: words that were shown, effects that were stopped,
// a context longer than its model's window, a log that is forked, exported and replayed.
import { execFile } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import type Anthropic from '@anthropic-ai/sdk';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Conversation, count, eventsOf, type Ground, has, prepare, textOf } from '../support/conversation.ts';
import { kill, runs } from '../support/processes.ts';
import { TestPlatform } from '../support/test-platform.ts';

const ROOT = join(import.meta.dirname, '../..');
let platform: TestPlatform;
let client: Anthropic;
let ground: Ground;
let small: Ground;

beforeAll(async () => {
  platform = await TestPlatform.open();
  client = platform.connect();
  ground = await prepare(client, 'claude-sonnet-4-6');
  small = await prepare(client, 'dev/any:4000');
}, 240_000);

afterAll(() => platform.close());

interface Told {
  event: string;
  id: string | null;
  data: { id?: string; event_id?: string; event?: { id: string }; delta?: { content?: { text?: string } } };
}

/** A reader of a stream, as any client of server-sent events is one. Ends when it holds, or when the line dies. */
async function read(
  sessionId: string,
  { after, holds }: { after?: string; holds: (told: readonly Told[]) => boolean },
): Promise<Told[]> {
  const told: Told[] = [];
  const url = `${platform.url}/v1/sessions/${sessionId}/events/stream?event_deltas[]=agent.message`;
  const headers = {
    'x-api-key': platform.apiKey,
    ...(after === undefined ? {} : { 'last-event-id': after }),
  };
  const abort = new AbortController();
  const response = await fetch(url, { headers, signal: abort.signal });
  let rest = '';
  try {
    for await (const bytes of response.body ?? []) {
      const frames = (rest + Buffer.from(bytes).toString()).split('\n\n');
      rest = frames.pop() ?? '';
      for (const frame of frames) {
        const field = (name: string) => new RegExp(`^${name}: (.*)$`, 'm').exec(frame)?.[1] ?? null;
        const data = field('data');
        if (data !== null)
          told.push({ event: field('event') ?? '', id: field('id'), data: JSON.parse(data) });
      }
      if (holds(told)) break;
    }
  } catch {
    // The line died with the process.
  }
  abort.abort();
  return told;
}

/** The words of each message that was shown as it was written. */
function shown(told: readonly Told[]): Map<string, string> {
  const texts = new Map<string, string>();
  for (const { data } of told) {
    const { event_id: id, delta } = data;
    if (id !== undefined) texts.set(id, (texts.get(id) ?? '') + (delta?.content?.text ?? ''));
  }
  return texts;
}

const last = (events: Awaited<ReturnType<typeof eventsOf>>) => events.at(-1)?.id ?? '';

async function replayed(sessionId: string): Promise<string> {
  const headers = { 'x-api-key': platform.apiKey };
  const response = await fetch(`${platform.url}/v1/sessions/${sessionId}/export`, { headers });
  const file = join(platform.dir, `${sessionId}.jsonl`);
  writeFileSync(file, await response.text());
  const node = join(ROOT, 'node_modules/.bin/node');
  const ran = promisify(execFile)(node, [join(ROOT, 'scripts/replay.ts'), file]);
  return ran.then(({ stdout }) => stdout).catch((error) => `${error.stdout}${error.stderr}`);
}

describe('words that a reader was shown', () => {
  it('are kept when workerd dies: the turn goes on from there, and who comes back reads what is listed', async () => {
    const session = await client.beta.sessions.create(ground);
    const conversation = new Conversation(client, session.id);
    const words = (told: readonly Told[]) => [...shown(told).values()].join('').split(' ').length;
    const reading = read(session.id, { after: '0', holds: (told) => words(told) > 20 });
    await conversation.say('[[delay 20]] [[words 200]]');
    const before = await reading;
    expect(words(before)).toBeGreaterThan(20);
    kill(platform, 'workerd');
    await conversation.ended();
    const after = await read(session.id, {
      after: before.findLast(({ id }) => id !== null)?.id ?? '0',
      holds: (told) => told.some(({ event }) => event === 'session.status_idle'),
    });
    const events = await eventsOf(client, session.id);
    const persisted = [...before, ...after].filter(({ id, data }) => id !== null && data.id !== undefined);
    expect(persisted.map(({ data }) => data.id)).toEqual(events.map(({ id }) => id));
    const [[id = '', text = ''] = []] = shown(before);
    const kept = events.find((event) => event.id === id);
    expect(kept?.type).toBe('agent.message');
    expect(JSON.stringify(kept)).toContain(text.trimEnd());
    expect(count(events, 'agent.message')).toBe(2);
    expect(await replayed(session.id)).toMatch(/with 1 death of its process: same/);
  }, 120_000);

  it('of an interrupted message are not', async () => {
    const session = await client.beta.sessions.create(ground);
    const conversation = new Conversation(client, session.id);
    const reading = read(session.id, { holds: (told) => shown(told).size > 0 });
    await conversation.say('[[delay 20]] [[words 200]]');
    await reading;
    await client.beta.sessions.events.send(session.id, { events: [{ type: 'user.interrupt' }] });
    const events = await conversation.ended();
    expect(count(events, 'agent.message')).toBe(0);
    expect(await replayed(session.id)).toContain(': same');
  }, 60_000);
});

it('a command that is interrupted dies, though workerd dies right after it has said so', async () => {
  const session = await Conversation.begin(client, ground, 'Run: sleep 600.12');
  await expect.poll(() => runs('sleep', '600.12'), { timeout: 30_000, interval: 10 }).toBe(true);
  await client.beta.sessions.events.send(session.id, { events: [{ type: 'user.interrupt' }] });
  kill(platform, 'workerd');
  await expect.poll(() => runs('sleep', '600.12'), { timeout: 60_000, interval: 50 }).toBe(false);
  const events = await session.ended();
  expect(textOf(events, 'agent.tool_result')).toContain('interrupted');
  expect(await replayed(session.id)).toContain(': same');
}, 120_000);

it('a conversation longer than the window of its model goes on, compacted, and nothing is gone from its log', async () => {
  const session = await Conversation.begin(client, small, `[[size 3000]] remember the word marmalade`);
  await session.ended();
  for (let turn = 2; turn <= 5; turn++) {
    await session.say('[[size 3000]]');
    await session.ended(turn);
  }
  await session.say('[[echo-history]]');
  const events = await session.ended(6);
  expect(count(events, 'agent.thread_context_compacted')).toBeGreaterThan(1);
  expect(count(events, 'session.error')).toBe(0);
  expect(textOf(events, 'user.message')).toContain('marmalade');
  expect(count(events, 'span.model_request_start')).toBe(count(events, 'span.model_request_end'));
  const echoed = events.findLast((event) => event.type === 'agent.message');
  expect(JSON.stringify(echoed)).toContain('was compacted');
  const { usage } = await client.beta.sessions.retrieve(session.id);
  expect(usage.input_tokens).toBeGreaterThan(0);
  expect(await replayed(session.id)).toContain(': same');
}, 120_000);

it('what is sent with the creation begins at once, and once, however often the creation is repeated', async () => {
  const body = {
    ...ground,
    initial_events: [
      { type: 'user.message' as const, content: [{ type: 'text' as const, text: '[[say DONE]]' }] },
      {
        type: 'user.define_outcome' as const,
        description: 'a word',
        rubric: { type: 'text' as const, content: '[[grade satisfied because it is there]]' },
      },
    ],
  };
  const options = { headers: { 'idempotency-key': `initial-${Date.now()}` } };
  const [one, other] = await Promise.all([
    client.beta.sessions.create(body, options),
    client.beta.sessions.create(body, options),
  ]);
  expect(other.id).toBe(one.id);
  const conversation = new Conversation(client, one.id);
  const events = await conversation.until(has('span.outcome_evaluation_end'));
  expect(events[0]?.type).toBe('user.message');
  await client.beta.sessions.create(body, options);
  const ended = await conversation.ended();
  expect(count(ended, 'user.message')).toBe(1);
  expect(count(ended, 'user.define_outcome')).toBe(1);
  expect(await replayed(one.id)).toContain(': same');
}, 60_000);

describe('a fork', () => {
  const fork = (id: string, at: string) =>
    client.post<{ id: string; status: string }>(`/v1/sessions/${id}/fork`, { body: { at } });

  it('goes on from any event of its session, and so does a fork of it', async () => {
    const session = await Conversation.begin(client, ground, 'Run: echo one');
    const events = await session.ended();
    const used = events.find((event) => event.type === 'agent.tool_use');
    const first = await fork(session.id, used?.id ?? '');
    const branch = new Conversation(client, first.id);
    await branch.until(has('session.status_idle'));
    await branch.say('[[echo-history]]');
    const branched = await branch.ended(2);
    expect(textOf(branched, 'agent.message')).toContain('echo one');
    expect(textOf(branched, 'agent.tool_result')).toContain('forked');
    const second = await fork(first.id, last(branched));
    const twig = new Conversation(client, second.id);
    await twig.say('[[say from the twig]]');
    const twigged = await twig.ended(4);
    expect(textOf(twigged, 'agent.message')).toContain('from the twig');
    expect(await eventsOf(client, session.id)).toHaveLength(events.length);
    const { usage } = await client.beta.sessions.retrieve(second.id);
    expect(usage.input_tokens).toBeGreaterThan(0);
    for (const id of [session.id, first.id, second.id]) expect(await replayed(id)).toContain(': same');
  }, 120_000);

  it('of an event the session does not have is refused', async () => {
    const session = await client.beta.sessions.create(ground);
    const refused = fork(session.id, 'sevt_none');
    await expect(refused).rejects.toMatchObject({ status: 400 });
  });

  it('of a large log with large bodies needs its session no more', async () => {
    const large = 'x'.repeat(600_000);
    const session = await Conversation.begin(client, ground, `[[say ok]] ${large}`);
    const events = await session.ended();
    const made = await fork(session.id, last(events));
    await client.beta.sessions.delete(session.id);
    const copied = await eventsOf(client, made.id);
    expect(textOf(copied, 'user.message')).toContain(large);
    const branch = new Conversation(client, made.id);
    await branch.say('[[say still here]]');
    expect(textOf(await branch.ended(3), 'agent.message')).toContain('still here');
  }, 60_000);
});
