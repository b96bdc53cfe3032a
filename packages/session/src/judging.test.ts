import { describe, expect, it } from 'vitest';
import { coordinator, Machine, typesOf } from './testing/machine.ts';

const START = 'span.outcome_evaluation_start';
const words = { type: 'message' as const, id: 'sevt_words', text: 'words' };

/** The primary thread has handed work on, and has a last thing to say. */
function handedOn(): Machine {
  const machine = new Machine(coordinator());
  const rubric = { type: 'text' as const, content: 'good' };
  machine.send({ type: 'user.define_outcome', description: 'a thing', rubric });
  const input = { agent: 'scout', message: 'look' };
  machine.replies([{ type: 'tool_call', id: 'sevt_sent', name: 'delegate', input }]);
  machine.begins(machine.child());
  return machine;
}

describe('an outcome is not judged while a child thread', () => {
  it('thinks', () => {
    expect(typesOf(handedOn().replies([words]))).not.toContain(START);
  });

  it.each([
    ['runs a tool', { name: 'bash' }, 'running'],
    ['waits for a person', { name: 'write', hash: 'abc' }, 'idle'],
  ])('%s', (_, call, status) => {
    const machine = handedOn();
    machine.replies([{ type: 'tool_call', id: 'sevt_c', input: {}, ...call }], machine.child());
    expect(machine.child()).toMatchObject({ status, unanswered: false });
    expect(typesOf(machine.replies([words]))).not.toContain(START);
  });

  it('and is once it has answered', () => {
    const machine = handedOn();
    machine.replies([words], machine.child());
    machine.replies([words]);
    expect(machine.primary.queue).toEqual([]);
    expect(machine.state.outcome?.phase).toBe('evaluating');
  });
});
