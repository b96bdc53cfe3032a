import { describe, expect, it } from 'vitest';
import type { OpenCall, ThreadState } from './state.ts';
import { coordinator, Machine } from './testing/machine.ts';
import { activeSecondsAt, nextStep, primaryOf, statusOf, threadOfCall } from './thread.ts';

const call: OpenCall = { id: 'sevt_c', name: 'bash', input: {}, waitsFor: 'nobody', begun: false };

/** A session of two threads, and what is said of them. */
function session(primary: Partial<ThreadState>, child: Partial<ThreadState> = {}) {
  const machine = new Machine(coordinator());
  machine.send({ type: 'user.message', content: [{ type: 'text', text: 'hello' }] });
  const input = { agent: 'scout', message: 'look' };
  machine.replies([{ type: 'tool_call', id: 'sevt_sent', name: 'delegate', input }]);
  const rest = { status: 'idle' as const, queue: [], calls: [], unanswered: false, unseen: false };
  const threads = [
    { ...machine.primary, ...rest, ...primary },
    { ...machine.child(), ...rest, ...child },
  ] as const;
  return { state: { ...machine.state, threads }, primary: threads[0], child: threads[1] };
}

describe('the next step of a thread', () => {
  it.each([
    ['rests', { status: 'idle', calls: [call] }, { kind: 'none' }],
    ['has a call to perform', { calls: [call], unanswered: true }, { kind: 'tools', calls: [call] }],
    [
      'waits for a person',
      { calls: [{ ...call, waitsFor: 'confirmation' }], unanswered: true },
      { kind: 'none' },
    ],
    ['has something to reply to', { unanswered: true }, { kind: 'model' }],
    ['has nothing left to do', {}, { kind: 'none' }],
  ] satisfies [string, Partial<ThreadState>, object][])('that %s', (_, change, step) => {
    const { state, primary } = session({ status: 'running', ...change });
    expect(nextStep(state, primary)).toEqual(step);
  });

  it('is to judge for the primary one alone', () => {
    const { state, primary, child } = session({ status: 'running' }, { status: 'running' });
    const outcome = {
      id: 'outc_1',
      description: 'a poem',
      eventId: 'sevt_o',
      maxIterations: 1,
      iteration: 0,
      phase: 'evaluating' as const,
      spanId: 'sevt_s',
      call: null,
    };
    expect(nextStep({ ...state, outcome }, primary)).toEqual({ kind: 'grade' });
    expect(nextStep({ ...state, outcome }, child)).toEqual({ kind: 'none' });
  });
});

describe('a session', () => {
  it.each([
    ['idle', 'idle', 'idle'],
    ['idle', 'running', 'running'],
    ['rescheduling', 'running', 'running'],
    ['idle', 'rescheduling', 'rescheduling'],
    ['idle', 'terminated', 'idle'],
    ['terminated', 'running', 'terminated'],
  ] as const)('whose threads are %s and %s is %s', (one, other, status) => {
    expect(statusOf(session({ status: one }, { status: other }).state)).toBe(status);
  });

  it('finds the thread of a call', () => {
    const { state, child } = session({}, { calls: [call] });
    expect(threadOfCall(state, call.id)).toBe(child);
    expect(threadOfCall(state, 'sevt_other')).toBeNull();
  });

  it('is none without a primary thread', () => {
    expect(() => primaryOf({ ...session({}).state, threads: [] })).toThrow('has a primary thread');
  });
});

it('time that went back was not worked', () => {
  expect(activeSecondsAt({ activeSince: null, activeMs: 2_500 }, 9_000)).toBe(2.5);
  expect(activeSecondsAt({ activeSince: 8_000, activeMs: 2_500 }, 9_000)).toBe(3.5);
  expect(activeSecondsAt({ activeSince: 9_000, activeMs: 2_500 }, 8_000)).toBe(2.5);
});
