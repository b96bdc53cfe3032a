import { ZERO_MODEL_USAGE } from '@capstan/schema/usage';
import { describe, expect, it } from 'vitest';
import { accept } from './accept.ts';
import { type Entry, made, noted } from './entry.ts';
import { named } from './frame.ts';
import { USAGE } from './scripted-harness.ts';
import type { OpenCall, ThreadState } from './state.ts';
import { Machine } from './testing/machine.ts';

const stamp = { now: 4_000, newId: () => 'sevt_new' };
const content = [{ type: 'text' as const, text: 'words' }];
const SPILL = [{ key: 'blob', field: 'input' as const, bytes: 9 }];
const TROUBLED = { attempt: 2, restarts: 3, compactions: 1 };
const LOST = { restored: null, lost: { files: 'all' as const, processes: false } };
const names = named(new Machine().primary);
const use = { name: 'bash', input: {} };
const ends = { model_request_start_id: 'sevt_start', model_usage: USAGE };
const judged = { outcome_id: 'outc_1', outcome_evaluation_start_id: 'sevt_start', iteration: 0 };

function openCall(id: string, change: Partial<OpenCall> = {}): OpenCall {
  return { id, name: 'bash', input: {}, waitsFor: 'nobody', begun: false, ...change };
}

/** A session's thread after an entry. */
function after(change: Partial<ThreadState>, entry: Entry): ThreadState {
  const machine = new Machine();
  machine.state = { ...machine.state, threads: [{ ...machine.primary, ...change }] };
  machine.live([entry]);
  return machine.primary;
}

describe('progress', () => {
  const message = made(stamp, 'agent.message', { content });
  const to = { to_session_thread_id: 'sthr_other', to_agent_name: 'scout', content };
  const sent = made(stamp, 'agent.thread_message_sent', to);
  const call = { name: 'delegate', input: {}, answer: 'sent' };
  const result = made(stamp, 'agent.tool_result', { tool_use_id: 'sevt_c', content, is_error: false });

  it.each([
    ['a message', message, 0],
    ['a message to another agent', noted(sent, { call }), 0],
    ['a tool call', made(stamp, 'agent.tool_use', { ...use, evaluated_permission: 'allow' }), 0],
    ['a call of a custom tool', made(stamp, 'agent.custom_tool_use', use), 0],
    // These do not say that the agent got beyond its last compaction.
    ['a thought', made(stamp, 'agent.thinking', {}), 1],
    ['a result', result, 1],
  ])('is %s: every try is free again', (_, entry, compactions) => {
    expect(after(TROUBLED, entry)).toMatchObject({ attempt: 0, restarts: 0, compactions });
  });

  it.each([
    ['what a broken reply had said', noted(message, { cut: true })],
    ['what is told of a thread without its asking', sent],
    ['a failed model call', made(stamp, 'span.model_request_end', { ...ends, is_error: true })],
  ])('is not %s', (_, entry) => {
    expect(after(TROUBLED, entry)).toMatchObject(TROUBLED);
  });
});

describe('the steps of a thread', () => {
  const machine = new Machine();
  const rubric = { type: 'text' as const, content: 'good' };
  const defined = accept([{ type: 'user.define_outcome', description: 'it', rubric }], machine.context());
  const hello = accept([{ type: 'user.message', content }], machine.context());
  const judgement = { ...judged, explanation: 'no', usage: ZERO_MODEL_USAGE };

  it.each([
    ['a message', hello.entries[0]],
    ['an outcome', defined.entries[0]],
    [
      'a verdict',
      made(stamp, 'span.outcome_evaluation_end', { ...judgement, result: 'needs_revision' as const }),
    ],
  ])('begin anew with %s', (_, entry) => {
    if (entry === undefined) throw new Error('it was accepted');
    expect(after({ steps: 9 }, entry).steps).toBe(0);
  });
});

describe('a tool call', () => {
  it.each([
    ['of the engine', made(stamp, 'agent.tool_use', { ...use, evaluated_permission: 'allow' })],
    ['of the client', made(stamp, 'agent.custom_tool_use', use)],
  ])('%s knows where its input is kept', (_, entry) => {
    expect(after({}, noted(entry, { spill: SPILL })).calls).toMatchObject([{ spill: SPILL }]);
    expect(after({}, entry).calls[0]).not.toHaveProperty('spill');
  });

  it('is approved alone, and for the input that was approved', () => {
    const asked = { waitsFor: 'confirmation' as const, hash: 'a' };
    const calls = [openCall('sevt_a', asked), openCall('sevt_b', asked)];
    const confirmation = (result: 'allow' | 'deny', approved: string): Entry => {
      const event = { type: 'user.tool_confirmation' as const, id: 'sevt_y', tool_use_id: 'sevt_a', result };
      return { event: { ...event, processed_at: new Date(stamp.now).toISOString() }, note: { approved } };
    };
    const waiting = (entry: Entry) => after({ calls }, entry).calls.map(({ waitsFor }) => waitsFor);
    expect(waiting(confirmation('allow', 'a'))).toEqual(['nobody', 'confirmation']);
    expect(waiting(confirmation('allow', 'b'))).toEqual(['confirmation', 'confirmation']);
    expect(waiting(confirmation('deny', 'a'))).toEqual(['confirmation', 'confirmation']);
  });

  it('may have been begun by a process that died, unless it waited for somebody', () => {
    const calls = [openCall('sevt_a'), openCall('sevt_b', { waitsFor: 'confirmation' })];
    const entry = made(stamp, 'session.thread_status_rescheduled', names);
    const retry = { at: 9_000, attempt: 1, restarts: 2 };
    const thread = after({ calls }, noted(entry, { retry }));
    expect(thread.calls.map(({ begun }) => begun)).toEqual([true, false]);
    expect(thread).toMatchObject({ retryAt: 9_000, attempt: 1, restarts: 2 });
  });

  it('whose result says nothing of the sandbox leaves that to be told', () => {
    const entry = made(stamp, 'agent.tool_result', { tool_use_id: 'sevt_c', content, is_error: true });
    expect(after({ missing: LOST }, entry).missing).toEqual(LOST);
    expect(after({ missing: LOST }, noted(entry, { heard: true })).missing).toBeNull();
  });
});

describe('the size of a context', () => {
  it('is what the last reply took, and not known any more once it is compacted', () => {
    const end = made(stamp, 'span.model_request_end', { ...ends, is_error: false });
    const bill = { provider: 'dev' as const, model: 'm', usage: USAGE, nanoUsd: null };
    const replied = noted(end, { bill: { kind: 'model', ...bill } });
    expect(after({ contextTokens: 90 }, replied).contextTokens).toBe(12);
    const summary = noted(end, { bill: { kind: 'compaction', ...bill } });
    expect(after({ contextTokens: 90 }, summary).contextTokens).toBe(90);
    const failed = made(stamp, 'span.model_request_end', { ...ends, is_error: true });
    expect(after({ contextTokens: 90 }, failed).contextTokens).toBe(90);
    const compacted = made(stamp, 'agent.thread_context_compacted', {});
    const thread = after({ contextTokens: 90, tooLong: true }, noted(compacted, { compactedTo: 7 }));
    expect(thread).toMatchObject({ contextTokens: 0, contextFrom: 7, tooLong: false, compactions: 1 });
  });
});

it('input that waits knows where its content is kept', () => {
  const event = { type: 'user.message' as const, id: 'sevt_m', processed_at: null, content: [] };
  const spill = [{ key: 'blob', field: 'content' as const, bytes: 9 }];
  const input = { kind: 'event', id: 'sevt_m', event };
  expect(after({}, { event, note: { spill } }).queue).toEqual([{ ...input, spill }]);
  expect(after({}, { event }).queue).toEqual([input]);
});

it('what a model cannot read stays known through its other requests', () => {
  const end = made(stamp, 'span.model_request_end', { ...ends, is_error: true });
  expect(after({ mediaFrom: 3, tooLong: true }, end)).toMatchObject({ mediaFrom: 3, tooLong: true });
  const refused = noted(end, { badMedia: { upTo: 5 }, tooLong: 'context' });
  expect(after({ mediaFrom: 3 }, refused)).toMatchObject({ mediaFrom: 5, tooLong: true, compactions: 0 });
});

it('a turn that goes on is not to be tried again', () => {
  const entry = made(stamp, 'session.thread_status_running', names);
  const thread = after({ status: 'rescheduling', retryAt: 3_000, steps: 4 }, entry);
  expect(thread).toMatchObject({ status: 'running', retryAt: null, steps: 4, activeSince: 4_000 });
});

it('a thread that has ended has nothing to do any more', () => {
  const event = { type: 'user.message' as const, id: 'sevt_m', processed_at: null, content };
  const reserved = { nanoUsd: 0, tokens: 0, input: 0, output: null };
  const asked = { provider: 'dev' as const, model: 'm', price: null, reserved, startedAt: 0 };
  const busy: Partial<ThreadState> = {
    status: 'running',
    turnId: 'sevt_turn',
    openSpan: { id: 'sevt_start', kind: 'model', ...asked },
    queue: [{ kind: 'event', id: event.id, event }],
    calls: [openCall('sevt_c')],
    unanswered: true,
    unseen: true,
    retryAt: 9_000,
    paused: true,
  };
  const idle = { turnId: null, openSpan: null, retryAt: null, paused: false };
  const ended = { ...idle, queue: [], calls: [], unanswered: false, unseen: false };
  const entry = made(stamp, 'session.thread_status_terminated', names);
  expect(after(busy, entry)).toMatchObject({ ...ended, status: 'terminated', archivedAt: null });
  expect(after(busy, noted(entry, { archived: true })).archivedAt).toBe(4_000);
});
