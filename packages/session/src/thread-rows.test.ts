import { describe, expect, it } from 'vitest';
import { USAGE } from './scripted-harness.ts';
import { coordinator, Machine } from './testing/machine.ts';

const message = { type: 'user.message' as const, content: [{ type: 'text' as const, text: 'hello' }] };

function delegated(): Machine {
  const machine = new Machine(coordinator());
  machine.send(message);
  const input = { agent: 'scout', message: 'look' };
  machine.replies([{ type: 'tool_call', id: 'sevt_sent', name: 'delegate', input }]);
  machine.begins(machine.child());
  return machine;
}

describe('the rows of a child thread', () => {
  it('are its own, and the session shows what it was sent by a client, queued and taken', () => {
    const machine = delegated();
    const { id } = machine.child();
    const [queued] = machine.send({ ...message, session_thread_id: id });
    expect(queued).toMatchObject({
      event: { processed_at: null, session_thread_id: id },
      note: { thread: id, shared: true },
    });
    machine.step(
      { kind: 'reply', outputs: [{ type: 'thinking', id: 'sevt_t' }], usage: USAGE, refusal: null },
      machine.child(),
    );
    const [taken] = machine.begins(machine.child());
    expect(taken).toMatchObject({
      event: { id: queued?.event.id, processed_at: '1970-01-01T00:00:00.000Z' },
      note: { thread: id, shared: true },
    });
  });

  it('end with a message of all its words to its parent, and of nothing else', () => {
    const machine = delegated();
    const outputs = [
      { type: 'thinking' as const, id: 'sevt_t' },
      { type: 'message' as const, id: 'sevt_m', text: 'seen' },
      { type: 'message' as const, id: 'sevt_n', text: 'twice' },
    ];
    const entries = machine.step({ kind: 'reply', outputs, usage: USAGE, refusal: null }, machine.child());
    const sent = entries.find(({ event }) => event.type === 'agent.thread_message_sent');
    expect(sent?.event).toMatchObject({
      to_session_thread_id: machine.primary.id,
      content: [{ type: 'text', text: 'seen\ntwice' }],
    });
    expect(sent?.note).toEqual({ thread: machine.child().id });
  });

  it('say what became of its calls when it is archived', () => {
    const machine = delegated();
    const call = { type: 'tool_call' as const, id: 'sevt_w', name: 'write', input: {}, hash: 'abc' };
    machine.step({ kind: 'reply', outputs: [call], usage: USAGE, refusal: null }, machine.child());
    const entries = machine.do({ kind: 'archive_thread', threadId: machine.child().id });
    const result = entries.find(({ event }) => event.type === 'agent.tool_result');
    expect(result).toMatchObject({
      event: { tool_use_id: 'sevt_w', content: [{ text: 'Not run: the thread was archived.' }] },
      note: { shared: true },
    });
  });
});
