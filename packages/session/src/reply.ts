// A model's whole reply as entries: what it said, what it calls, and the end of its request.
import type { EventOf } from '@capstan/schema/events';
import type { ModelUsage } from '@capstan/schema/usage';
import { billOf } from './bill.ts';
import { delegate, delegationTools } from './delegation.ts';
import { toolResult } from './endings.ts';
import { type Entry, made, noted, ownedBy } from './entry.ts';
import { evolveAll } from './evolve.ts';
import type { Context } from './frame.ts';
import type { ModelOutput } from './harness.ts';
import { endJudging, type Judged } from './judgements.ts';
import { type Permit, permit } from './permit.ts';
import { isRemote } from './remote-calls.ts';
import type { ThreadState } from './state.ts';
import { agentNow, agentOf } from './thread.ts';
import { denialOf, toEvaluation, UNJUDGED, type Verdict } from './verdicts.ts';
import { type Done, workflowCall } from './workflow/run-tools.ts';

/**
 * An output whose event id may have been announced by a preview already; `hash`: SHA-256 of a call's input, hex; `verdict`:
 * of a call under the policy `auto`.
 */
export type IdentifiedOutput = ModelOutput & { id: string; hash?: string; verdict?: Verdict };

interface Reply {
  outputs: readonly IdentifiedOutput[];
  usage: ModelUsage;
  /** Absent or null: no call of it was judged. */
  judged?: Judged | null;
}

type CallOutput = Extract<IdentifiedOutput, { type: 'tool_call' }>;

export function replied(reply: Reply, context: Context, thread: ThreadState): Entry[] {
  const { outputs, usage, judged } = reply;
  const said: Entry[] = judged ? endJudging(thread, judged, context.stamp) : [];
  const answers: { output: CallOutput; answer: Answer }[] = [];
  for (const output of outputs) {
    const now = { ...context, state: evolveAll(context.state, said) };
    const made = toEntries(output, now, thread);
    said.push(...made.entries);
    if (made.answer !== null && output.type === 'tool_call') answers.push({ output, answer: made.answer });
  }
  const results = answers.flatMap(({ output, answer }) =>
    ownedBy(thread, [toolResult(output, toContent(answer), context.stamp)]),
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

/** What the engine itself answers a call: why it may not run, or what came of one that it performs. */
type Answer = Done['answer'];

function toContent({ text, isError }: Answer) {
  return { content: [{ type: 'text' as const, text }], is_error: isError };
}

interface Said {
  entries: Entry[];
  /** What a call is answered at once; null: nothing yet. */
  answer: Answer | null;
}

function toEntries(output: IdentifiedOutput, context: Context, thread: ThreadState): Said {
  const { stamp } = context;
  const { id, opaque } = output;
  const note = opaque === undefined ? {} : { opaque };
  switch (output.type) {
    case 'message': {
      const said = made(stamp, 'agent.message', { id, content: [{ type: 'text', text: output.text }] });
      return { entries: ownedBy(thread, [noted(said, note)]), answer: null };
    }
    case 'thinking':
      return {
        entries: ownedBy(thread, [noted(made(stamp, 'agent.thinking', { id }), note)]),
        answer: null,
      };
    case 'tool_call': {
      const sent = delegation(output, context, thread);
      if (Array.isArray(sent)) return { entries: sent, answer: null };
      const done = workflowCall(context, thread, output);
      if (done !== null) {
        const use = noted(engineUse(output, stamp), note);
        return { entries: [...ownedBy(thread, [use]), ...done.entries], answer: done.answer };
      }
      const { entry, refusal } = toolUse(output, context, { thread, refusal: sent });
      const asked = 'evaluated_permission' in entry.event && entry.event.evaluated_permission === 'ask';
      const shared = asked || entry.event.type === 'agent.custom_tool_use' || entry.note?.remote === true;
      const answer = refusal === null ? null : { text: refusal, isError: true };
      return { entries: ownedBy(thread, [noted(entry, note)], shared), answer };
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

/** A call that the engine performs: nobody has to agree. */
function engineUse({ id, name, input }: CallOutput, stamp: Context['stamp']): Entry {
  const granted = { evaluated_permission: 'allow' as const, evaluation: { type: 'always_allow' as const } };
  return made(stamp, 'agent.tool_use', { id, name, input: input ?? {}, ...granted });
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
  const policy: Permit =
    output.input === null || use.refusal !== null ? 'deny' : permit(agentOf({ spec, state }, thread), output);
  const routed = thread.parentId === null ? {} : { session_thread_id: thread.id };
  if (policy === 'client') {
    return { entry: made(stamp, 'agent.custom_tool_use', { id, name, input, ...routed }), refusal: null };
  }
  const { granted, evaluation, judgement, denial } = granting(policy, output);
  const remote = granted !== 'deny' && server === undefined && isRemote(spec, name);
  const capstan = {
    ...(granted === 'ask' && hash !== undefined ? { input_sha256: hash } : {}),
    ...(judgement === undefined ? {} : { judgement }),
  };
  const body = {
    id,
    name,
    input,
    evaluated_permission: granted,
    ...(evaluation === undefined ? {} : { evaluation }),
    ...(granted === 'ask' || remote ? routed : {}),
    ...(Object.keys(capstan).length > 0 ? { capstan } : {}),
  };
  const entry =
    server === undefined
      ? made(stamp, 'agent.tool_use', body)
      : made(stamp, 'agent.mcp_tool_use', { mcp_server_name: server, ...body });
  // One that may not run gets its error result at once, so that the model can mend it.
  if (granted !== 'deny') return { entry: remote ? noted(entry, { remote }) : entry, refusal: null };
  const why = use.refusal ?? output.problem ?? denial ?? `The tool "${name}" is not enabled for this agent.`;
  return { entry, refusal: why };
}

interface Granting {
  granted: 'allow' | 'ask' | 'deny';
  /** Absent: the call was refused before any policy was asked. */
  evaluation?: EventOf<'agent.tool_use'>['evaluation'];
  judgement?: string;
  /** What the model is told of a call that was judged, and denied. */
  denial?: string;
}

/** A call that should have been judged, and was not, is asked about. */
function granting(policy: Exclude<Permit, 'client'>, { verdict = UNJUDGED }: CallOutput): Granting {
  switch (policy) {
    case 'deny':
      return { granted: 'deny' };
    case 'allow':
      return { granted: 'allow', evaluation: { type: 'always_allow' } };
    case 'ask':
      return { granted: 'ask', evaluation: { type: 'always_ask' } };
    case 'auto':
      return {
        granted: verdict.verdict,
        evaluation: toEvaluation(verdict),
        judgement: verdict.reason,
        ...(verdict.verdict === 'deny' ? { denial: denialOf(verdict) } : {}),
      };
  }
}
