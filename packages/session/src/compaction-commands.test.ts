import { expect, it } from 'vitest';
import { USAGE } from './scripted-harness.ts';
import { CHOICE, Machine, typesOf } from './testing/machine.ts';

it.each([
  ['with what is carried over', { rules: ['a rule'], outcome: null }],
  ['and nothing else', { rules: [], outcome: null }],
])('a compaction ends its request without an error, is billed, and keeps its summary %s', (_, carried) => {
  const machine = new Machine();
  machine.send({ type: 'user.message', content: [{ type: 'text', text: 'hello' }] });
  const estimate = { choice: CHOICE, inputTokens: 100 };
  const [start] = machine.step({ kind: 'begin_model', purpose: 'compaction', estimate });
  const entries = machine.step({ kind: 'compacted', summary: 'so far', carried, upTo: 3, usage: USAGE });
  expect(typesOf(entries)).toEqual(['span.model_request_end', 'agent.thread_context_compacted']);
  const [end, compacted] = entries;
  expect(end).toMatchObject({
    event: { model_request_start_id: start?.event.id, is_error: false, model_usage: USAGE },
    note: { bill: { kind: 'compaction', model: 'real', usage: USAGE } },
  });
  const kept = carried.rules.length > 0 ? { carried } : {};
  expect(compacted?.note).toEqual({ summary: 'so far', compactedTo: 3, ...kept });
  expect(machine.primary).toMatchObject({ contextFrom: 3, contextTokens: 0, compactions: 1, openSpan: null });
});

it('a context that the model would not read is a call of the model, one that was never shown to it is none', () => {
  const tooLong = (more: { unasked?: true }) => {
    const machine = new Machine();
    machine.send({ type: 'user.message', content: [{ type: 'text', text: 'hello' }] });
    machine.begins();
    const [end] = machine.step({ kind: 'too_long', message: 'too long', ...more });
    return { end, spent: machine.state.spent };
  };
  const asked = tooLong({});
  expect(asked.end?.note).toMatchObject({ tooLong: 'context', bill: { usage: { input_tokens: 0 } } });
  expect(asked.spent).toMatchObject({ modelCalls: 1, tokens: 0 });
  const unasked = tooLong({ unasked: true });
  expect(unasked.end?.note).toEqual({ tooLong: 'context' });
  expect(unasked.spent).toMatchObject({ modelCalls: 0 });
});

it('what cannot be compacted in three tries ends the turn, with the reason', () => {
  const machine = new Machine();
  machine.send({ type: 'user.message', content: [{ type: 'text', text: 'hello' }] });
  const estimate = { choice: CHOICE, inputTokens: 100 };
  const tries = Array.from({ length: 3 }, () => {
    machine.step({ kind: 'begin_model', purpose: 'compaction', estimate });
    return machine.step({ kind: 'too_long', message: 'far too long', transcript: true });
  });
  expect(tries.slice(0, 2).map(typesOf)).toEqual(Array(2).fill(['span.model_request_end']));
  const [end, told, ...more] = tries[2] ?? [];
  expect(end?.event).toMatchObject({ type: 'span.model_request_end', is_error: true });
  const error = { type: 'compaction_limit_reached_error', message: 'far too long' };
  expect(told?.event).toMatchObject({ type: 'session.error', error });
  expect(typesOf(more)).toEqual(['session.thread_status_idle', 'session.usage', 'session.status_idle']);
  expect(machine.primary).toMatchObject({ status: 'idle', openSpan: null });
});
