import { expect, it } from 'vitest';
import { coordinator, Machine, typesOf } from './testing/machine.ts';

const recovered = { kind: 'recovered' as const, drafts: [] };

function atWork(): Machine {
  const machine = new Machine();
  machine.send({ type: 'user.message', content: [{ type: 'text', text: 'hello' }] });
  return machine;
}

/** Processes die until the turn is given up: how many, and what the last one put on the log. */
function untilGivenUp(machine: Machine) {
  for (let deaths = 1; ; deaths++) {
    const entries = machine.do(recovered);
    if (!typesOf(entries).includes('session.thread_status_rescheduled')) return { deaths, entries };
    machine.now = machine.primary.retryAt ?? machine.now;
    machine.do({ kind: 'tick' });
  }
}

it('a tool outlives 500 processes that die in a row; then its call is closed and the turn given up', () => {
  const machine = atWork();
  machine.replies([{ type: 'tool_call', id: 'sevt_c', name: 'bash', input: {} }]);
  const { deaths, entries } = untilGivenUp(machine);
  expect(deaths).toBe(501);
  expect(typesOf(entries)).toEqual([
    'agent.tool_result',
    'session.error',
    'session.thread_status_idle',
    'session.usage',
    'session.status_idle',
  ]);
  expect(entries[0]).toMatchObject({
    event: { tool_use_id: 'sevt_c', is_error: true },
    note: { cancel: true },
  });
  expect(machine.state.stopping).toEqual([{ id: 'sevt_c', name: 'bash', threadId: machine.primary.id }]);
  expect(machine.primary).toMatchObject({ status: 'idle', calls: [] });
});

it('a model call that kills ten processes in a row is given up', () => {
  const machine = atWork();
  for (let deaths = 1; ; deaths++) {
    machine.begins();
    const entries = machine.do(recovered);
    machine.now = machine.primary.retryAt ?? machine.now;
    machine.do({ kind: 'tick' });
    if (machine.primary.status === 'running') continue;
    expect(deaths).toBe(11);
    expect(typesOf(entries).slice(0, 2)).toEqual(['span.model_request_end', 'session.error']);
    return;
  }
});

it('the first restart is at once, later ones wait a little longer each time, up to half a second', () => {
  const machine = atWork();
  machine.replies([{ type: 'tool_call', id: 'sevt_c', name: 'bash', input: {} }]);
  const delays = Array.from({ length: 8 }, () => {
    machine.do(recovered);
    const delay = (machine.primary.retryAt ?? 0) - machine.now;
    machine.now += delay;
    machine.do({ kind: 'tick' });
    return delay;
  });
  expect(delays).toEqual([0, 100, 200, 400, 500, 500, 500, 500]);
});

it('a process that died is an error that is tried again, and says so', () => {
  const machine = atWork();
  machine.begins();
  const error = machine.do(recovered).find(({ event }) => event.type === 'session.error');
  const message = 'The process that ran this turn stopped. What it had written is kept.';
  const told = { type: 'unknown_error', message, retry_status: { type: 'retrying' } };
  expect(error?.event).toMatchObject({ error: told });
});

it('a thread keeps what was shown of its own message, and only while the request is open', () => {
  const machine = new Machine(coordinator());
  machine.send({ type: 'user.message', content: [{ type: 'text', text: 'hello' }] });
  const input = { agent: 'scout', message: 'look' };
  machine.replies([
    { type: 'tool_call', id: 'sevt_sent', name: 'delegate', input },
    { type: 'tool_call', id: 'sevt_c', name: 'bash', input: {} },
  ]);
  machine.begins(machine.child());
  const { id } = machine.child();
  const drafts = [
    { thread: null, eventId: 'sevt_late', text: 'late' },
    { thread: id, eventId: 'sevt_own', text: 'own' },
  ];
  const kept = machine.do({ kind: 'recovered', drafts });
  const said = kept.filter(({ event }) => event.type === 'agent.message');
  expect(said).toMatchObject([{ event: { id: 'sevt_own' }, note: { thread: id, cut: true } }]);
});
