// Budgets, outcomes and usage as a client sees them: through the official SDK and curl, on the whole platform.
import { type Anthropic, BadRequestError } from '@anthropic-ai/sdk';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type UsageSummary, usageRoutes } from '../../packages/schema/src/usage.ts';
import {
  Conversation,
  count,
  eventsOf,
  type Ground,
  has,
  prepare,
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
  ground = await prepare(client, 'claude-sonnet-4-6');
}, 240_000);

afterAll(() => platform.close());

type Param = Anthropic.Beta.Sessions.BetaManagedAgentsEventParams;
type Outcome = Anthropic.Beta.Sessions.BetaManagedAgentsUserDefineOutcomeEventParams;

const say = (text: string): Param => ({ type: 'user.message', content: [{ type: 'text', text }] });
const define = (description: string, rubric: string): Outcome => ({
  type: 'user.define_outcome',
  description,
  rubric: { type: 'text', content: rubric },
  max_iterations: 2,
});

async function begin(...events: Param[]): Promise<Conversation> {
  const session = await client.beta.sessions.create(ground);
  await client.beta.sessions.events.send(session.id, { events });
  return new Conversation(client, session.id);
}

const resultsOf = (events: SessionEvents) =>
  events.flatMap((event) =>
    event.type === 'span.outcome_evaluation_end' ? [[event.iteration, event.result]] : [],
  );
const stopsOf = (events: SessionEvents) =>
  events.flatMap((event) => (event.type === 'session.status_idle' ? [event.stop_reason?.type] : []));

describe('an outcome', () => {
  it('is worked for, judged, revised with what the judge said, and met', async () => {
    const file =
      '[[tool bash {"command":"mkdir -p /mnt/session/outputs; echo roses > /mnt/session/outputs/poem"}]]';
    const revised = '[[grade needs_revision because [[say VIOLETS ARE BLUE]]]]';
    const conversation = await begin(
      define(`${file} [[say ROSES]]`, `[[grade satisfied if VIOLETS]] ${revised}`),
    );
    const events = await conversation.ended();
    expect(resultsOf(events)).toEqual([
      [0, 'needs_revision'],
      [1, 'satisfied'],
    ]);
    expect(textOf(events, 'agent.message')).toMatch(/ROSES.*VIOLETS ARE BLUE/);
    const session = await client.beta.sessions.retrieve(conversation.id);
    expect(session.outcome_evaluations).toMatchObject([
      { type: 'outcome_evaluation', iteration: 1, result: 'satisfied', completed_at: expect.any(String) },
    ]);
    await conversation.say('Run: cat /mnt/session/outputs/poem');
    expect(textOf(await conversation.ended(2), 'agent.tool_result')).toContain('roses');
  });

  it('that a session is created with is in the answer, and the same when the creation is repeated', async () => {
    const initial_events = [define('[[say ROSES]]', '[[grade satisfied]]')];
    const once = { headers: { 'idempotency-key': 'begun-with-an-outcome' } };
    const create = () => client.beta.sessions.create({ ...ground, initial_events }, once);
    const { id, outcome_evaluations: shown } = await create();
    expect(shown).toMatchObject([{ iteration: 0, result: 'pending', explanation: null, completed_at: null }]);
    const events = await new Conversation(client, id).ended();
    const defined = events.find((event) => event.type === 'user.define_outcome');
    expect(defined).toMatchObject({ outcome_id: shown[0]?.outcome_id });
    expect((await create()).outcome_evaluations).toEqual(shown);
  });

  it('ends with a last turn when it is not met in time', async () => {
    const conversation = await begin(
      define('[[say a try]]', '[[grade needs_revision because [[say again]]]]'),
    );
    const events = await conversation.ended();
    expect(resultsOf(events)).toEqual([
      [0, 'needs_revision'],
      [1, 'max_iterations_reached'],
    ]);
    expect(events.findLast(({ type }) => type === 'agent.message')?.id).toBe(
      events.filter(({ type }) => type === 'agent.message').at(2)?.id,
    );
  });

  it('cannot be defined beside another, nor by a file that is not there', async () => {
    const conversation = await begin(define('[[delay 40]] [[words 200]]', '[[grade satisfied]]'));
    const send = (event: Param) => client.beta.sessions.events.send(conversation.id, { events: [event] });
    await expect(send(define('another', 'r'))).rejects.toThrow(BadRequestError);
    await send({ type: 'user.interrupt' });
    const events = await conversation.ended();
    expect(resultsOf(events)).toEqual([[0, 'interrupted']]);
    const rubric = { type: 'file' as const, file_id: 'file_0' };
    const byFile = send({ type: 'user.define_outcome', description: 'd', rubric });
    await expect(byFile).rejects.toThrow(/rubric\.file_id: no file file_0/);
  });
});

describe('a budget', () => {
  it('pauses the session, takes no messages, and lets it go on once raised', async () => {
    const session = await client.beta.sessions.create({
      ...ground,
      budget: { type: 'limit', max_list_cost: { amount: '3', currency: 'USD' } },
    });
    const conversation = new Conversation(client, session.id);
    await conversation.say('[[usage 8000 100]] [[tools 3 bash {"command":"echo step"}]] [[say done]]');
    const events = await conversation.ended();
    expect(stopsOf(events)).toEqual(['budget_reached']);
    expect(events.slice(-3).map(({ type }) => type)).toEqual([
      'session.thread_status_idle',
      'session.usage',
      'session.status_idle',
    ]);
    await expect(conversation.say('more')).rejects.toThrow(/budget is reached.*user\.interrupt/);
    await client.beta.sessions.events.send(session.id, { events: [{ type: 'user.interrupt' }] });
    expect(await eventsOf(client, session.id)).toEqual(events);
    const raise = (amount: string) =>
      client.beta.sessions.update(session.id, {
        budget: { type: 'limit', max_list_cost: { amount, currency: 'USD' } },
      });
    const paused = await client.beta.sessions.retrieve(session.id);
    const spent = Number(paused.usage.list_cost?.amount);
    expect(spent).toBeGreaterThan(0);
    expect(spent).toBeLessThanOrEqual(3);
    await expect(raise('1')).rejects.toMatchObject({
      status: 400,
      error: { error: { details: { error_code: 'budget_not_raised' } } },
    });
    await raise('500');
    const later = await conversation.until((seen) => count(seen, 'session.status_idle') === 2);
    expect(stopsOf(later)).toEqual(['budget_reached', 'end_turn']);
    expect(has('session.updated')(later)).toBe(true);
    expect(textOf(later, 'agent.message')).toContain('done');
  });

  it('of model calls or tokens is attached with curl, also while the session runs', async () => {
    const wait = { command: 'until [ -e /workspace/go ]; do sleep 0.05; done' };
    const conversation = await begin(say(`[[tools 9 bash ${JSON.stringify(wait)}]] [[say done]]`));
    await conversation.until(has('agent.tool_use'));
    const path = `/v1/sessions/${conversation.id}`;
    const budget = { type: 'limit', max_model_calls: 4, max_tokens: 1_000_000 };
    const answer = await curl(platform, path, { budget });
    expect(answer.status).toBe(200);
    expect((await curl(platform, `${path}/sandbox/files/content?path=/workspace/go`, {})).status).toBe(200);
    const events = await conversation.ended();
    expect(stopsOf(events)).toEqual(['budget_reached']);
    expect(count(events, 'span.model_request_end')).toBe(4);
  });
});

describe('usage', () => {
  it('in the ledger is what sessions show, to the token and to the cent', async () => {
    const agent = await prepare(client, 'claude-sonnet-4-6');
    const create = () => client.beta.sessions.create(agent);
    const sessions = await Promise.all([create(), create()]);
    for (const [index, { id }] of sessions.entries()) {
      const conversation = new Conversation(client, id);
      await conversation.say(
        `[[usage ${900 + index} 77]] [[tools 2 bash {"command":"echo one"}]] [[say two]]`,
      );
      await conversation.ended();
      await client.beta.sessions.events.send(id, { events: [define('[[say it]]', '[[grade satisfied]]')] });
      await conversation.ended(2);
    }
    const groups = async (by: string): Promise<UsageSummary[]> => {
      const { body } = await curl(platform, `/v1/usage?group_by=${by}&limit=1000`);
      return usageRoutes.summarize.response.parse(body).data;
    };
    for (const { id } of sessions) {
      const { usage } = await client.beta.sessions.retrieve(id);
      const events = await eventsOf(client, id);
      const calls = count(events, 'span.model_request_end') + count(events, 'span.outcome_evaluation_end');
      await expect
        .poll(async () => (await groups('session')).find(({ group }) => group === id))
        .toMatchObject({
          model_calls: calls,
          input_tokens: usage.input_tokens,
          output_tokens: usage.output_tokens,
          cache_read_input_tokens: usage.cache_read_input_tokens,
          list_cost: usage.list_cost,
        });
    }
    const [ofAgent] = (await groups('agent')).filter(({ group }) => group === agent.agent);
    const lines = (await groups('session')).filter(({ group }) => sessions.some(({ id }) => id === group));
    const sum = lines.reduce((total, line) => total + Number(line.list_cost_nano_usd), 0);
    expect(ofAgent?.list_cost_nano_usd).toBe(sum);
  });
});
