// A model's whole reply as entries: what it said, what it calls, and the end of its request.
import type { ModelUsage } from '@capstan/schema/usage';
import { billOf } from './bill.ts';
import { delegate, delegationTools } from './delegation.ts';
import { closeCalls } from './endings.ts';
import { type Entry, made, noted, ownedBy } from './entry.ts';
import { evolveAll } from './evolve.ts';
import type { Context } from './frame.ts';
import type { ModelOutput } from './harness.ts';
import { type Permit, permit } from './permit.ts';
import { isRemote } from './remote-calls.ts';
import type { ThreadState } from './state.ts';
import { agentNow, agentOf } from './thread.ts';

/** An output whose event id may have been announced by a preview already; `hash`: SHA-256 of a call's input, hex. */
export type IdentifiedOutput = ModelOutput & { id: string; hash?: string };

interface Reply {
  outputs: readonly IdentifiedOutput[];
  usage: ModelUsage;
}

type CallOutput = Extract<IdentifiedOutput, { type: 'tool_call' }>;

export function replied({ outputs, usage }: Reply, context: Context, thread: ThreadState): Entry[] {
  const said: Entry[] = [];
  const refused: { output: CallOutput; text: string }[] = [];
  for (const output of outputs) {
    const now = { ...context, state: evolveAll(context.state, said) };
    const made = toEntries(output, now, thread);
    said.push(...made.entries);
    if (made.refusal !== null && output.type === 'tool_call') refused.push({ output, text: made.refusal });
  }
  const results = refused.flatMap(({ output, text }) =>
    refuse(thread, output, { text, stamp: context.stamp }),
  );
  return [...said, requestEnd(thread, { usage, stamp: context.stamp }), ...results];
}

function requestEnd(
  thread: ThreadState,
  { usage, stamp }: { usage: ModelUsage; stamp: Context['stamp'] },
): Entry {
  const end = made(stamp, 'span.model_request_end', {
    model_request_start_id: thread.openSpan?.id ?? '',
    is_error: false,
    model_usage: usage,
  });
  const [owned = end] = ownedBy(thread, [end]);
  return thread.openSpan === null ? owned : noted(owned, { bill: billOf(thread.openSpan, usage) });
}

interface Said {
  entries: Entry[];
  /** Why a call is not performed. */
  refusal: string | null;
}

function toEntries(output: IdentifiedOutput, context: Context, thread: ThreadState): Said {
  const { stamp } = context;
  const { id, opaque } = output;
  const note = opaque === undefined ? {} : { opaque };
  switch (output.type) {
    case 'message': {
      const said = made(stamp, 'agent.message', { id, content: [{ type: 'text', text: output.text }] });
      return { entries: ownedBy(thread, [noted(said, note)]), refusal: null };
    }
    case 'thinking':
      return {
        entries: ownedBy(thread, [noted(made(stamp, 'agent.thinking', { id }), note)]),
        refusal: null,
      };
    case 'tool_call': {
      const sent = delegation(output, context, thread);
      if (Array.isArray(sent)) return { entries: sent, refusal: null };
      const { entry, refusal } = toolUse(output, context, { thread, refusal: sent });
      const asked = 'evaluated_permission' in entry.event && entry.event.evaluated_permission === 'ask';
      const shared = asked || entry.event.type === 'agent.custom_tool_use' || entry.note?.remote === true;
      return { entries: ownedBy(thread, [noted(entry, note)], shared), refusal };
    }
  }
}

/** The entries of a message to another thread, why there is none, or null for any other call. */
function delegation(output: CallOutput, context: Context, thread: ThreadState): Entry[] | string | null {
  const offered = delegationTools(agentNow(context), thread);
  if (!offered.some(({ name }) => name === output.name)) return null;
  return output.input === null
    ? (output.problem ?? 'The input is no JSON object.')
    : delegate(context, thread, output);
}

interface Use {
  thread: ThreadState;
  /** Said already: why it cannot be performed. */
  refusal: string | null;
}

function toolUse(
  output: CallOutput,
  { spec, state, stamp }: Context,
  use: Use,
): { entry: Entry; refusal: string | null } {
  const { thread } = use;
  const { id, name, server, hash } = output;
  const input = output.input ?? {};
  const granted: Permit =
    output.input === null || use.refusal !== null ? 'deny' : permit(agentOf({ spec, state }, thread), output);
  const routed = thread.parentId === null ? {} : { session_thread_id: thread.id };
  if (granted === 'client') {
    return { entry: made(stamp, 'agent.custom_tool_use', { id, name, input, ...routed }), refusal: null };
  }
  const remote = granted !== 'deny' && server === undefined && isRemote(spec, name);
  const body = {
    id,
    name,
    input,
    evaluated_permission: granted,
    ...(granted === 'allow' ? { evaluation: { type: 'always_allow' as const } } : {}),
    ...(granted === 'ask' ? { evaluation: { type: 'always_ask' as const } } : {}),
    ...(granted === 'ask' || remote ? routed : {}),
    ...(granted === 'ask' && hash !== undefined ? { capstan: { input_sha256: hash } } : {}),
  };
  const entry =
    server === undefined
      ? made(stamp, 'agent.tool_use', body)
      : made(stamp, 'agent.mcp_tool_use', { mcp_server_name: server, ...body });
  if (granted !== 'deny') return { entry: remote ? noted(entry, { remote }) : entry, refusal: null };
  const why = use.refusal ?? output.problem ?? `The tool "${name}" is not enabled for this agent.`;
  return { entry, refusal: why };
}

/** A call that may not run gets its error result at once, so that the model can mend it. */
function refuse(
  thread: ThreadState,
  { id, server }: CallOutput,
  { text, stamp }: { text: string; stamp: Context['stamp'] },
): Entry[] {
  return closeCalls(thread, { calls: [{ id, server, waitsFor: 'nobody' }], text }, stamp);
}
