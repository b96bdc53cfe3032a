// A person decides what the agent may do: asked, answered in parts and in any order, late, twice, and wrongly; through
// the official SDK and through curl, on the whole platform with its sandboxes.
import { type Anthropic, BadRequestError } from '@anthropic-ai/sdk';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  Conversation,
  count,
  eventsOf,
  type Ground,
  type SessionEvents,
  textOf,
} from '../support/conversation.ts';
import { curl } from '../support/curl.ts';
import { TestPlatform } from '../support/test-platform.ts';

let platform: TestPlatform;
let client: Anthropic;
let ground: Ground;

beforeAll(async () => {
  platform = await TestPlatform.open();
  client = platform.connect();
  const agent = await client.beta.agents.create({
    name: 'Careful',
    model: 'claude-sonnet-4-6',
    tools: [
      {
        type: 'agent_toolset_20260401',
        default_config: { permission_policy: { type: 'always_ask' } },
      },
      { type: 'custom', name: 'ask_home', description: 'Asks.', input_schema: { type: 'object' } },
    ],
  });
  const environment = await client.beta.environments.create({ name: 'Anywhere' });
  ground = { agent: agent.id, environment_id: environment.id };
}, 240_000);

afterAll(() => platform.close());

type Param = Anthropic.Beta.Sessions.BetaManagedAgentsEventParams;

const allow = (id: string): Param => ({ type: 'user.tool_confirmation', tool_use_id: id, result: 'allow' });
const deny = (id: string, why: string): Param => ({
  type: 'user.tool_confirmation',
  tool_use_id: id,
  result: 'deny',
  deny_message: why,
});
const send = (session: string, ...events: Param[]) => client.beta.sessions.events.send(session, { events });
/** Writes its place, so that a command that ran twice shows. */
const bash = (place: number) => `[[tool bash {"command":"echo place ${place} | tee -a /workspace/ran"}]]`;

/** A session in which the agent has asked for all that the script calls. */
async function asked(script: string, asks: number) {
  const conversation = await Conversation.begin(client, ground, script);
  const events = await conversation.until((seen) => waitsFor(seen).length === asks);
  return { conversation, session: conversation.id, ids: waitsFor(events), events };
}

/** What the session waits for, by the last time it came to rest. */
function waitsFor(events: SessionEvents): string[] {
  const idle = events.findLast((event) => event.type === 'session.status_idle');
  if (idle?.type !== 'session.status_idle' || idle.stop_reason.type !== 'requires_action') return [];
  return idle.stop_reason.event_ids;
}

function resultsOf(events: SessionEvents) {
  return events.flatMap((event) =>
    event.type === 'agent.tool_result' ? [{ id: event.tool_use_id, error: event.is_error ?? false }] : [],
  );
}

describe('asks', () => {
  it('are answered in parts and in any order: what is left is said again each time, and all run once', async () => {
    const { conversation, session, ids } = await asked(
      `[[parallel]] ${bash(1)} ${bash(2)} ${bash(3)} [[say done]]`,
      3,
    );
    const [one = '', two = '', three = ''] = ids;
    await send(session, allow(two));
    const second = await conversation.until((events) => waitsFor(events).length === 2);
    expect(waitsFor(second)).toEqual([one, three]);
    expect((await client.beta.sessions.retrieve(session)).status).toBe('idle');
    await send(session, deny(three, 'not on a Friday'));
    const third = await conversation.until((events) => waitsFor(events).length === 1);
    expect(waitsFor(third)).toEqual([one]);
    await send(session, allow(one));
    const events = await conversation.until((seen) => count(seen, 'agent.message') === 1);
    expect(resultsOf(events).toSorted((a, b) => ids.indexOf(a.id) - ids.indexOf(b.id))).toEqual([
      { id: one, error: false },
      { id: two, error: false },
      { id: three, error: true },
    ]);
    expect(textOf(events, 'agent.tool_result')).toContain('not on a Friday');
    expect(textOf(events, 'agent.tool_result')).not.toContain('place 3');
    const uses = events.filter((event) => event.type === 'agent.tool_use');
    expect(uses.map(({ evaluated_permission }) => evaluated_permission)).toEqual(['ask', 'ask', 'ask']);
  }, 60_000);

  it('are answered all in one send, with the result of a custom tool among them', async () => {
    const { conversation, session, ids } = await asked(
      `[[parallel]] ${bash(1)} [[tool ask_home {}]] ${bash(2)} [[say done]]`,
      3,
    );
    const [one = '', custom = '', two = ''] = ids;
    const result: Param = {
      type: 'user.custom_tool_result',
      custom_tool_use_id: custom,
      content: [{ type: 'text', text: 'all is well at home' }],
    };
    const { data } = await send(session, deny(two, 'no'), result, allow(one));
    expect(data?.map(({ type }) => type)).toEqual([
      'user.tool_confirmation',
      'user.custom_tool_result',
      'user.tool_confirmation',
    ]);
    const events = await conversation.until((seen) => count(seen, 'agent.message') === 1);
    expect(resultsOf(events)).toEqual([
      { id: two, error: true },
      { id: one, error: false },
    ]);
    expect(count(events, 'session.status_running')).toBe(2);
  }, 60_000);

  it('are seen and answered with curl alone', async () => {
    const at = platform;
    const session = (await curl(at, '/v1/sessions', ground)).body;
    const { id } = session as { id: string };
    const text = `${bash(1)} ${bash(2)} [[say done]]`;
    const message = { type: 'user.message', content: [{ type: 'text', text }] };
    expect((await curl(at, `/v1/sessions/${id}/events`, { events: [message] })).status).toBe(200);
    for (const decide of [(use: string) => deny(use, 'first ask me nicely'), allow]) {
      const conversation = new Conversation(client, id);
      const [use = ''] = waitsFor(await conversation.until((events) => waitsFor(events).length === 1));
      expect((await curl(at, `/v1/sessions/${id}/events`, { events: [decide(use)] })).status).toBe(200);
      await conversation.until((events) => resultsOf(events).some((result) => result.id === use));
    }
    const listed = async () => JSON.stringify((await curl(at, `/v1/sessions/${id}/events`)).body);
    await expect.poll(listed).toContain('agent.message');
    expect(await listed()).toContain('first ask me nicely');
    expect(await listed()).toContain('place 2');
  }, 60_000);

  it('outlive a restart of everything, and the answer runs the call once', async () => {
    const { session, ids, events } = await asked(`[[parallel]] ${bash(1)} ${bash(2)} [[say done]]`, 2);
    const [one = '', two = ''] = ids;
    await send(session, allow(one));
    await platform.stop();
    await platform.start();
    client = platform.connect();
    const conversation = new Conversation(client, session);
    const woken = await conversation.until((seen) => waitsFor(seen).length === 1);
    expect(woken.slice(0, events.length)).toEqual(events);
    expect(waitsFor(woken)).toEqual([two]);
    expect((await client.beta.sessions.retrieve(session)).status).toBe('idle');
    await send(session, allow(two));
    const after = await conversation.until((seen) => count(seen, 'agent.message') === 1);
    expect(resultsOf(after).toSorted((a, b) => ids.indexOf(a.id) - ids.indexOf(b.id))).toEqual([
      { id: one, error: false },
      { id: two, error: false },
    ]);
    await conversation.say('Run: sort /workspace/ran');
    const [last = ''] = waitsFor(await conversation.until((seen) => waitsFor(seen).length === 1));
    await send(session, allow(last));
    const shown = await conversation.until((seen) => resultsOf(seen).length === 3);
    expect(textOf(shown.slice(after.length), 'agent.tool_result')).toContain('"place 1\\nplace 2\\n"');
  }, 120_000);

  it('are decided once when two decide at the same time: one wins, the other is told with a 400', async () => {
    for (let round = 0; round < 8; round += 1) {
      const { conversation, session, ids } = await asked(`${bash(round)} [[say done]]`, 1);
      const [id = ''] = ids;
      const decisions = [allow(id), deny(id, 'too late')];
      if (round % 2 === 1) decisions.reverse();
      const settled = await Promise.allSettled(decisions.map((decision) => send(session, decision)));
      const lost = settled.filter((decision) => decision.status === 'rejected');
      expect(lost).toHaveLength(1);
      expect(lost[0]?.reason).toBeInstanceOf(BadRequestError);
      expect(lost[0]?.reason).toMatchObject({ status: 400, type: 'invalid_request_error' });
      expect(lost[0]?.reason.message).toContain(id);
      const events = await conversation.until((seen) => count(seen, 'agent.message') === 1);
      const confirmations = events.filter((event) => event.type === 'user.tool_confirmation');
      expect(confirmations).toHaveLength(1);
      expect(resultsOf(events)).toEqual([{ id, error: confirmations[0]?.result === 'deny' }]);
    }
  }, 120_000);

  it('that are interrupted are closed: the session rests, and a late answer is refused', async () => {
    const { conversation, session, ids } = await asked(`[[parallel]] ${bash(1)} ${bash(2)}`, 2);
    await send(session, { type: 'user.interrupt' });
    const events = await conversation.until((seen) => resultsOf(seen).length === 2);
    expect(resultsOf(events).map(({ error }) => error)).toEqual([true, true]);
    expect(events.at(-1)).toMatchObject({ type: 'session.status_idle', stop_reason: { type: 'end_turn' } });
    expect(count(events, 'span.model_request_start')).toBe(1);
    await expect(send(session, allow(ids[0] ?? ''))).rejects.toBeInstanceOf(BadRequestError);
    expect(await eventsOf(client, session)).toEqual(events);
  }, 60_000);

  it('stand while a message waits behind them, and the message is taken after their turn', async () => {
    const { conversation, session, ids } = await asked(`${bash(1)} [[say first]]`, 1);
    await conversation.say('[[say second]]');
    expect(waitsFor(await eventsOf(client, session))).toEqual(ids);
    await send(session, allow(ids[0] ?? ''));
    const events = await conversation.until((seen) => textOf(seen, 'agent.message').includes('second'));
    expect(resultsOf(events)).toEqual([{ id: ids[0], error: false }]);
    expect(count(events, 'user.message')).toBe(2);
  }, 60_000);
});
