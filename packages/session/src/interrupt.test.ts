import { describe, expect, it } from 'vitest';
import { USAGE } from './scripted-harness.ts';
import { CHOICE, coordinator, Machine, typesOf } from './testing/machine.ts';

const hello = { type: 'user.message' as const, content: [{ type: 'text' as const, text: 'hello' }] };
const interrupt = { type: 'user.interrupt' as const };
const define = {
  type: 'user.define_outcome' as const,
  description: 'a thing',
  rubric: { type: 'text' as const, content: 'good' },
};
const words = { type: 'message' as const, id: 'sevt_words', text: 'words' };

/** Works for an outcome, with a child thread at work. */
function delegated(): Machine {
  const machine = new Machine(coordinator());
  machine.send(hello, define);
  const input = { agent: 'scout', message: 'look' };
  machine.replies([{ type: 'tool_call', id: 'sevt_sent', name: 'delegate', input }]);
  machine.begins(machine.child());
  return machine;
}

describe('an interrupt', () => {
  it('ends the turn as one that came to its end', () => {
    const machine = new Machine();
    machine.send(hello);
    const event = { type: 'session.status_idle', stop_reason: { type: 'end_turn' }, stop_details: null };
    expect(machine.send(interrupt).at(-1)).toMatchObject({ event });
  });

  it('of a child thread leaves the outcome', () => {
    const machine = delegated();
    const entries = machine.send({ ...interrupt, session_thread_id: machine.child().id });
    expect(typesOf(entries)).not.toContain('span.outcome_evaluation_end');
    expect(machine.state.outcome?.phase).toBe('working');
  });

  it.each([
    ['of all', () => ({})],
    ['of the primary thread', (machine: Machine) => ({ session_thread_id: machine.primary.id })],
  ])('%s ends it, directly behind the interrupt', (_, to) => {
    const machine = delegated();
    const entries = machine.send({ ...interrupt, ...to(machine) });
    expect(typesOf(entries).slice(0, 2)).toEqual(['user.interrupt', 'span.outcome_evaluation_end']);
    const explanation = 'The work was interrupted by the user.';
    expect(machine.state.evaluations).toMatchObject([{ result: 'interrupted', explanation }]);
    expect(machine.state.outcome).toBeNull();
  });

  it('ends an outcome that nobody is at work for', () => {
    const machine = new Machine();
    machine.send(hello, define);
    machine.begins();
    const refusal = { type: 'refusal' as const, category: null, explanation: null };
    machine.step({ kind: 'reply', outputs: [words], usage: USAGE, refusal });
    expect(machine.state).toMatchObject({ status: 'idle', outcome: { phase: 'working' } });
    expect(typesOf(machine.send(interrupt))).toEqual(['user.interrupt', 'span.outcome_evaluation_end']);
  });

  it('is not kept while the session rests for its budget, whatever other threads there are', () => {
    const machine = new Machine({ ...coordinator(), budget: { type: 'limit', max_model_calls: 2 } });
    machine.send(hello);
    const input = { agent: 'scout', message: 'look' };
    machine.replies([{ type: 'tool_call', id: 'sevt_sent', name: 'delegate', input }]);
    machine.replies([words], machine.child());
    const estimate = { choice: CHOICE, inputTokens: 100 };
    machine.step({ kind: 'begin_model', purpose: 'reply', estimate });
    expect(machine.state.threads.map(({ paused }) => paused)).toEqual([true, false]);
    expect(machine.send(interrupt)).toEqual([]);
  });

  it('says which thread is not there, and which has ended', () => {
    const machine = delegated();
    const to = (id: string) => () => machine.send({ ...interrupt, session_thread_id: id });
    expect(to('sthr_none')).toThrow('events.0.session_thread_id: no thread sthr_none in this session');
    const { id } = machine.child();
    machine.send({ ...interrupt, session_thread_id: id });
    machine.do({ kind: 'archive_thread', threadId: id });
    expect(to(id)).toThrow(`events.0.session_thread_id: the thread ${id} has ended`);
  });

  it.each([[{}], [{ session_thread_id: null }]])('that names no thread is for all of them: %o', (to) => {
    const machine = delegated();
    const [event] = machine.send({ ...interrupt, ...to });
    expect(event?.event).not.toHaveProperty('session_thread_id');
    expect(machine.state.threads.map(({ status }) => status)).toEqual(['idle', 'idle']);
  });

  it('of all leaves no child with a message of its parent to read', () => {
    const machine = delegated();
    const input = { thread_id: machine.child().id, message: 'and' };
    machine.replies([{ type: 'tool_call', id: 'sevt_again', name: 'delegate', input }]);
    expect(machine.child().queue).toHaveLength(1);
    const entries = machine.send(interrupt);
    const read = entries.filter(({ event }) => event.type === 'agent.thread_message_received');
    expect(read.map(({ note }) => [note?.thread, note?.delivers])).toContainEqual([
      machine.child().id,
      'sevt_again',
    ]);
    expect(machine.child()).toMatchObject({ status: 'idle', queue: [] });
  });

  it('is kept while one thread rests for its budget and another waits for a person', () => {
    const machine = new Machine({ ...coordinator(), budget: { type: 'limit', max_model_calls: 2 } });
    machine.send(hello);
    const input = { agent: 'scout', message: 'look' };
    machine.replies([{ type: 'tool_call', id: 'sevt_sent', name: 'delegate', input }]);
    const ask = { type: 'tool_call' as const, id: 'sevt_ask', name: 'write', input: {} };
    machine.replies([ask], machine.child());
    const estimate = { choice: CHOICE, inputTokens: 100 };
    machine.step({ kind: 'begin_model', purpose: 'reply', estimate });
    expect(machine.state).toMatchObject({ status: 'idle', threads: [{ paused: true }, { paused: false }] });
    const entries = machine.send(interrupt);
    expect(typesOf(entries)[0]).toBe('user.interrupt');
    const content = [{ type: 'text', text: 'Execution was interrupted by the user.' }];
    const closed = entries.find(({ event }) => event.type === 'agent.tool_result');
    expect(closed?.event).toMatchObject({ tool_use_id: 'sevt_ask', is_error: true, content });
    expect(machine.state.threads.map(({ paused }) => paused)).toEqual([false, false]);
  });
});
