import { startDevModel } from '@capstan/dev-model/dev-model';
import type { ContextItem } from '@capstan/session/harness';
import { silentLogger } from '@capstan/shared/logger';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { configFrom } from './config.ts';
import { createHarness } from './harness.ts';
import { SessionSandbox } from './session-sandbox.ts';
import { sandboxDeps } from './testing/memory-facts.ts';
import { agentOf, callOf, collect, logged, say } from './testing.ts';
import { NEVER, type SandboxWorld, startSandboxWorld, textOf } from './tools/testing.ts';

let dev: Awaited<ReturnType<typeof startDevModel>>;
let world: SandboxWorld;
beforeAll(async () => {
  dev = await startDevModel();
  world = await startSandboxWorld();
}, 30_000);
afterAll(async () => {
  await dev.stop();
  await world.stop();
});

function harnessOver(sandboxes: SandboxWorld['sandboxes']) {
  return createHarness({
    config: configFrom({ ENVIRONMENT: 'development', DEV_MODEL_URL: dev.url }),
    sandboxes: () => sandboxes,
    sandbox: new SessionSandbox(
      sandboxDeps({ sandboxes: () => sandboxes, sessionId: 'sesn_harness', logger: silentLogger }),
    ),
    logger: silentLogger,
    clock: { now: () => Date.now() },
  });
}

describe('createHarness', () => {
  it('takes a request through model, tool and model', async () => {
    const harness = harnessOver(world.sandboxes);
    const agent = agentOf({ id: 'claude-sonnet-4-6' });
    expect(harness.choose(agent.model)).toMatchObject({ provider: 'dev', model: 'claude-sonnet-4-6' });

    const context: ContextItem[] = [say('Run: echo 6*7=$((6*7))')];
    const first = await collect(harness.call(callOf({ agent, context }), NEVER));
    harness.prepare('bash');
    const [call] = logged(first.end.outputs).filter((item) => item.type === 'tool_call');
    if (call === undefined) throw new TypeError('The model called no tool.');
    const use = {
      effectId: 'sevt_use',
      name: call.name,
      input: call.input,
      agent,
      context: async () => context,
      shell: 'main',
    };
    const outcome = await harness.perform(use, NEVER);
    expect(textOf(outcome)).toBe('6*7=42\n');

    context.push(...logged(first.end.outputs), { type: 'tool_result', callId: call.callId, ...outcome });
    const second = await collect(harness.call(callOf({ agent, context }), NEVER));
    expect(JSON.stringify(second.end.outputs)).toContain('6*7=42');
  });

  it('makes no sandbox for an agent that has no tool for it', async () => {
    const none = new Proxy(world.sandboxes, {
      get() {
        throw new TypeError('A sandbox was asked for.');
      },
    });
    const harness = harnessOver(none);
    harness.prepare('weather');
    const agent = agentOf({ id: 'any' }, { tools: [] });
    const { end } = await collect(harness.call(callOf({ agent, context: [say('[[say hi]]')] }), NEVER));
    expect(end.outputs).toEqual([{ type: 'message', text: 'hi' }]);
  });
});
