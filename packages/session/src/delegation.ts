// Delegation: how a coordinator gives work to the agents of its roster (spec §8.10). The call is a message on the log, and
// what the other thread has to say comes back as one: nobody waits inside a tool.
import type { AgentSnapshot, ThreadAgent } from '@capstan/schema/agents';
import type { ThreadContent } from '@capstan/schema/content';
import { type DelegateInput, delegateInput } from '@capstan/schema/engine-tools';
import { type Entry, made, noted, ownedBy } from './entry.ts';
import { type Context, named } from './frame.ts';
import type { EngineTool, ModelOutput } from './harness.ts';
import { newThread, type ThreadState } from './state.ts';
import { livingChildren } from './thread.ts';

export const DELEGATE = 'delegate';
/** Messages that agents may give each other before a person has to say something: two that never stop are stopped here. */
export const MAX_RELAYED = 250;
/** Child threads that live at once (spec §8.10). */
export const MAX_CHILDREN = 25;

type Call = Extract<ModelOutput, { type: 'tool_call' }> & { id: string };

/** What a thread can hand on, offered to its model; nothing for an agent without a roster, or for a child. */
export function delegationTools(
  { multiagent }: Pick<AgentSnapshot, 'multiagent'>,
  thread: ThreadState,
): EngineTool[] {
  if (thread.parentId !== null || multiagent === null) return [];
  const roster = multiagent.agents.map(describe).join('\n');
  return [
    {
      name: DELEGATE,
      description:
        'Gives work to another agent, which does it in a thread of its own: it sees nothing of this conversation but your ' +
        'message, and shares the sandbox and its files. The call returns at once; the answer comes later as a message of ' +
        'its own, also after your turn has ended, so end your turn when there is nothing to do but wait. Name `agent` to ' +
        `begin a new thread, or \`thread_id\` to write to one that exists.\nAgents:\n${roster}`,
      schema: {
        type: 'object',
        properties: {
          agent: { type: 'string', description: 'Name or id of an agent of the list: begins a new thread.' },
          thread_id: { type: 'string', description: 'A thread that exists: goes on with it.' },
          message: { type: 'string', description: 'All that the agent needs to know.' },
        },
        required: ['message'],
        additionalProperties: false,
      },
    },
  ];
}

function describe({ name, id, description }: ThreadAgent): string {
  return `- ${name} (${id})${description ? `: ${description}` : ''}`;
}

/** What a call of the tool puts on the log, or the words that say why it cannot. */
export function delegate(context: Context, from: ThreadState, call: Call): Entry[] | string {
  const parsed = delegateInput.safeParse(call.input ?? {});
  if (!parsed.success) {
    const issues = parsed.error.issues.map(({ path, message }) => `${path.join('.')}: ${message}`);
    return `The input of ${DELEGATE} cannot be used. ${issues.join('; ')}.`;
  }
  if (context.state.relayed >= MAX_RELAYED) {
    return `Agents have given each other ${MAX_RELAYED} messages without a word from the user. End your turn and say where the work stands.`;
  }
  const request = parsed.data;
  if (request.thread_id) return writeTo(context, from, { request, call });
  return beginThread(context, from, { request, call });
}

interface Wish {
  request: DelegateInput;
  call: Call;
}

function writeTo({ state, stamp }: Context, from: ThreadState, { request, call }: Wish): Entry[] | string {
  const thread = state.threads.find(({ id, parentId }) => id === request.thread_id && parentId === from.id);
  if (thread === undefined) {
    const known = livingChildren(state).map(({ id, name }) => `${id} (${name})`);
    return `There is no thread ${request.thread_id}. There are: ${known.join(', ') || 'none yet'}.`;
  }
  if (thread.status === 'terminated')
    return `The thread ${thread.id} has ended. Begin a new one with \`agent\`.`;
  return [sent({ from, to: thread }, { request, call }, stamp)];
}

function beginThread({ state, spec, stamp }: Context, from: ThreadState, wish: Wish): Entry[] | string {
  const roster = spec.agent.multiagent?.agents ?? [];
  const wanted = wish.request.agent;
  const member = roster.findIndex(({ id, name }) => id === wanted || name === wanted);
  const agent = roster[member];
  if (agent === undefined) {
    const names = roster.map(({ name }) => name).join(', ');
    return `Name \`agent\` (one of: ${names}) or \`thread_id\`.${wanted ? ` There is no agent "${wanted}".` : ''}`;
  }
  if (livingChildren(state).length >= MAX_CHILDREN) {
    return `There are ${MAX_CHILDREN} threads already. Write to one of them, or wait until one is archived.`;
  }
  const origin = { id: stamp.newId('thread'), name: agent.name, member, parentId: from.id };
  const thread = newThread({ ...origin, createdAt: stamp.now });
  const created = made(stamp, 'session.thread_created', { ...named(thread), workflow_run_id: null });
  const note = { created: { member, parentId: from.id } };
  return [...ownedBy(thread, [noted(created, note)], true), sent({ from, to: thread }, wish, stamp)];
}

interface Route {
  from: ThreadState;
  to: ThreadState;
}

function sent({ from, to }: Route, { request, call }: Wish, stamp: Context['stamp']): Entry {
  const content: ThreadContent[] = [{ type: 'text', text: request.message }];
  const event = made(stamp, 'agent.thread_message_sent', {
    id: call.id,
    to_session_thread_id: to.id,
    to_agent_name: to.name,
    content,
  });
  const answer = `Sent to ${to.name} in thread ${to.id}. Its answer comes as a message.`;
  const opaque = call.opaque === undefined ? {} : { opaque: call.opaque };
  const [owned = event] = ownedBy(from, [event]);
  // Its words stand in the event: a long message is in the row once, and can be spilled from it.
  const input = { ...call.input, message: '' };
  return noted(owned, { call: { name: call.name, input, answer }, ...opaque });
}
