import { describe, expect, it } from 'vitest';
import { CHOICE, coordinator, Machine, typesOf } from './testing/machine.ts';

const hello = { type: 'user.message' as const, content: [{ type: 'text' as const, text: 'hello' }] };

describe('a budget', () => {
  it('counts the calls under way among its model calls', () => {
    const machine = new Machine({ ...coordinator(), budget: { type: 'limit', max_model_calls: 2 } });
    machine.send(hello);
    const input = { agent: 'scout', message: 'look' };
    machine.replies([{ type: 'tool_call', id: 'sevt_sent', name: 'delegate', input }]);
    expect(typesOf(machine.begins(machine.child())).at(-1)).toBe('span.model_request_start');
    expect(typesOf(machine.begins())).not.toContain('span.model_request_start');
    expect(machine.primary.paused).toBe(true);
  });

  it('with too little left for what waits takes nothing new, though it is not used up', () => {
    const machine = new Machine({ budget: { type: 'limit', max_tokens: 500 } });
    machine.send(hello);
    const estimate = { choice: CHOICE, inputTokens: 300 };
    machine.step({ kind: 'begin_model', purpose: 'reply', estimate });
    expect(machine.primary).toMatchObject({ status: 'idle', paused: true });
    expect(() => machine.send(hello)).toThrow("events.0: the session's budget is reached");
    machine.do({ kind: 'update', change: { budget: null } });
    expect(typesOf(machine.send(hello))).toEqual(['user.message']);
  });
});
