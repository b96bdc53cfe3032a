import type { ModelPart } from '@capstan/session/harness';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { beside } from './early-sandbox.ts';
import { agentOf, callOf, say } from './testing.ts';

const said: string[] = [];
const sandbox = { retry: () => void said.push('retry'), provision: () => void said.push('provision') };
beforeEach(() => {
  said.length = 0;
  vi.useFakeTimers();
});
afterEach(() => void vi.useRealTimers());

const agent = agentOf({ id: 'any' });
const asked = callOf({ agent, context: [say('hello')] });

/** A reply of one part that takes so long after its request is out. */
async function reply(call: typeof asked, ms: number): Promise<ModelPart[]> {
  const parts: ModelPart[] = [];
  const replying = beside(sandbox, call, async function* (sent) {
    said.push('request');
    sent();
    await vi.advanceTimersByTimeAsync(ms);
    yield { type: 'text', output: 0, text: 'hi' };
  });
  for await (const part of replying) parts.push(part);
  await vi.advanceTimersByTimeAsync(10_000);
  return parts;
}

describe('the sandbox beside a model call', () => {
  it('is made once the request is out and the model takes its time', async () => {
    expect(await reply(asked, 300)).toHaveLength(1);
    expect(said).toEqual(['request', 'retry', 'provision']);
  });

  it('is not made for a reply that comes at once', async () => {
    await reply(asked, 299);
    expect(said).toEqual(['request', 'retry']);
  });

  it.each([
    ['an agent without a tool for it', callOf({ agent: agentOf({ id: 'any' }, { tools: [] }) })],
    ['a call that is offered no tool of the agent', callOf({ agent, builtIn: false })],
  ])('is not made for %s', async (_, call) => {
    await reply(call, 5_000);
    expect(said).toEqual(['request']);
  });
});
