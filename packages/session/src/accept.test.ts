import { describe, expect, it } from 'vitest';
import { USAGE } from './scripted-harness.ts';
import { coordinator, Machine, typesOf } from './testing/machine.ts';

const text = (words: string) => [{ type: 'text' as const, text: words }];
const hello = { type: 'user.message' as const, content: text('hello') };
const rule = { type: 'system.message' as const, content: text('be brief') };
const result = { type: 'user.custom_tool_result' as const, content: text('done') };
const allow = { type: 'user.tool_confirmation' as const, result: 'allow' as const };
const write = (id: string) => ({ type: 'tool_call' as const, id, name: 'write', input: {}, hash: id });
const ticket = (id: string) => ({ type: 'tool_call' as const, id, name: 'ticket', input: {} });
const bash = { type: 'tool_call' as const, id: 'sevt_bash', name: 'bash', input: {} };
const sent = {
  type: 'tool_call' as const,
  id: 'sevt_sent',
  name: 'delegate',
  input: { agent: 'scout', message: 'look' },
};

describe('an answer to one of several calls', () => {
  it.each([
    ['a confirmation', [write('sevt_a'), write('sevt_b')], { ...allow, tool_use_id: 'sevt_a' }],
    ['a result', [ticket('sevt_a'), ticket('sevt_b')], { ...result, custom_tool_use_id: 'sevt_a' }],
  ])('says again what its thread waits for, and of no other: %s', (_, calls, answer) => {
    const machine = new Machine(coordinator());
    machine.send(hello);
    machine.replies([sent, write('sevt_w')]);
    machine.replies(calls, machine.child());
    expect(machine.state.status).toBe('idle');
    const entries = machine.send(answer);
    const stops = entries.filter(({ event }) => event.type === 'session.thread_status_idle');
    const stop_reason = { type: 'requires_action', event_ids: ['sevt_b'] };
    expect(stops).toMatchObject([{ event: { session_thread_id: machine.child().id, stop_reason } }]);
  });

  it('of a thread that still performs another says nothing of waiting', () => {
    const machine = new Machine();
    machine.send(hello);
    machine.replies([bash, write('sevt_a'), write('sevt_b')]);
    expect(machine.state.status).toBe('running');
    expect(typesOf(machine.send({ ...allow, tool_use_id: 'sevt_a' }))).toEqual(['user.tool_confirmation']);
  });
});

describe('what comes while nothing of a thread waits', () => {
  it('is queued as long as its outcome is judged', () => {
    const machine = new Machine();
    const rubric = { type: 'text' as const, content: 'good' };
    machine.send(hello, { type: 'user.define_outcome', description: 'a thing', rubric });
    machine.replies([{ type: 'message', id: 'sevt_said', text: 'done' }]);
    expect(machine.state.outcome?.phase).toBe('evaluating');
    expect(machine.send(hello)).toMatchObject([{ event: { processed_at: null } }]);
  });
});

describe('what comes for a thread that has as much waiting as is kept', () => {
  it.each([
    ['a message', [hello], 'events.0'],
    ['a system message', [{ ...result, custom_tool_use_id: 'sevt_a' }, rule], 'events.1'],
  ])('is refused, and nothing of its send is taken: %s', (_, params, path) => {
    const machine = new Machine();
    machine.send(hello);
    machine.replies([ticket('sevt_a')]);
    const message = { type: 'user.message' as const, id: 'sevt_m', processed_at: null, content: text('hi') };
    const queue = Array(1_000).fill({ kind: 'event', id: message.id, event: message });
    machine.state = { ...machine.state, threads: [{ ...machine.primary, queue }] };
    const before = machine.state;
    expect(() => machine.send(...params)).toThrow(`${path}: 1000 messages wait for the thread`);
    expect(machine.state).toBe(before);
  });
});

describe('a system message', () => {
  it('is taken with the message it follows', () => {
    const entries = new Machine().send(hello, rule);
    const at = entries
      .filter(({ event }) => event.type.endsWith('.message'))
      .map(({ event }) => event.processed_at);
    expect(at).toEqual(Array(2).fill('1970-01-01T00:00:00.000Z'));
  });

  it('behind the last result stands behind the messages that waited for it', () => {
    const machine = new Machine();
    machine.send(hello);
    machine.replies([ticket('sevt_a')]);
    machine.send(hello);
    const entries = machine.send({ ...result, custom_tool_use_id: 'sevt_a' }, rule);
    expect(entries.find(({ event }) => event.type === 'system.message')?.event.processed_at).toBeNull();
    expect(machine.primary.queue.map((input) => input.kind === 'event' && input.event.type)).toEqual([
      'user.message',
      'system.message',
    ]);
  });

  it('behind a message to another thread waits for the model call under way', () => {
    const machine = new Machine(coordinator());
    machine.send(hello);
    machine.replies([sent, bash]);
    machine.step({ kind: 'tool_result', callId: bash.id, outcome: { content: [], isError: false } });
    machine.begins();
    expect(machine.primary).toMatchObject({ status: 'running', queue: [], calls: [], unanswered: true });
    const entries = machine.send({ ...hello, session_thread_id: machine.child().id }, rule);
    expect(entries.at(-1)?.event).toMatchObject({ type: 'system.message', processed_at: null });
    machine.step({ kind: 'reply', outputs: [], usage: USAGE, refusal: null });
    expect(machine.primary.queue).toHaveLength(1);
  });

  it('behind a message to another thread is for the primary one, which it begins', () => {
    const machine = new Machine(coordinator());
    machine.send(hello);
    machine.replies([sent]);
    machine.replies([{ type: 'message', id: 'sevt_said', text: 'wait' }]);
    machine.replies([{ type: 'message', id: 'sevt_seen', text: 'wait' }], machine.child());
    machine.replies([{ type: 'message', id: 'sevt_ends', text: 'so' }]);
    expect(machine.state.status).toBe('idle');
    machine.send({ ...hello, session_thread_id: machine.child().id }, rule);
    expect(machine.primary).toMatchObject({ status: 'running', unanswered: false });
    expect(machine.primary.queue).toHaveLength(1);
  });
});

describe('an event for the primary thread', () => {
  it('does not name it', () => {
    const machine = new Machine();
    const [entry] = machine.send({ ...hello, session_thread_id: machine.primary.id });
    expect(entry?.event).not.toHaveProperty('session_thread_id');
    const [message] = machine.send({ ...hello, session_thread_id: machine.primary.id });
    expect(message?.event).not.toHaveProperty('session_thread_id');
  });
});

describe('a session that is over', () => {
  it('takes nothing, and says why', () => {
    const archived = new Machine();
    archived.do({ kind: 'archive' });
    expect(() => archived.send(hello)).toThrow('The session is archived');
    const deleted = new Machine();
    deleted.do({ kind: 'delete' });
    expect(() => deleted.send(hello)).toThrow('The session is terminated');
  });
});

describe('an approval', () => {
  it('of a call without a hash has nothing to note', () => {
    const machine = new Machine();
    machine.send(hello);
    machine.replies([{ type: 'tool_call', id: 'sevt_a', name: 'write', input: {} }]);
    const [said] = machine.send({ ...allow, tool_use_id: 'sevt_a' });
    expect(said?.event).toMatchObject({ processed_at: '1970-01-01T00:00:00.000Z', tool_use_id: 'sevt_a' });
    expect(said).not.toHaveProperty('note');
  });
});

describe('a denial', () => {
  it('closes the call it is for', () => {
    const machine = new Machine();
    machine.send(hello);
    machine.replies([write('sevt_a'), write('sevt_b')]);
    machine.send({ ...allow, result: 'deny', tool_use_id: 'sevt_a' });
    expect(machine.primary.calls.map(({ id }) => id)).toEqual(['sevt_b']);
  });

  it('without a reason tells the model only that it is one', () => {
    const machine = new Machine();
    machine.send(hello);
    machine.replies([write('sevt_a')]);
    const entries = machine.send({ ...allow, result: 'deny', tool_use_id: 'sevt_a' });
    const content = [{ type: 'text', text: 'The user rejected this tool call.' }];
    expect(entries.find(({ event }) => event.type === 'agent.tool_result')?.event).toMatchObject({ content });
  });
});
