import { describe, expect, it } from 'vitest';
import { Machine } from './testing/machine.ts';

const hello = { type: 'user.message' as const, content: [{ type: 'text' as const, text: 'hello' }] };

describe('a session', () => {
  it('is as old as what was last processed: what waits does not change that', () => {
    const machine = new Machine();
    machine.now = 5_000;
    machine.send(hello);
    machine.begins();
    machine.now = 9_000;
    machine.send(hello);
    expect(machine.primary.queue).toHaveLength(1);
    expect([machine.state.updatedAt, machine.primary.updatedAt]).toEqual([5_000, 5_000]);
    machine.now = 1_000;
    machine.replies([]);
    expect([machine.state.updatedAt, machine.primary.updatedAt]).toEqual([5_000, 5_000]);
  });
});
