import { rosterOf } from '@capstan/schema/roster';
import { describe, expect, it } from 'vitest';
import { delegationTools, MAX_CHILDREN, MAX_RELAYED } from './delegation.ts';
import type { Entry } from './entry.ts';
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
    const agents = rosterOf(agent?.multiagent ?? null).map((one) => ({
      ...one,
      description: 'looks around',
    }));
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

const hello = { type: 'user.message' as const, content: [{ type: 'text' as const, text: 'hello' }] };
const use = (input: Record<string, unknown>, more: { id?: string; opaque?: string } = {}) => ({
  type: 'tool_call' as const,
  id: 'sevt_sent',
  name: 'delegate',
  input,
  ...more,
});

/** With a second agent on its roster, at work. */
function working(): Machine {
  const { agent } = coordinator();
  const [scout] = rosterOf(agent?.multiagent ?? null);
  if (agent === undefined || scout === undefined) throw new Error('a coordinator has a roster');
  const agents = [scout, { ...scout, id: 'agent_scribe', name: 'scribe' }];
  const machine = new Machine({ agent: { ...agent, multiagent: { type: 'coordinator', agents } } });
  machine.now = 7_000;
  machine.send(hello);
  return machine;
}

function told(entries: readonly Entry[]): string[] {
  return entries.flatMap(({ event }) =>
    event.type === 'agent.tool_result' ? [JSON.stringify(event.content)] : [],
  );
}

describe('work that is handed on', () => {
  it('begins a thread of the agent that was named, and is a message to it', () => {
    const machine = working();
    const [created, sent] = machine.replies([use({ agent: 'scribe', message: 'look' }, { opaque: 'O' })]);
    const child = machine.child();
    const { id: parentId } = machine.primary;
    expect(child).toMatchObject({ name: 'scribe', member: 1, parentId, createdAt: 7_000 });
    expect(created).toEqual({
      event: {
        id: created?.event.id,
        type: 'session.thread_created',
        processed_at: '1970-01-01T00:00:07.000Z',
        session_thread_id: child.id,
        agent_name: 'scribe',
        workflow_run_id: null,
      },
      note: { created: { member: 1, parentId }, thread: child.id, shared: true },
    });
    expect(sent?.event).toMatchObject({
      id: 'sevt_sent',
      to_session_thread_id: child.id,
      to_agent_name: 'scribe',
      content: [{ type: 'text', text: 'look' }],
    });
    const answer = `Sent to scribe in thread ${child.id}. Its answer comes as a message.`;
    const call = { name: 'delegate', input: { agent: 'scribe', message: '' }, answer };
    expect(sent?.note).toEqual({ call, opaque: 'O' });
  });

  it('goes to the thread that was named, and not to one of nobody or that has ended', () => {
    const machine = working();
    machine.replies([use({ agent: 'agent_scout', message: 'look' })]);
    const { id } = machine.child();
    expect(machine.child().name).toBe('scout');
    const sent = machine.replies([use({ thread_id: id, message: 'more' }, { id: 'sevt_more' })]);
    expect(sent[0]?.note).toEqual({
      call: { name: 'delegate', input: { thread_id: id, message: '' }, answer: expect.any(String) },
    });
    const none = machine.replies([use({ thread_id: 'sthr_none', message: 'more' }, { id: 'sevt_none' })]);
    expect(told(none)).toEqual([expect.stringContaining(`There are: ${id} (scout).`)]);
    const own = machine.replies([use({ thread_id: machine.primary.id, message: 'x' }, { id: 'sevt_own' })]);
    expect(told(own)).toEqual([expect.stringContaining('There is no thread')]);
    while (machine.child().status === 'running') machine.replies([], machine.child());
    machine.do({ kind: 'archive_thread', threadId: id });
    const late = machine.replies([use({ thread_id: id, message: 'more' }, { id: 'sevt_late' })]);
    expect(told(late)).toEqual([expect.stringContaining(`The thread ${id} has ended.`)]);
  });

  it('that names nobody, or no thread there is, is told whom there is', () => {
    const entries = working().replies([
      use({ message: 'look' }, { id: 'sevt_a' }),
      use({ agent: 'nobody', message: 'look' }, { id: 'sevt_b' }),
      use({ thread_id: 'sthr_none', message: 'look' }, { id: 'sevt_c' }),
      use({ agent: 'scout' }, { id: 'sevt_d' }),
    ]);
    const whom = 'Name `agent` (one of: scout, scribe) or `thread_id`.';
    expect(told(entries)).toEqual([
      JSON.stringify([{ type: 'text', text: whom }]),
      JSON.stringify([{ type: 'text', text: `${whom} There is no agent "nobody".` }]),
      expect.stringContaining('There are: none yet.'),
      expect.stringContaining('The input of delegate cannot be used. message: '),
    ]);
  });

  it('is bounded in threads that live at once', () => {
    const machine = working();
    const uses = Array.from({ length: MAX_CHILDREN + 1 }, (_, at) =>
      use({ agent: 'scout', message: 'look' }, { id: `sevt_${at}` }),
    );
    const entries = machine.replies(uses);
    expect(machine.state.threads).toHaveLength(MAX_CHILDREN + 1);
    expect(told(entries)).toEqual([expect.stringContaining(`There are ${MAX_CHILDREN} threads already.`)]);
  });

  it('is bounded in messages without a word from the user', () => {
    const machine = working();
    machine.state = { ...machine.state, relayed: MAX_RELAYED - 1 };
    const entries = machine.replies([
      use({ agent: 'scout', message: 'look' }),
      use({ agent: 'scout', message: 'look' }, { id: 'sevt_over' }),
    ]);
    expect(told(entries)).toEqual([expect.stringContaining(`${MAX_RELAYED} messages without a word`)]);
    expect(machine.state.relayed).toBe(MAX_RELAYED);
    machine.send(hello);
    expect(machine.state.relayed).toBe(0);
  });
});
