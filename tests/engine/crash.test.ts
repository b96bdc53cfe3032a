// Processes killed in the middle of a turn: nothing accepted is lost, nothing runs twice, and the session goes on by
// itself. The whole platform, as `dev` starts it.
import type Anthropic from '@anthropic-ai/sdk';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Conversation, count, type Ground, has, prepare, textOf } from '../support/conversation.ts';
import { FailpointServer } from '../support/failpoint-server.ts';
import { kill, runs, type Target } from '../support/processes.ts';
import { TestPlatform } from '../support/test-platform.ts';

let server: FailpointServer;
let platform: TestPlatform;
let client: Anthropic;
let ground: Ground;

beforeAll(async () => {
  server = await FailpointServer.start();
  platform = await TestPlatform.open({ vars: { FAILPOINTS: server.url } });
  client = platform.connect();
  ground = await prepare(client, 'claude-sonnet-4-6');
}, 240_000);

afterAll(async () => {
  await platform.close();
  server.stop();
});

const strike = (target: Target) => expect(kill(platform, target), target).toBe(true);

/** Counts in the sandbox, so that a second run would show. */
const counted = (seconds: string) =>
  `Run: echo began >> /workspace/count; sleep ${seconds}; echo ended >> /workspace/count; cat /workspace/count`;

/** Waits until a command that sleeps so long is under way: sandboxes are processes of this machine. */
async function underWay(seconds: string): Promise<void> {
  await expect.poll(() => runs('sleep', seconds), { timeout: 60_000, interval: 10 }).toBe(true);
}

/** A session in which workerd dies that often, each time in the middle of a call of the model. */
async function dyingInCalls(agent: string, text: string, calls: readonly number[]): Promise<Conversation> {
  const { id: session } = await client.beta.sessions.create({ ...ground, agent });
  const struck = (async () => {
    for (const nth of calls)
      await server.strike({
        point: 'model.call',
        nth,
        session,
        // It has been asked by then, and takes longer to answer.
        afterMs: 200,
        kill: () => kill(platform, 'workerd'),
      });
  })();
  const conversation = new Conversation(client, session);
  await conversation.say(text);
  await struck;
  return conversation;
}

describe('workerd dies', () => {
  it('in a command: the command ran once, its result arrives, the turn ends', async () => {
    const session = await Conversation.begin(client, ground, counted('2.11'));
    await underWay('2.11');
    strike('workerd');
    const events = await session.ended();
    expect(textOf(events, 'agent.tool_result')).toContain('began\\nended\\n');
    expect(count(events, 'agent.tool_use')).toBe(1);
    expect(count(events, 'agent.tool_result')).toBe(1);
    await session.say('Run: cat /workspace/count');
    const after = await session.ended(2);
    expect(textOf(after, 'agent.tool_result').match(/began/g)).toHaveLength(2);
  }, 90_000);

  it('in a model call: the model is asked again and answers once', async () => {
    const session = await dyingInCalls(ground.agent, '[[ttft 1500]] [[say all is well]]', [1]);
    const events = await session.ended();
    expect(count(events, 'agent.message')).toBe(1);
    expect(count(events, 'session.status_rescheduled')).toBe(1);
    expect(count(events, 'user.message')).toBe(1);
  }, 90_000);

  it('while a call is judged: it is judged again, and runs once', async () => {
    const toolset = {
      type: 'agent_toolset_20260401' as const,
      default_config: { permission_policy: { type: 'auto' as const } },
    };
    const agent = await client.beta.agents.create({ name: 'Judged', model: 'm', tools: [toolset] });
    const command = 'echo began >> /workspace/count; cat /workspace/count';
    const script = `[[tool bash ${JSON.stringify({ command })}]] [[say done]] [[judge allow after 1500]]`;
    const session = await dyingInCalls(agent.id, script, [2]);
    const events = await session.ended();
    const judged = textOf(events, 'span.model_request_start').match(/"permission"/g);
    expect(judged).toHaveLength(2);
    expect(count(events, 'span.model_request_start')).toBe(count(events, 'span.model_request_end'));
    expect(count(events, 'agent.tool_use')).toBe(1);
    expect(textOf(events, 'agent.tool_result').match(/began/g)).toHaveLength(1);
  }, 90_000);

  it('again and again: a message that was accepted is answered', async () => {
    const session = await dyingInCalls(ground.agent, '[[ttft 700]] [[say still here]]', [1, 1, 1]);
    const events = await session.ended();
    expect(count(events, 'agent.message')).toBe(1);
    expect(count(events, 'session.status_rescheduled')).toBe(3);
  }, 120_000);
});

describe('the gateway dies', () => {
  it('in a command: nothing is lost or run twice', async () => {
    const session = await Conversation.begin(client, ground, counted('2.22'));
    await underWay('2.22');
    strike('gateway');
    const events = await session.ended();
    expect(textOf(events, 'agent.tool_result')).toContain('began\\nended\\n');
    expect(
      textOf(events, 'agent.tool_result').match(/began/g),
      textOf(events, 'agent.tool_result'),
    ).toHaveLength(1);
  }, 90_000);
});

describe('the sandboxes die', () => {
  it('in a command: the result says so, and the next command has a new sandbox', async () => {
    const session = await Conversation.begin(client, ground, counted('2.33'));
    await underWay('2.33');
    strike('emulator');
    const events = await session.ended();
    const result = events.find((event) => event.type === 'agent.tool_result');
    expect(result, textOf(events, 'agent.tool_result')).toMatchObject({ is_error: true });
    await session.say('Run: ls /workspace | wc -l');
    const after = await session.ended(2);
    expect(textOf(after, 'agent.tool_result')).toContain('"text":"0\\n"');
  }, 90_000);
});

describe('everything stops and starts again', () => {
  it('in a command: the session goes on by itself', async () => {
    const session = await Conversation.begin(client, ground, 'Run: sleep 1; echo over');
    await session.until(has('agent.tool_use'));
    await platform.stop();
    await platform.start();
    client = platform.connect();
    const events = await new Conversation(client, session.id).ended();
    expect(count(events, 'agent.tool_result')).toBe(1);
  }, 120_000);
});
