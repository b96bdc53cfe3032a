import type { EventParam } from '@capstan/schema/events/user-events';
import { describe, expect, it } from 'vitest';
import { USAGE } from './scripted-harness.ts';
import type { SessionSpec } from './spec.ts';
import { CHOICE, Machine, typesOf } from './testing/machine.ts';

const hello: EventParam = { type: 'user.message', content: [{ type: 'text', text: 'hello' }] };
const begin = { kind: 'begin_model' as const, estimate: { choice: CHOICE, inputTokens: 100 } };

function running(change: Partial<SessionSpec> = {}): Machine {
  const machine = new Machine(change);
  machine.send(hello);
  return machine;
}

describe('beginning a model call', () => {
  it('names who answers, and so does the bill', () => {
    const machine = running();
    const [start] = machine.step({ ...begin, purpose: 'reply' });
    expect(start?.event).toMatchObject({ capstan: { provider: 'openai', model: 'real' } });
    const entries = machine.step({
      kind: 'reply',
      outputs: [{ type: 'message', id: 'sevt_m', text: 'hi' }],
      usage: USAGE,
      refusal: null,
    });
    const bill = { kind: 'model', provider: 'openai', model: 'real', usage: USAGE, nanoUsd: null };
    expect(entries[1]).toMatchObject({ event: { type: 'span.model_request_end' }, note: { bill } });
  });

  it('that has begun already begins nothing', () => {
    const machine = running();
    machine.step({ ...begin, purpose: 'reply' });
    expect(machine.step({ ...begin, purpose: 'reply' })).toEqual([]);
    expect(machine.step({ ...begin, purpose: 'compaction' })).toEqual([]);
  });

  it('takes what waits, in the order it came', () => {
    const machine = running();
    machine.step({ ...begin, purpose: 'reply' });
    machine.send(hello);
    machine.step({
      kind: 'reply',
      outputs: [{ type: 'tool_call', id: 'sevt_c', name: 'bash', input: {} }],
      usage: USAGE,
      refusal: null,
    });
    const outcome = { content: [], isError: false };
    expect(machine.step({ kind: 'tool_result', callId: 'sevt_other', outcome })).toEqual([]);
    const results = machine.step({ kind: 'tool_result', callId: 'sevt_c', outcome });
    expect(typesOf(results)).toEqual(['agent.tool_result']);
    expect(results[0]).not.toHaveProperty('note');
    expect(machine.primary.queue).toHaveLength(1);
    // A compaction reads what was there, and leaves the rest to the reply.
    expect(typesOf(machine.step({ ...begin, purpose: 'compaction' }))).toEqual(['span.model_request_start']);
    expect(machine.primary.queue).toHaveLength(1);
    const carried = { rules: [], outcome: null };
    machine.step({ kind: 'compacted', summary: 'so far', carried, upTo: 3, usage: USAGE });
    expect(typesOf(machine.step({ ...begin, purpose: 'reply' }))).toEqual([
      'user.message',
      'span.model_request_start',
    ]);
  });

  it('for which there is no room pauses, and takes nothing', () => {
    const budget = { type: 'limit' as const, max_model_calls: 1 };
    const machine = running({ budget });
    machine.step({ ...begin, purpose: 'reply' });
    machine.send(hello);
    machine.step({
      kind: 'reply',
      outputs: [{ type: 'tool_call', id: 'sevt_c', name: 'bash', input: {} }],
      usage: USAGE,
      refusal: null,
    });
    machine.step({ kind: 'tool_result', callId: 'sevt_c', outcome: { content: [], isError: false } });
    expect(typesOf(machine.step({ ...begin, purpose: 'reply' }))).toEqual([
      'session.thread_status_idle',
      'session.usage',
      'session.status_idle',
    ]);
    expect(machine.primary.queue).toHaveLength(1);
  });
});

it('a turn that never stops calling tools is stopped, with all its results', () => {
  const machine = running();
  const outcome = { content: [], isError: false };
  const uses = { kind: 'reply' as const, usage: USAGE, refusal: null };
  for (let call = 1; ; call++) {
    const id = `sevt_c${call}`;
    machine.step({ ...begin, purpose: 'reply' });
    machine.step({ ...uses, outputs: [{ type: 'tool_call', id, name: 'bash', input: {} }] });
    const entries = machine.step({ kind: 'tool_result', callId: id, outcome });
    if (call < 500) expect(typesOf(entries)).toEqual(['agent.tool_result']);
    if (call < 500) continue;
    expect(typesOf(entries)).toEqual([
      'agent.tool_result',
      'session.error',
      'session.thread_status_idle',
      'session.usage',
      'session.status_idle',
    ]);
    const message = 'The turn was stopped after 500 model calls.';
    const retry_status = { type: 'exhausted' };
    const error = { type: 'tool_use_limit_reached_error', message, retry_status };
    expect(entries[1]?.event).toMatchObject({ error });
    expect(machine.primary).toMatchObject({ calls: [], unanswered: false, status: 'idle' });
    return;
  }
});

describe('a model that breaks off', () => {
  const kept = [
    { id: 'sevt_none', text: '' },
    { id: 'sevt_some', text: 'some words' },
  ];
  const error = { type: 'unknown_error' as const, message: 'broke off' };
  it.each([
    ['failed', { kind: 'failed' as const, kept, failure: { error, retryable: true, jitter: 1 } }],
    ['read too much', { kind: 'too_long' as const, message: 'too long', kept }],
  ])('and %s leaves what it had said, where it had said something', (_, step) => {
    const machine = running();
    machine.step({ ...begin, purpose: 'reply' });
    const said = machine.step(step).filter(({ event }) => event.type === 'agent.message');
    expect(said).toMatchObject([
      { event: { id: 'sevt_some', content: [{ text: 'some words' }] }, note: { cut: true } },
    ]);
  });
});

it('a grading whose process died is billed to the model that judged', () => {
  const machine = new Machine();
  const rubric = { type: 'text' as const, content: 'good' };
  machine.send(hello, { type: 'user.define_outcome', description: 'a thing', rubric });
  machine.replies([{ type: 'message', id: 'sevt_m', text: 'done' }]);
  machine.step({ kind: 'begin_grading', estimate: begin.estimate });
  const entries = machine.do({ kind: 'recovered', drafts: [] });
  const bills = entries.flatMap(({ note }) => (note?.bill ? [note.bill] : []));
  expect(bills).toMatchObject([{ kind: 'grading', provider: 'openai', model: 'real', estimated: true }]);
});

it('a refusal keeps what the model had said', () => {
  const machine = running();
  machine.step({ ...begin, purpose: 'reply' });
  const refusal = { type: 'refusal' as const, category: null, explanation: null };
  const outputs = [{ type: 'message' as const, id: 'sevt_m', text: 'as far as' }];
  expect(typesOf(machine.step({ kind: 'reply', outputs, usage: USAGE, refusal }))).toEqual([
    'agent.message',
    'span.model_request_end',
    'session.thread_status_idle',
    'session.usage',
    'session.status_idle',
  ]);
});
