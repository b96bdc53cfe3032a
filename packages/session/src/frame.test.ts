import { expect, it } from 'vitest';
import { USAGE } from './scripted-harness.ts';
import { coordinator, Machine, typesOf } from './testing/machine.ts';

const hello = { type: 'user.message' as const, content: [{ type: 'text' as const, text: 'hello' }] };

/** A model call of the thread fails: for good, or to be tried again. */
function fails(machine: Machine, thread = machine.primary, retryable = true) {
  machine.begins(thread);
  const error = { type: 'unknown_error' as const, message: 'busy' };
  return machine.step({ kind: 'failed', kept: [], failure: { error, retryable, jitter: 1 } }, thread);
}

it('a session says once that it is to be tried again', () => {
  const machine = new Machine();
  machine.send(hello);
  expect(typesOf(fails(machine)).at(-1)).toBe('session.status_rescheduled');
  expect(typesOf(machine.send(hello))).toEqual(['user.message']);
});

it('of a session that is over, a thread that had failed can still be archived', () => {
  const machine = new Machine(coordinator());
  machine.send(hello);
  const input = { agent: 'scout', message: 'look' };
  machine.replies([{ type: 'tool_call', id: 'sevt_sent', name: 'delegate', input }]);
  fails(machine, machine.child(), false);
  machine.send({ type: 'user.interrupt' });
  machine.do({ kind: 'archive' });
  expect(machine.child()).toMatchObject({ status: 'terminated', archivedAt: null });
  const entries = machine.do({ kind: 'archive_thread', threadId: machine.child().id });
  expect(typesOf(entries)).toEqual(['session.thread_status_terminated']);
  expect(machine.child().archivedAt).toBe(machine.now);
});

it('a session whose budget is used up says so of each thread, and then of itself', () => {
  const budget = { type: 'limit' as const, max_model_calls: 1 };
  const machine = new Machine({ ...coordinator(), budget });
  machine.send(hello);
  const input = { agent: 'scout', message: 'look' };
  const sent = machine.replies([{ type: 'tool_call', id: 'sevt_sent', name: 'delegate', input }]);
  const stop = { stop_reason: { type: 'budget_reached' }, stop_details: null };
  const { id, name } = machine.child();
  expect(sent.filter(({ event }) => event.type === 'session.thread_status_idle')).toMatchObject([
    { event: { ...stop, session_thread_id: id, agent_name: name }, note: { thread: id, shared: true } },
  ]);
  const [, usage, rest] = machine.begins();
  expect(usage?.event).toMatchObject({ type: 'session.usage', usage: { output_tokens: 2 } });
  expect(JSON.stringify(usage?.event)).not.toContain('list_cost');
  expect(rest?.event).toMatchObject({ type: 'session.status_idle', ...stop });
});

it('a session that waits for a person says for what, without details', () => {
  const machine = new Machine();
  machine.send(hello);
  const entries = machine.replies([{ type: 'tool_call', id: 'sevt_c', name: 'ticket', input: {} }]);
  const stop_reason = { type: 'requires_action', event_ids: ['sevt_c'] };
  const event = { type: 'session.status_idle', stop_reason, stop_details: null };
  expect(entries.at(-1)).toMatchObject({ event });
});

it('a session that rests says how its primary thread ended, with the details', () => {
  const machine = new Machine();
  machine.send(hello);
  machine.begins();
  const refusal = { type: 'refusal' as const, category: 'bio' as const, explanation: 'no' };
  const entries = machine.step({ kind: 'reply', outputs: [], usage: USAGE, refusal });
  const stops = entries.filter(({ event }) => 'stop_reason' in event).map(({ event }) => event);
  const stop = { stop_reason: { type: 'refusal' }, stop_details: refusal };
  expect(stops).toMatchObject([
    { type: 'session.thread_status_idle', ...stop },
    { type: 'session.status_idle', ...stop },
  ]);
});
