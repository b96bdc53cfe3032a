import type Anthropic from '@anthropic-ai/sdk';
import { betaTool } from '@anthropic-ai/sdk/helpers/beta/json-schema';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import {
  Conversation,
  count,
  eventsOf,
  type Ground,
  type SessionEvents,
  textOf,
} from '../support/conversation.ts';
import { chance, Line } from '../support/line.ts';
import { TestPlatform } from '../support/test-platform.ts';

let platform: TestPlatform;
let line: Line;
let client: Anthropic;
let direct: Anthropic;
let ground: Ground;

beforeAll(async () => {
  platform = await TestPlatform.open();
  line = await Line.open(platform.url, () => 'pass');
  // It warns of every stream that drops.
  client = platform.connect({ baseURL: line.url, logLevel: 'error' });
  direct = platform.connect();
  const properties = { place: { type: 'number' as const } };
  const input_schema = { type: 'object' as const, properties, required: ['place'] };
  const tools = ['look_up', 'somebody_elses'].map((name) => ({
    type: 'custom' as const,
    name,
    description: 'Looks something up.',
    input_schema,
  }));
  const agent = await direct.beta.agents.create({ name: 'Asker', model: 'claude-sonnet-4-6', tools });
  const environment = await direct.beta.environments.create({ name: 'Anywhere' });
  ground = { agent: agent.id, environment_id: environment.id };
}, 240_000);

beforeEach(() => line.decide(() => 'pass'));

afterAll(async () => {
  line.close();
  await platform.close();
});

const call = (place: number, name = 'look_up') => `[[tool ${name} {"place":${place}}]]`;
const places = (number: number) => Array.from({ length: number }, (_, index) => index + 1);

/** The tool as an application has it; remembers what it was run for. */
function lookUp() {
  const ran: number[] = [];
  const tool = betaTool({
    name: 'look_up',
    description: 'Looks something up.',
    inputSchema: { type: 'object', properties: { place: { type: 'number' } }, required: ['place'] },
    run: ({ place }) => {
      ran.push(place);
      if (place === 13) throw new Error('nobody goes there');
      return `place ${place}`;
    },
  });
  return { ran, tool };
}

function run(session: string, tool: ReturnType<typeof lookUp>['tool'], from = client) {
  return from.beta.sessions.events.toolRunner(session, { tools: [tool], maxIdleMs: 300 });
}

function begin(text: string): Promise<Conversation> {
  return Conversation.begin(direct, ground, text);
}

/** Uses and results by the ids that pair them, in the order of the log. */
function pairs(events: SessionEvents) {
  return {
    uses: events.flatMap((event) => (event.type === 'agent.custom_tool_use' ? [event.id] : [])),
    results: events.flatMap((event) =>
      event.type === 'user.custom_tool_result' ? [event.custom_tool_use_id] : [],
    ),
  };
}

describe('the tool runner', () => {
  it('runs every call once and in order, and the turn ends', async () => {
    const { ran, tool } = lookUp();
    const session = await begin(
      `${places(4)
        .map((place) => call(place))
        .join(' ')} [[say all found]]`,
    );
    const calls = [];
    for await (const done of run(session.id, tool)) calls.push(done);
    expect(ran).toEqual(places(4));
    expect(calls.map(({ posted, isError }) => [posted, isError])).toEqual(ran.map(() => [true, false]));
    const events = await eventsOf(direct, session.id);
    expect(pairs(events).results).toEqual(pairs(events).uses);
    expect(textOf(events, 'user.custom_tool_result')).toContain('place 4');
    expect(textOf(events, 'agent.message')).toContain('all found');
    expect(events.at(-1)).toMatchObject({ type: 'session.status_idle', stop_reason: { type: 'end_turn' } });
  }, 60_000);

  it('answers calls made at once, one with an error, and leaves those of others to them', async () => {
    const { ran, tool } = lookUp();
    const asked = `[[parallel]] ${call(1)} ${call(13)} ${call(2, 'somebody_elses')} ${call(3)}`;
    const session = await begin(`${asked} [[say all found]]`);
    const calls = [];
    for await (const done of run(session.id, tool)) {
      calls.push(done);
      if (done.posted) continue;
      const answer = { type: 'user.custom_tool_result' as const, custom_tool_use_id: done.toolUseId };
      await direct.beta.sessions.events.send(session.id, { events: [answer] });
    }
    expect(ran.toSorted((a, b) => a - b)).toEqual([1, 3, 13]);
    const events = await eventsOf(direct, session.id);
    expect(pairs(events).results.toSorted()).toEqual(pairs(events).uses.toSorted());
    expect(textOf(events, 'user.custom_tool_result')).toContain('nobody goes there');
    expect(count(events, 'agent.message')).toBe(1);
  }, 60_000);

  it('begun again takes up what is unanswered and runs nothing that is', async () => {
    const session = await begin(`${call(1)} ${call(2)} ${call(3)} [[say all found]]`);
    const first = lookUp();
    for await (const { posted } of run(session.id, first.tool)) if (posted && first.ran.length === 2) break;
    const second = lookUp();
    for await (const { posted } of run(session.id, second.tool)) expect(posted).toBe(true);
    expect([...first.ran, ...second.ran]).toEqual(places(3));
    const events = await eventsOf(direct, session.id);
    expect(pairs(events).results).toEqual(pairs(events).uses);
    expect(count(events, 'agent.message')).toBe(1);
  }, 60_000);

  it.each([1, 2])(
    'runs nothing twice while its streams drop and replies to its results are lost (seed %i)',
    async (seed) => {
      const random = chance(seed);
      line.decide(({ method, path, retry }) => {
        if (path.endsWith('/stream')) return Math.floor(200 + random() * 2_500);
        if (method === 'POST' && retry === 0 && random() < 0.5) return random() < 0.5 ? 'silence' : 'head';
        return 'pass';
      });
      const { ran, tool } = lookUp();
      const session = await begin(
        `${places(6)
          .map((place) => call(place))
          .join(' ')} [[say all found]]`,
      );
      const from = line.passages.length;
      const posted = [];
      for await (const done of run(session.id, tool)) posted.push(done.posted);
      expect(ran).toEqual(places(6));
      expect(posted).toEqual(ran.map(() => true));
      const events = await session.ended();
      expect(pairs(events).results).toEqual(pairs(events).uses);
      expect(count(events, 'agent.message')).toBe(1);
      const streams = line.passages.slice(from).filter(({ path }) => path.endsWith('/stream'));
      expect(streams.length).toBeGreaterThan(2);
    },
    120_000,
  );
});
