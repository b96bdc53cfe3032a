// Delegation: how a coordinator gives work to the agents of its roster (spec §8.10). The call is a message on the log, and
// what the other thread has to say comes back as one: nobody waits inside a tool.
import type { AgentSnapshot, ThreadAgent } from '@capstan/schema/agents';
import type { ThreadContent } from '@capstan/schema/content';
import { consultInput, type DelegateInput, delegateInput } from '@capstan/schema/engine-tools';
import { ADVISOR_NAME } from '@capstan/schema/multiagent';
import { advisorOf, definesAgents, rosterOf } from '@capstan/schema/roster';
import { type Entry, made, noted, ownedBy } from './entry.ts';
import { type Context, named } from './frame.ts';
import type { EngineTool, ModelOutput } from './harness.ts';
import type { InlineWords } from './inline-agent.ts';
import { newThread, type ThreadState } from './state.ts';
import { agentNow, endsByItself, livingWorkers } from './thread.ts';

export const DELEGATE = 'delegate';
export const CONSULT = 'consult_advisor';
/** Messages that agents may give each other before a person has to say something: two that never stop are stopped here. */
export const MAX_RELAYED = 250;
/** Child threads that live at once (spec §8.10). */
export const MAX_CHILDREN = 25;

type Call = Extract<ModelOutput, { type: 'tool_call' }> & { id: string };

/** What a thread can hand on, offered to its model; nothing for an agent that may call nobody, or for a child. */
export function delegationTools(
  { multiagent }: Pick<AgentSnapshot, 'multiagent'>,
  thread: ThreadState,
): EngineTool[] {
  if (thread.parentId !== null || multiagent === null) return [];
  const roster = rosterOf(multiagent);
  const inline = definesAgents(multiagent);
  return [
    ...(roster.length > 0 || inline ? [delegateTool(roster, inline)] : []),
    ...(advisorOf(multiagent) === null ? [] : [CONSULT_TOOL]),
  ];
}

const text = (description: string) => ({ type: 'string', description });

function delegateTool(roster: readonly ThreadAgent[], inline: boolean): EngineTool {
  const known = roster.length > 0 ? `\nAgents:\n${roster.map(describe).join('\n')}` : '';
  const ways = [
    ...(roster.length > 0 ? ['`agent` to begin a new thread'] : []),
    ...(inline ? ['`new_agent` to begin one of an agent that you describe'] : []),
    '`thread_id` to write to one that exists',
  ];
  return {
    name: DELEGATE,
    description:
      'Gives work to another agent, which does it in a thread of its own: it sees nothing of this conversation but your ' +
      'message, and shares the sandbox and its files. The call returns at once; the answer comes later as a message of ' +
      'its own, also after your turn has ended, so end your turn when there is nothing to do but wait. Name ' +
      `${ways.join(', or ')}.${known}`,
    schema: {
      type: 'object',
      properties: {
        ...(roster.length > 0 && {
          agent: text('Name or id of an agent of the list: begins a new thread.'),
        }),
        ...(inline && { new_agent: NEW_AGENT }),
        thread_id: text('A thread that exists: goes on with it.'),
        message: text('All that the agent needs to know.'),
      },
      required: ['message'],
      additionalProperties: false,
    },
  };
}

const NEW_AGENT = {
  type: 'object',
  description: 'An agent for this one thread, with your model and tools: begins a new thread.',
  properties: {
    name: text('What it is called.'),
    description: text('What it is for.'),
    system: text('Who it is and how it works: its system prompt.'),
  },
  required: ['name', 'system'],
  additionalProperties: false,
};

const CONSULT_TOOL: EngineTool = {
  name: CONSULT,
  description:
    'Asks a more experienced model for advice: before a hard decision, or when you are stuck. It sees nothing of this ' +
    'conversation but your question and cannot do anything itself. The call returns at once; the advice comes as a ' +
    'message of its own.',
  schema: {
    type: 'object',
    properties: { question: text('What you want to know, with all that is needed to answer it.') },
    required: ['question'],
    additionalProperties: false,
  },
};

function describe({ name, id, description }: ThreadAgent): string {
  return `- ${name} (${id})${description ? `: ${description}` : ''}`;
}

/** What a call of the tool puts on the log, or the words that say why it cannot. */
export function delegate(context: Context, from: ThreadState, call: Call): Entry[] | string {
  const parsed = call.name === CONSULT ? parsedQuestion(call) : delegateInput.safeParse(call.input ?? {});
  if (!parsed.success) {
    const issues = parsed.error.issues.map(({ path, message }) => `${path.join('.')}: ${message}`);
    return `The input of ${call.name} cannot be used. ${issues.join('; ')}.`;
  }
  if (context.state.relayed >= MAX_RELAYED) {
    return `Agents have given each other ${MAX_RELAYED} messages without a word from the user. End your turn and say where the work stands.`;
  }
  const request = parsed.data;
  if (call.name === CONSULT) {
    return begun(context, from, { request, call, whose: { name: ADVISOR_NAME, note: { advises: true } } });
  }
  if (request.thread_id) return writeTo(context, from, { request, call });
  return beginThread(context, from, { request, call });
}

/** A question is a message to the advisor. */
function parsedQuestion(call: Call) {
  return consultInput
    .transform(({ question }): DelegateInput => ({ message: question }))
    .safeParse(call.input ?? {});
}

interface Wish {
  request: DelegateInput;
  call: Call;
}

function writeTo({ state, stamp }: Context, from: ThreadState, { request, call }: Wish): Entry[] | string {
  const thread = state.threads.find(({ id, parentId }) => id === request.thread_id && parentId === from.id);
  if (thread === undefined || endsByItself(thread)) {
    const known = livingWorkers(state).map(({ id, name }) => `${id} (${name})`);
    return `There is no thread ${request.thread_id}. There are: ${known.join(', ') || 'none yet'}.`;
  }
  if (thread.status === 'terminated')
    return `The thread ${thread.id} has ended. Begin a new one with \`agent\`.`;
  return [sent({ from, to: thread }, { request, call }, stamp)];
}

function beginThread(context: Context, from: ThreadState, wish: Wish): Entry[] | string {
  const whose = chosen(agentNow(context), wish.request);
  if (typeof whose === 'string') return whose;
  if (livingWorkers(context.state).length >= MAX_CHILDREN) {
    return `There are ${MAX_CHILDREN} threads already. Write to one of them, or wait until one is archived.`;
  }
  return begun(context, from, { ...wish, whose });
}

/** Who is to work in a new thread. */
interface Whose {
  name: string;
  note: { member: number } | { inline: InlineWords } | { advises: true };
}

/** The agent that is named or described, or the words that say why there is none. */
function chosen(
  { multiagent }: AgentSnapshot,
  { agent: wanted, new_agent: words }: DelegateInput,
): Whose | string {
  const roster = rosterOf(multiagent);
  const inline = definesAgents(multiagent);
  if (words && inline && !wanted) {
    const { name, system, description = null } = words;
    if (name === ADVISOR_NAME) return `The name ${ADVISOR_NAME} is taken. Choose another.`;
    return { name, note: { inline: { name, system, description } } };
  }
  const member = roster.findIndex(({ id, name }) => id === wanted || name === wanted);
  const agent = roster[member];
  if (agent !== undefined) return { name: agent.name, note: { member } };
  const names = roster.map(({ name }) => name).join(', ');
  const ways = [
    ...(names === '' ? [] : [`\`agent\` (one of: ${names})`]),
    ...(inline ? ['`new_agent`'] : []),
    '`thread_id`',
  ];
  return `Name ${ways.join(' or ')}.${wanted ? ` There is no agent "${wanted}".` : ''}`;
}

function begun({ stamp }: Context, from: ThreadState, wish: Wish & { whose: Whose }): Entry[] {
  const { name, note } = wish.whose;
  const origin = { id: stamp.newId('thread'), name, member: null, ...note, parentId: from.id };
  const thread = newThread({ ...origin, createdAt: stamp.now });
  const created = made(stamp, 'session.thread_created', { ...named(thread), workflow_run_id: null });
  const noting = { created: { ...note, parentId: from.id } };
  return [...ownedBy(thread, [noted(created, noting)], true), sent({ from, to: thread }, wish, stamp)];
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
  const input = { ...call.input, [call.name === CONSULT ? 'question' : 'message']: '' };
  return noted(owned, { call: { name: call.name, input, answer }, ...opaque });
}
