import { describe, expect, it } from 'vitest';
import { CHOICE, coordinator, Machine, typesOf } from './testing/machine.ts';

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
  const content = [{ type: 'text', text: 'Not run: the turn was given up after an error.' }];
  expect(entries[0]).toMatchObject({
    event: { tool_use_id: 'sevt_c', is_error: true, content },
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

const error = { type: 'unknown_error' as const, message: 'broke' };
const hello = { type: 'user.message' as const, content: [{ type: 'text' as const, text: 'hello' }] };
const estimate = { choice: CHOICE, inputTokens: 100 };

/** A child thread rests, and what the primary one brought is judged. */
function judged(): Machine {
  const machine = new Machine(coordinator());
  const rubric = { type: 'text' as const, content: 'good' };
  machine.send(hello, { type: 'user.define_outcome', description: 'a thing', rubric });
  const input = { agent: 'scout', message: 'look' };
  machine.replies([{ type: 'tool_call', id: 'sevt_sent', name: 'delegate', input }]);
  machine.replies([{ type: 'message', id: 'sevt_seen', text: 'seen' }], machine.child());
  machine.replies([{ type: 'message', id: 'sevt_done', text: 'done' }]);
  machine.replies([{ type: 'message', id: 'sevt_over', text: 'done' }]);
  machine.step({ kind: 'begin_grading', estimate });
  return machine;
}

describe('a failed model call', () => {
  it('is tried five times, ever later, before its turn is given up', () => {
    const machine = atWork();
    const failure = { error, retryable: true, jitter: 1 };
    const delays = Array.from({ length: 5 }, () => {
      machine.begins();
      machine.step({ kind: 'failed', kept: [], failure });
      const { retryAt } = machine.primary;
      const delay = retryAt === null ? null : retryAt - machine.now;
      machine.now = retryAt ?? machine.now;
      machine.do({ kind: 'tick' });
      return delay;
    });
    expect(delays).toEqual([1_000, 2_000, 4_000, 8_000, null]);
    expect(machine.primary).toMatchObject({ status: 'idle', attempt: 0 });
  });

  it('ends its request, with what is to be remembered of it', () => {
    const machine = atWork();
    const start = machine.begins().find(({ event }) => event.type === 'span.model_request_start');
    const failure = { error, retryable: true, jitter: 1, note: { badMedia: { upTo: 5 } } };
    const [end] = machine.step({ kind: 'failed', kept: [], failure });
    expect(end).toMatchObject({
      event: { type: 'span.model_request_end', model_request_start_id: start?.event.id, is_error: true },
      note: { badMedia: { upTo: 5 } },
    });
    expect(machine.primary.mediaFrom).toBe(5);
  });

  it('of a child thread leaves what is judged meanwhile, and is shown by its session', () => {
    const machine = judged();
    const { id } = machine.child();
    machine.send({ ...hello, session_thread_id: id });
    machine.begins(machine.child());
    const failure = { error, retryable: true, jitter: 1 };
    const shown = { thread: id, shared: true };
    expect(machine.step({ kind: 'failed', kept: [], failure }, machine.child())).toMatchObject([
      { event: { type: 'span.model_request_end' }, note: { thread: id } },
      { event: { type: 'session.error', error: { retry_status: { type: 'retrying' } } }, note: shown },
      { event: { type: 'session.thread_status_rescheduled', session_thread_id: id }, note: shown },
    ]);
    expect(machine.state.outcome?.call).not.toBeNull();
    machine.now = machine.child().retryAt ?? 0;
    machine.do({ kind: 'tick' });
    machine.begins(machine.child());
    const last = { error, retryable: false, jitter: 1 };
    const given = machine.step({ kind: 'failed', kept: [], failure: last }, machine.child());
    expect(given.find(({ event }) => event.type === 'session.error')).toMatchObject({
      event: { error: { message: 'broke', retry_status: { type: 'exhausted' } } },
      note: shown,
    });
  });

  it('of a grader is told with the outcome and its iteration', () => {
    const machine = judged();
    const [ongoing] = machine.do(recovered);
    const { id, iteration } = machine.state.outcome ?? {};
    const event = { type: 'span.outcome_evaluation_ongoing', outcome_id: id, iteration };
    expect(id).toBeDefined();
    expect(ongoing?.event).toMatchObject(event);
  });

  it('of a grader that is given up is billed once', () => {
    const machine = judged();
    const failure = { error, retryable: false, jitter: 1 };
    const entries = machine.step({ kind: 'failed', kept: [], failure });
    expect(entries.filter(({ note }) => note?.bill !== undefined)).toHaveLength(1);
    expect(machine.state.evaluations).toMatchObject([{ result: 'failed', explanation: 'broke' }]);
  });
});

it('a request that was never made takes nothing', () => {
  const machine = atWork();
  machine.begins();
  const [, end] = machine.do({ kind: 'forked', whole: true });
  expect(end?.event.type).toBe('span.model_request_end');
  expect(end).not.toHaveProperty('note');
});

it('a result of a client that was cut short names no thread when it is the primary one', () => {
  const machine = atWork();
  machine.replies([{ type: 'tool_call', id: 'sevt_c', name: 'ticket', input: {} }]);
  const entries = machine.send({ type: 'user.interrupt' });
  const closed = entries.find(({ event }) => event.type === 'user.custom_tool_result');
  expect(closed?.event).toMatchObject({ custom_tool_use_id: 'sevt_c' });
  expect(closed?.event).not.toHaveProperty('session_thread_id');
});
