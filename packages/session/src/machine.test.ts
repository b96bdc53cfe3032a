import { ZERO_MODEL_USAGE } from '@capstan/schema/usage';
import { describe, expect, it } from 'vitest';
import { accept } from './accept.ts';
import { evolveAll } from './evolve.ts';
import { foldOf } from './fold.ts';
import { decide, LEASE_MS, owed, toThreadViews } from './machine.ts';
import { coordinator, Machine } from './testing/machine.ts';
import { World } from './testing.ts';

const { spec } = new World();
const initial = foldOf(spec).initial;
let ids = 0;
const stamp = (now: number) => ({ now, newId: () => `sevt_${++ids}` });
const hello = { type: 'user.message' as const, content: [{ type: 'text' as const, text: 'hello' }] };

function begun() {
  const { entries } = accept([hello], { state: initial, spec, stamp: stamp(0) });
  return evolveAll(initial, entries);
}

describe('the machine', () => {
  it('gives a command of a turn that is over nothing', () => {
    const state = begun();
    const reply = { kind: 'reply' as const, outputs: [], refusal: null, usage: ZERO_MODEL_USAGE };
    expect(decide({ ...reply, turnId: 'sevt_of_another' }, { state, spec, stamp: stamp(1) })).toEqual([]);
  });

  it('owes a look at a running turn, and none at an idle session', () => {
    expect(owed(begun(), spec, 1_000).wakeAt).toBeGreaterThan(1_000);
    expect(owed(initial, spec, 1_000).wakeAt).toBeNull();
  });

  it('counts the time it works, not the time it waits', () => {
    const state = begun();
    expect(owed(state, spec, 2_500).index.activeSeconds).toBe(2.5);
    const failed = decide(
      {
        kind: 'failed',
        kept: [],
        turnId: state.threads[0]?.turnId ?? '',
        failure: { error: { type: 'billing_error', message: 'no credit' }, retryable: false, jitter: 0 },
      },
      { state, spec, stamp: stamp(4_000) },
    );
    expect(owed(evolveAll(state, failed), spec, 99_000).index.activeSeconds).toBe(4);
  });
});

/** Its child thread works, the primary one rests. */
function delegated(): Machine {
  const machine = new Machine(coordinator());
  machine.send(hello);
  const input = { agent: 'scout', message: 'look' };
  machine.replies([{ type: 'tool_call', id: 'sevt_sent', name: 'delegate', input }]);
  machine.replies([{ type: 'message', id: 'sevt_said', text: 'wait' }]);
  machine.begins(machine.child());
  return machine;
}

function fail(machine: Machine, thread = machine.primary): void {
  const error = { type: 'unknown_error' as const, message: 'busy' };
  machine.step({ kind: 'failed', kept: [], failure: { error, retryable: true, jitter: 1 } }, thread);
}

describe('a session of several threads', () => {
  it('is looked at again while one of them runs', () => {
    const machine = delegated();
    expect(machine.state.threads.map(({ status }) => status)).toEqual(['idle', 'running']);
    expect(owed(machine.state, machine.spec, 1_000).wakeAt).toBe(1_000 + LEASE_MS);
  });

  it('is looked at when the first of them is to be tried again', () => {
    const machine = delegated();
    fail(machine, machine.child());
    machine.now = 600;
    machine.send(hello);
    machine.begins();
    fail(machine);
    const [later, sooner] = machine.state.threads.map(({ retryAt }) => retryAt);
    expect(later).toBeGreaterThan(sooner ?? 0);
    expect(owed(machine.state, machine.spec, machine.now).wakeAt).toBe(sooner);
  });
});

describe('what is shown', () => {
  it('of a session says when it last changed', () => {
    const machine = new Machine();
    machine.now = 5_000;
    machine.send(hello);
    expect(owed(machine.state, machine.spec, 9_000).index.updatedAt).toBe(5_000);
  });

  it('of a thread says how long it worked, from when it first began', () => {
    const machine = new Machine();
    const seconds = () => toThreadViews(machine, machine.now)[0]?.activeSeconds;
    expect(seconds()).toBeNull();
    machine.send(hello);
    machine.begins();
    expect(seconds()).toBe(0);
    machine.now = 1;
    fail(machine);
    machine.now = 500;
    expect(seconds()).toBe(0.001);
  });
});
