import { describe, expect, it } from 'vitest';
import { delegationTools } from './delegation.ts';
import { coordinator, Machine } from './testing/machine.ts';

describe('what a thread can hand on', () => {
  it('is offered to a coordinator as one tool, which names its agents', () => {
    const machine = new Machine(coordinator());
    const [tool, ...more] = delegationTools(machine.spec.agent, machine.primary);
    expect(more).toEqual([]);
    expect(tool?.description).toMatch(/^Gives work to another agent, .*\nAgents:\n- scout \(agent_scout\)$/s);
    expect(tool?.schema).toMatchObject({
      type: 'object',
      properties: { agent: { type: 'string' }, thread_id: { type: 'string' }, message: { type: 'string' } },
      required: ['message'],
      additionalProperties: false,
    });
  });

  it('describes the agents that have a description', () => {
    const { agent } = coordinator();
    const machine = new Machine({ agent });
    const agents = agent?.multiagent?.agents.map((one) => ({ ...one, description: 'looks around' })) ?? [];
    const multiagent = { type: 'coordinator' as const, agents };
    const [tool] = delegationTools({ multiagent }, machine.primary);
    expect(tool?.description).toContain('- scout (agent_scout): looks around');
  });

  it('is nothing for an agent without a roster, or for a child', () => {
    const alone = new Machine();
    expect(delegationTools(alone.spec.agent, alone.primary)).toEqual([]);
    const machine = new Machine(coordinator());
    machine.send({ type: 'user.message', content: [{ type: 'text', text: 'hello' }] });
    const input = { agent: 'scout', message: 'look' };
    machine.replies([{ type: 'tool_call', id: 'sevt_sent', name: 'delegate', input }]);
    expect(delegationTools(machine.spec.agent, machine.child())).toEqual([]);
  });
});
