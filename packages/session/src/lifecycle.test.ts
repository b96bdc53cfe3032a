import { describe, expect, it } from 'vitest';
import { LEASE_MS, wakeBetween } from './machine.ts';
import { coordinator, Machine, typesOf } from './testing/machine.ts';

const hello = { type: 'user.message' as const, content: [{ type: 'text' as const, text: 'hello' }] };
const rubric = { type: 'text' as const, content: 'good' };
const define = { type: 'user.define_outcome' as const, description: 'a thing', rubric };
const bash = { type: 'tool_call' as const, id: 'sevt_bash', name: 'bash', input: {} };
const words = { type: 'message' as const, id: 'sevt_words', text: 'words' };

const delegate = (id: string) => ({
  type: 'tool_call' as const,
  id,
  name: 'delegate',
  input: { agent: 'scout', message: 'look' },
});

const failed = {
  kind: 'failed' as const,
  kept: [],
  failure: {
    error: { type: 'unknown_error' as const, message: 'busy' },
    retryable: true,
    jitter: 1,
  },
};

/** A child thread has ended, another performs a call, and the primary one waits for its model with a message queued. */
function busy(): Machine {
  const machine = new Machine(coordinator());
  machine.send(hello, define);
  machine.replies([delegate('sevt_one'), delegate('sevt_other')]);
  machine.replies([words], machine.child(0));
  machine.do({ kind: 'archive_thread', threadId: machine.child(0).id });
  machine.replies([bash], machine.child(1));
  machine.begins();
  machine.send(hello);
  return machine;
}

describe('a retry', () => {
  it('of a child thread is shown by its session', () => {
    const machine = busy();
    const { id } = machine.child(1);
    machine.step(failed, machine.child(1));
    machine.now = machine.child(1).retryAt ?? 0;
    expect(machine.do({ kind: 'tick' })).toMatchObject([
      {
        event: { type: 'session.thread_status_running', session_thread_id: id },
        note: { thread: id, shared: true },
      },
    ]);
  });
});

describe('while it is not known whether a retry was called off, the alarm', () => {
  const interrupted = () => {
    const machine = new Machine();
    machine.send(hello);
    machine.step(failed);
    const before = machine.state;
    machine.send({ type: 'user.interrupt' });
    const at = before.threads[0]?.retryAt ?? 0;
    return { at, wake: (now: number) => wakeBetween([before, machine.state], machine.spec, now) };
  };

  it('is armed for it', () => {
    const { at, wake } = interrupted();
    expect(wake(at - 1)).toBe(at);
  });

  it('is armed for later, where it is overdue already', () => {
    const { at, wake } = interrupted();
    expect(wake(at)).toBe(at + LEASE_MS);
  });
});

describe('a change', () => {
  it('has a note only when there is something to note', () => {
    const machine = new Machine();
    const [entry] = machine.do({ kind: 'update', change: { title: 'a title' } });
    expect(entry).not.toHaveProperty('note');
  });
});

describe('a fork', () => {
  it('ends where it stands what was under way', () => {
    const machine = busy();
    const ids = machine.state.threads.map(({ id }) => id);
    const entries = machine.do({ kind: 'forked', whole: true });
    expect(typesOf(entries)).toEqual([
      'session.updated',
      'span.outcome_evaluation_end',
      'span.model_request_end',
      'user.message',
      'session.thread_status_idle',
      'agent.tool_result',
      'session.thread_status_idle',
      'session.usage',
      'session.status_idle',
    ]);
    const at = (type: string) => entries.find(({ event }) => event.type === type)?.event;
    expect(at('span.outcome_evaluation_end')).toMatchObject({
      result: 'interrupted',
      explanation: 'The session was forked while this was worked for.',
    });
    expect(at('span.model_request_end')).toMatchObject({ is_error: null });
    const content = [
      { type: 'text', text: 'Not run: the session was forked before this call had a result.' },
    ];
    expect(at('agent.tool_result')).toMatchObject({ content, is_error: true });
    expect(at('session.status_idle')).toMatchObject({ stop_reason: { type: 'end_turn' } });
    const { threads } = machine.state;
    expect(threads.map(({ id }) => id)).toEqual(ids);
    expect(threads.map(({ status }) => status)).toEqual(['idle', 'terminated', 'idle']);
    expect(threads.map(({ queue, calls }) => [...queue, ...calls])).toEqual([[], [], []]);
  });

  it('of a session that had ended begins again with its primary thread', () => {
    const machine = new Machine();
    machine.do({ kind: 'archive' });
    expect(machine.state.status).toBe('terminated');
    expect(typesOf(machine.do({ kind: 'forked', whole: true }))).toEqual([
      'session.updated',
      'session.thread_status_idle',
      'session.usage',
      'session.status_idle',
    ]);
    expect(machine.state).toMatchObject({ status: 'idle', threads: [{ status: 'idle', archivedAt: null }] });
  });

  it('of what could not be copied whole is over, and says why', () => {
    const machine = busy();
    const [, , other] = machine.state.threads;
    const entries = machine.do({ kind: 'forked', whole: false });
    expect(entries.slice(-4)).toMatchObject([
      {
        event: {
          type: 'session.error',
          error: {
            type: 'unknown_error',
            message: expect.stringContaining('could not be copied whole'),
            retry_status: { type: 'terminal' },
          },
        },
      },
      { event: { type: 'session.thread_status_terminated', session_thread_id: machine.primary.id } },
      {
        event: { type: 'session.thread_status_terminated', session_thread_id: other?.id },
        note: { thread: other?.id, shared: true },
      },
      { event: { type: 'session.status_terminated' } },
    ]);
    expect(machine.state).toMatchObject({ status: 'terminated', archivedAt: null });
  });
});

describe('a session that is archived', () => {
  it('ends the threads that have not ended', () => {
    const machine = busy();
    // The queued message begins a turn of its own.
    machine.send({ type: 'user.interrupt' });
    machine.begins();
    machine.send({ type: 'user.interrupt' });
    const entries = machine.do({ kind: 'archive' });
    const ended = entries.filter(({ event }) => event.type === 'session.thread_status_terminated');
    expect(ended.map(({ event }) => 'session_thread_id' in event && event.session_thread_id)).toEqual([
      machine.primary.id,
      machine.child(1).id,
    ]);
  });
});

describe('a session that is deleted', () => {
  it('is deleted once', () => {
    const machine = new Machine();
    expect(typesOf(machine.do({ kind: 'delete' }))).toEqual(['session.deleted']);
    expect(machine.do({ kind: 'delete' })).toEqual([]);
  });

  it('neither runs nor waits to try again', () => {
    const machine = new Machine();
    machine.send(hello);
    expect(() => machine.do({ kind: 'delete' })).toThrow('The session is running');
    machine.begins();
    machine.step(failed);
    expect(() => machine.do({ kind: 'delete' })).toThrow('The session is rescheduling');
  });
});
