import { describe, expect, it } from 'vitest';
import type { Price } from './harness.ts';
import { PRICE, USAGE } from './scripted-harness.ts';
import type { SessionChange } from './service.ts';
import { CHOICE, coordinator, Machine } from './testing/machine.ts';

const hello = { type: 'user.message' as const, content: [{ type: 'text' as const, text: 'hello' }] };

describe('a session', () => {
  it('is as old as what was last processed: what waits does not change that', () => {
    const machine = new Machine();
    const at = machine.spec.createdAt + 5_000;
    machine.now = at;
    machine.send(hello);
    machine.begins();
    machine.now = at + 4_000;
    machine.send(hello);
    expect(machine.primary.queue).toHaveLength(1);
    expect([machine.state.updatedAt, machine.primary.updatedAt]).toEqual([at, at]);
    machine.now = at - 4_000;
    machine.step({ kind: 'reply', outputs: [], usage: USAGE, refusal: null });
    expect([machine.state.updatedAt, machine.primary.updatedAt]).toEqual([at, at]);
  });
});

describe('what it used', () => {
  it('is what all its calls took, at the price they were made for', () => {
    const machine = new Machine();
    const call = (price: Price | null, input_tokens: number) => {
      machine.send(hello);
      const choice = { ...CHOICE, price };
      machine.step({ kind: 'begin_model', purpose: 'reply', estimate: { choice, inputTokens: 100 } });
      const usage = { ...USAGE, input_tokens };
      machine.step({ kind: 'reply', outputs: [], usage, refusal: null });
    };
    call(null, 10);
    expect(machine.state.spent).toEqual({ nanoUsd: 0, tokens: 12, modelCalls: 1, priced: false });
    call(PRICE, 20);
    const first = 20 * PRICE.input + 2 * PRICE.output;
    expect(machine.state.spent).toEqual({ nanoUsd: first, tokens: 34, modelCalls: 2, priced: true });
    call(PRICE, 30);
    call(null, 40);
    const nanoUsd = first + 30 * PRICE.input + 2 * PRICE.output;
    expect(machine.state.spent).toEqual({ nanoUsd, tokens: 108, modelCalls: 4, priced: true });
    expect(machine.state.usage).toMatchObject({ input_tokens: 100, output_tokens: 8 });
    machine.do({ kind: 'forked', whole: true });
    expect(machine.state.spent).toEqual({ nanoUsd: 0, tokens: 0, modelCalls: 0, priced: false });
    expect(machine.state).toMatchObject({
      activeMs: 0,
      activeSince: null,
      forkedInto: machine.spec.sessionId,
    });
    expect(machine.state.usage).toMatchObject({ input_tokens: 0, output_tokens: 0 });
    expect(machine.primary.usage).toMatchObject({ input_tokens: 0, output_tokens: 0 });
  });
});

describe('its calls to the web', () => {
  const calling = (name: string, isError: boolean) => {
    const machine = new Machine();
    machine.send(hello);
    machine.begins();
    const output = { type: 'tool_call' as const, id: 'sevt_call', name, input: {} };
    machine.step({ kind: 'reply', outputs: [output], usage: USAGE, refusal: null });
    const callId = 'sevt_call';
    machine.step({ kind: 'tool_result', callId, outcome: { content: [], isError } });
    return [machine.state.usage.server_tool_use, machine.primary.usage.server_tool_use];
  };

  it.each([
    ['web_search', { web_search_requests: 1, web_fetch_requests: 0 }],
    ['web_fetch', { web_search_requests: 0, web_fetch_requests: 1 }],
    ['bash', null],
  ])('are counted by kind: %s', (name, counted) => {
    expect(calling(name, false)).toEqual([counted, counted]);
  });

  it('do not count where they failed', () => {
    expect(calling('web_search', true)).toEqual([null, null]);
  });
});

describe('the time it worked', () => {
  it('counts from when it runs to when it rests, and never less than nothing', () => {
    const machine = new Machine();
    machine.now = 8_000;
    machine.send(hello);
    machine.now = 6_000;
    machine.replies([]);
    expect(machine.state).toMatchObject({ status: 'idle', activeSince: null, activeMs: 0 });
    expect(machine.primary).toMatchObject({ status: 'idle', activeSince: null, activeMs: 0 });
    machine.send(hello);
    machine.now = 6_500;
    machine.replies([]);
    machine.now = 90_000;
    machine.do({ kind: 'archive' });
    expect([machine.state.activeMs, machine.primary.activeMs]).toEqual([500, 500]);
  });
});

describe('calls that were cut short', () => {
  it('are remembered, the newest of them, and not by a copy of the session', () => {
    const machine = new Machine();
    machine.send(hello);
    const ids = Array.from({ length: 300 }, (_, place) => `sevt_c${place}`);
    const call = { name: 'bash', input: {}, waitsFor: 'nobody' as const, begun: false };
    const calls = ids.map((id) => ({ id, ...call }));
    machine.state = { ...machine.state, threads: [{ ...machine.primary, calls }] };
    machine.now = 500;
    machine.send({ type: 'user.interrupt' });
    expect([machine.state.activeMs, machine.primary.activeMs]).toEqual([500, 500]);
    expect(machine.state.stopping.map(({ id }) => id)).toEqual(ids.slice(44));
    machine.state = { ...machine.state, told: 'sevt_news' };
    machine.do({ kind: 'forked', whole: true });
    expect(machine.state).toMatchObject({ stopping: [], told: null, status: 'idle', activeMs: 0 });
    expect(machine.primary).toMatchObject({ status: 'idle', activeMs: 0 });
  });
});

it('a copy of a session that was archived has not ended, but what ended in it has', () => {
  const machine = new Machine(coordinator());
  machine.send(hello);
  const input = { agent: 'scout', message: 'look' };
  machine.replies([{ type: 'tool_call', id: 'sevt_sent', name: 'delegate', input }]);
  machine.now = 2_000;
  machine.send({ type: 'user.interrupt' });
  machine.do({ kind: 'archive' });
  expect([machine.state, machine.primary, machine.child()]).toMatchObject(
    Array(3).fill({ status: 'terminated', archivedAt: 2_000 }),
  );
  machine.do({ kind: 'forked', whole: true });
  expect([machine.state, machine.primary]).toMatchObject(Array(2).fill({ status: 'idle', archivedAt: null }));
  expect(machine.child()).toMatchObject({ status: 'terminated', archivedAt: 2_000 });
});

describe('what is changed', () => {
  it('is of the session, not of its threads', () => {
    const machine = new Machine();
    machine.now = machine.spec.createdAt + 5_000;
    const before = machine.primary;
    machine.do({ kind: 'update', change: { title: 'one' } });
    expect(machine.primary).toEqual(before);
    expect(machine.state.updatedAt).toBe(machine.now);
  });

  it('is changed, and the rest stays', () => {
    const machine = new Machine();
    const change = (changed: Partial<SessionChange>) => {
      machine.do({ kind: 'update', change: changed });
      const { title, metadata, budget } = machine.state;
      return { title, metadata, budget };
    };
    const budget = { type: 'limit' as const, max_tokens: 900 };
    expect(change({ title: 'one' })).toEqual({ title: 'one', metadata: undefined, budget: undefined });
    expect(change({ metadata: { a: 'b' } })).toEqual({
      title: 'one',
      metadata: { a: 'b' },
      budget: undefined,
    });
    expect(change({ budget })).toEqual({ title: 'one', metadata: { a: 'b' }, budget });
    expect(change({ metadata: { a: null } })).toEqual({ title: 'one', metadata: {}, budget });
    expect(change({ title: null, budget: null })).toEqual({ title: null, metadata: {}, budget: null });
  });
});

it('an outcome in its last turn is over with its session', () => {
  const machine = new Machine();
  const rubric = { type: 'text' as const, content: 'good' };
  const description = 'a thing';
  machine.send({ type: 'user.define_outcome', description, rubric, max_iterations: 1 });
  machine.replies([{ type: 'message', id: 'sevt_done', text: 'done' }]);
  const judgement = { result: 'needs_revision' as const, explanation: 'no' };
  machine.step({ kind: 'graded', judgement, usage: USAGE, bill: null });
  machine.replies([{ type: 'tool_call', id: 'sevt_ask', name: 'write', input: {} }]);
  expect(machine.state).toMatchObject({ status: 'idle', outcome: { phase: 'last' } });
  machine.do({ kind: 'archive' });
  expect(machine.state).toMatchObject({ status: 'terminated', outcome: null });
});

it('an error of its own is no news of the sandbox', () => {
  const machine = new Machine();
  machine.send(hello);
  machine.begins();
  const error = { type: 'unknown_error' as const, message: 'broke' };
  machine.step({ kind: 'failed', kept: [], failure: { error, retryable: false, jitter: 0 } });
  expect(machine.state.told).toBeNull();
});
