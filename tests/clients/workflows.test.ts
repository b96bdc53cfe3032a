// Workflow runs through the official SDK, on the whole platform with its sandboxes; one of them while a process is killed.
import type Anthropic from '@anthropic-ai/sdk';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Conversation, count, type SessionEvents, textOf } from '../support/conversation.ts';
import { kill, runs } from '../support/processes.ts';
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
    multiagent: {
      type: 'multiagent_20261001',
      subagents: { type: 'disabled' },
      workflows: { type: 'enabled', predefined_agents: [scout, scribe] },
    },
  });
  const environment = await client.beta.environments.create({ name: 'Anywhere' });
  ground = { agent: lead.id, environment_id: environment.id };
}, 240_000);

afterAll(() => platform.close());

const tool = (name: string, input: object) => `[[tool ${name} ${JSON.stringify(input)}]]`;
const bash = (command: string) => tool('bash', { command });
const start = (plan: object) => `${tool('start_workflow', plan)} [[say I wait]]`;

const ofRuns = (events: SessionEvents) =>
  events.flatMap(({ type }) =>
    type.startsWith('workflow_run.') ? [type.slice('workflow_run.'.length)] : [],
  );
const rested = (events: SessionEvents) => events.at(-1)?.type === 'session.status_idle';

async function threadsOf(id: string) {
  const threads = [];
  for await (const thread of client.beta.sessions.threads.list(id)) threads.push(thread);
  return threads;
}

describe('a workflow run', () => {
  it('has its plan followed in one sandbox, and is told as the SDK knows it', async () => {
    const plan = {
      name: 'Survey',
      description: 'Two ways to the sea.',
      phases: [
        {
          name: 'Look',
          steps: [
            {
              id: 'north',
              agent: 'Scout',
              message: `${bash('echo a river > /workspace/north')} [[say a river]]`,
            },
            {
              id: 'south',
              message: '[[say a hill]]',
              new_agent: { name: 'Hiker', system: 'Walk.', description: 'Walks.' },
            },
          ],
        },
        {
          name: 'Compare',
          description: 'What they have in common.',
          steps: [
            {
              id: 'sum',
              agent: scout,
              message: `${bash('cat /workspace/north')} [[say between {{steps.north}} and {{steps.south}}: [[say all clear]] ]]`,
            },
          ],
        },
      ],
    };
    const session = await client.beta.sessions.create(ground);
    const conversation = new Conversation(client, session.id);
    const seen: string[] = [];
    const stream = await client.beta.sessions.events.stream(session.id);
    const following = (async () => {
      for await (const event of stream) {
        seen.push(event.type);
        if (event.type === 'workflow_run.status_ended') return event;
      }
      return null;
    })();
    await conversation.say(start(plan));
    const events = await conversation.until(
      (all) => rested(all) && textOf(all, 'agent.message').includes('all clear'),
    );
    const ended = await following;
    const created = events.find((event) => event.type === 'workflow_run.created');
    expect(ended).toMatchObject({ workflow_run_id: created?.workflow_run_id, result: { type: 'completed' } });
    expect(created).toMatchObject({
      name: 'Survey',
      description: 'Two ways to the sea.',
      phases: [
        { name: 'Look', description: null },
        { name: 'Compare', description: 'What they have in common.' },
      ],
    });
    const course = [
      'created',
      'status_running',
      'phase_started',
      'phase_ended',
      'phase_started',
      'phase_ended',
      'status_ended',
    ];
    expect(ofRuns(events)).toEqual(course);
    expect(seen.filter((type) => type.startsWith('workflow_run.'))).toHaveLength(course.length);
    expect(textOf(events, 'agent.thread_message_received')).toContain('between a river and a hill');

    const run = created?.workflow_run_id;
    const [primary, ...steps] = await threadsOf(session.id);
    expect(primary).toMatchObject({ workflow_run_id: null, status: 'idle' });
    const shown = steps.map(({ agent, workflow_run_id, status, parent_thread_id }) => ({
      agent,
      workflow_run_id,
      status,
      parent_thread_id,
    }));
    const step = { workflow_run_id: run, status: 'terminated', parent_thread_id: primary?.id };
    expect(shown).toMatchObject([
      { ...step, agent: { type: 'agent', id: scout } },
      { ...step, agent: { type: 'inline', name: 'Hiker' } },
      { ...step, agent: { type: 'agent', id: scout } },
    ]);
    const sum = (await client.beta.sessions.retrieve(session.id)).usage.output_tokens;
    const each = [primary, ...steps].reduce(
      (total, thread) => total + (thread?.usage?.output_tokens ?? 0),
      0,
    );
    expect(sum).toBe(each);
    const own = [];
    for await (const event of client.beta.sessions.threads.events.list(steps[2]?.id ?? '', {
      session_id: session.id,
    }))
      own.push(event);
    expect(JSON.stringify(own)).toContain('a river\\n');
    expect(own.some(({ type }) => type.startsWith('workflow_run.'))).toBe(false);
  }, 120_000);

  it('goes on where workerd was killed, and does no step twice', async () => {
    const work = (name: string, seconds: string) =>
      `${bash(`echo ${name} >> /workspace/done; sleep ${seconds}; echo ok`)} [[say ${name}]]`;
    const plan = {
      phases: [
        {
          name: 'One',
          steps: [{ id: 'a', agent: 'Scout', for_each: ['x', 'y'], message: work('{{item}}', '2.71') }],
        },
        { name: 'Two', steps: [{ id: 'b', agent: 'Scout', message: work('z', '2.72') }] },
        {
          name: 'Three',
          steps: [{ id: 'c', agent: 'Scout', message: '[[say {{steps.a}} {{steps.b}} [[say home]] ]]' }],
        },
      ],
    };
    const conversation = await Conversation.begin(client, ground, start(plan));
    for (const seconds of ['2.71', '2.72']) {
      await expect.poll(() => runs('sleep', seconds), { timeout: 60_000, interval: 10 }).toBe(true);
      expect(kill(platform, 'workerd')).toBe(true);
    }
    const events = await conversation.until(
      (all) => rested(all) && textOf(all, 'agent.message').includes('home'),
      120_000,
    );
    expect(count(events, 'session.thread_created')).toBe(4);
    expect(ofRuns(events).filter((type) => type.startsWith('phase_'))).toHaveLength(6);
    expect(ofRuns(events).filter((type) => type === 'status_ended')).toHaveLength(1);
    const times = count(events, 'session.status_idle');
    await conversation.say('Run: sort /workspace/done');
    const after = await conversation.until((all) => rested(all) && count(all, 'session.status_idle') > times);
    expect(textOf(after, 'agent.tool_result')).toContain('x\\ny\\nz\\n');
  }, 240_000);

  it('keeps what it works with while it is open, and is stopped with the session’s work', async () => {
    const plan = {
      phases: [{ name: 'Write', steps: [{ id: 'w', agent: 'Scribe', message: bash('echo hi') }] }],
    };
    const conversation = await Conversation.begin(client, ground, start(plan));
    const asked = await conversation.until(
      (all) => rested(all) && textOf(all, 'session.status_idle').includes('requires_action'),
    );
    expect(ofRuns(asked).at(-1)).toBe('status_idle');
    const [, scribe] = await threadsOf(conversation.id);
    const open = { status: 400, errorCode: 'workflow_run_open' };
    const archived = client.beta.sessions.threads.archive(scribe?.id ?? '', { session_id: conversation.id });
    await expect(archived).rejects.toMatchObject(open);
    const updated = client.beta.sessions.update(conversation.id, { agent: { tools: [] } });
    await expect(updated).rejects.toMatchObject(open);
    await client.beta.sessions.events.send(conversation.id, { events: [{ type: 'user.interrupt' }] });
    const events = await conversation.until(
      (all) => count(all, 'workflow_run.status_ended') === 1 && rested(all),
    );
    const end = events.find((event) => event.type === 'workflow_run.status_ended');
    expect(end?.result).toEqual({ type: 'stopped' });
    await client.beta.sessions.update(conversation.id, { agent: { tools: [] } });
  }, 120_000);

  it('is refused with a plan that cannot be followed', async () => {
    const plan = { phases: [{ name: 'One', steps: [{ id: 'a', agent: 'Nobody', message: 'Go.' }] }] };
    const conversation = await Conversation.begin(client, ground, start(plan));
    const events = await conversation.ended();
    const error = events.find((event) => event.type === 'workflow_run.error');
    expect(error).toMatchObject({ workflow_run_id: null, error: { type: 'program_error' } });
    expect(textOf(events, 'agent.tool_result')).toContain('There are: Scout, Scribe');
    expect(count(events, 'workflow_run.created')).toBe(0);
  }, 60_000);
});
