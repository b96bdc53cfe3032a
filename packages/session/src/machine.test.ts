import { ZERO_MODEL_USAGE } from '@capstan/schema/usage';
import { describe, expect, it } from 'vitest';
import { accept } from './accept.ts';
import { evolveAll } from './evolve.ts';
import { foldOf } from './fold.ts';
import { decide, owed } from './machine.ts';
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
