import { describe, expect, it } from 'vitest';
import { foldOf, overDrafts } from './fold.ts';
import { USAGE } from './scripted-harness.ts';
import { coordinator, Machine } from './testing/machine.ts';

/** A coordinator that works, as its child does. */
function working(): Machine {
  const machine = new Machine(coordinator());
  machine.send({ type: 'user.message', content: [{ type: 'text', text: 'hello' }] });
  const input = { agent: 'scout', message: 'look' };
  machine.replies([{ type: 'tool_call', id: 'sevt_sent', name: 'delegate', input }]);
  return machine;
}

/** Whose drafts are over with what is done. */
function over(machine: Machine, change: () => void): (string | null)[] {
  const before = machine.state;
  change();
  return overDrafts(before, machine.state);
}

describe('what was shown before it was whole', () => {
  it('is over for the thread whose next request begins, and while that goes on for none', () => {
    const machine = working();
    expect(over(machine, () => machine.begins(machine.child()))).toEqual([machine.child().id]);
    expect(over(machine, () => machine.begins())).toEqual([null]);
    expect(over(machine, () => machine.do({ kind: 'tick' }))).toEqual([]);
  });

  it('is over for the thread whose turn ends, and for none whose turn goes on or begins', () => {
    const machine = working();
    const call = { type: 'tool_call' as const, id: 'sevt_c', name: 'bash', input: {} };
    machine.begins();
    const reply = { kind: 'reply' as const, usage: USAGE, refusal: null };
    expect(over(machine, () => machine.step({ ...reply, outputs: [call] }))).toEqual([]);
    expect(over(machine, () => machine.send({ type: 'user.interrupt' }))).toEqual([null, machine.child().id]);
    const hello = { type: 'user.message' as const, content: [{ type: 'text' as const, text: 'hello' }] };
    expect(over(machine, () => machine.send(hello))).toEqual([]);
    expect(machine.primary.turnId).not.toBeNull();
  });
});

it('a log begins with the thread that its session was created with', () => {
  const { spec } = new Machine();
  const primary = { id: spec.threadId, name: spec.agent.name, createdAt: spec.createdAt };
  expect(foldOf(spec).initial.threads).toMatchObject([primary]);
});
