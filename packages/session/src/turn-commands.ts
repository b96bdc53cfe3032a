// What a turn's progress puts on the log. A command of a turn that is no longer the one in progress brings nothing.
import type { StopDetails } from '@capstan/schema/events/session-events';
import type { ModelUsage } from '@capstan/schema/usage';
import { closeCalls, type Failure, fail, idle, type Thread, take, waiting } from './endings.ts';
import { type Entry, made, type Stamp } from './entry.ts';
import { evolveAll } from './evolve.ts';
import type { ModelChoice, ModelOutput, ToolOutcome } from './harness.ts';
import { type Permit, permit } from './permit.ts';
import type { SessionSpec } from './spec.ts';
import { blocking, nextStep, performable, type State } from './state.ts';

/** An output whose event id may have been announced by a preview already. */
export type IdentifiedOutput = ModelOutput & { id: string };

export type TurnStep =
  | { kind: 'begin_model'; choice: ModelChoice }
  | { kind: 'reply'; outputs: IdentifiedOutput[]; usage: ModelUsage; refusal: StopDetails }
  | { kind: 'tool_result'; callId: string; outcome: ToolOutcome }
  | { kind: 'failed'; failure: Failure };

export type TurnCommand = TurnStep & { turnId: string };

export interface Context {
  state: State;
  spec: SessionSpec;
  stamp: Stamp;
}

/** A model that never stops calling tools is stopped here. */
const MAX_STEPS = 500;

export function threadOf(spec: SessionSpec): Thread {
  return { session_thread_id: spec.threadId, agent_name: spec.agent.name };
}

export function decideTurn(command: TurnCommand, context: Context): Entry[] {
  const { state, stamp } = context;
  if (state.turnId !== command.turnId) return [];
  switch (command.kind) {
    case 'begin_model': {
      const { provider, model } = command.choice;
      return [
        ...take(dueInput(state), stamp),
        made(stamp, 'span.model_request_start', { capstan: { provider, model } }),
      ];
    }
    case 'reply':
      return settled(reply(command, context), context, command.refusal);
    case 'tool_result': {
      if (!state.calls.some((call) => call.id === command.callId)) return [];
      const { content, isError } = command.outcome;
      const result = made(stamp, 'agent.tool_result', {
        tool_use_id: command.callId,
        content,
        is_error: isError,
      });
      return settled([result], context, null);
    }
    case 'failed':
      return fail(state, command.failure, { thread: threadOf(context.spec), stamp });
  }
}

/** Within a tool loop the model reads all that came in; between replies one message is answered at a time. */
function dueInput(state: State): State['queue'] {
  if (!state.unanswered) return state.queue.slice(0, 1);
  return state.steps > 0 ? state.queue : [];
}

type Reply = Extract<TurnCommand, { kind: 'reply' }>;

function reply(command: Reply, { state, spec, stamp }: Context): Entry[] {
  const uses = command.outputs.map((output) => toEntry(output, spec, stamp));
  const end = made(stamp, 'span.model_request_end', {
    model_request_start_id: state.openSpan ?? '',
    is_error: false,
    model_usage: command.usage,
  });
  return [...uses, end, ...command.outputs.flatMap((output) => refuseCall(output, spec, stamp))];
}

function toEntry(output: IdentifiedOutput, spec: SessionSpec, stamp: Stamp): Entry {
  const entry = toEvent(output, spec, stamp);
  return output.opaque === undefined ? entry : { ...entry, note: { opaque: output.opaque } };
}

function toEvent(output: IdentifiedOutput, spec: SessionSpec, stamp: Stamp): Entry {
  const { id } = output;
  switch (output.type) {
    case 'message':
      return made(stamp, 'agent.message', { id, content: [{ type: 'text', text: output.text }] });
    case 'thinking':
      return made(stamp, 'agent.thinking', { id });
    case 'tool_call': {
      const granted = grantOf(output, spec);
      const input = output.input ?? {};
      if (granted === 'client') return made(stamp, 'agent.custom_tool_use', { id, name: output.name, input });
      return made(stamp, 'agent.tool_use', {
        id,
        name: output.name,
        input,
        evaluated_permission: granted,
        ...(granted === 'allow' ? { evaluation: { type: 'always_allow' } } : {}),
        ...(granted === 'ask' ? { evaluation: { type: 'always_ask' } } : {}),
      });
    }
  }
}

type CallOutput = Extract<IdentifiedOutput, { type: 'tool_call' }>;

function grantOf(output: CallOutput, spec: SessionSpec): Permit {
  return output.input === null ? 'deny' : permit(spec.agent, output.name);
}

/** A call that may not run gets its error result at once, so that the model can mend it. */
function refuseCall(output: IdentifiedOutput, spec: SessionSpec, stamp: Stamp): Entry[] {
  if (output.type !== 'tool_call' || grantOf(output, spec) !== 'deny') return [];
  const text = output.problem ?? `The tool "${output.name}" is not enabled for this agent.`;
  return closeCalls(
    [{ id: output.id, name: output.name, input: {}, waitsFor: 'nobody', begun: false }],
    text,
    stamp,
  );
}

/** What follows once nothing of the turn is left to do. */
function settled(entries: Entry[], context: Context, refusal: StopDetails): Entry[] {
  const { spec, stamp } = context;
  const thread = threadOf(spec);
  const state = evolveAll(context.state, entries);
  if (performable(state).length > 0) return entries;
  if (blocking(state).length > 0) return [...entries, ...waiting(state, thread, stamp)];
  if (refusal !== null) {
    return [...entries, ...idle(state, { thread, reason: { type: 'refusal' }, details: refusal }, stamp)];
  }
  if (nextStep(state).kind === 'none') {
    return [...entries, ...idle(state, { thread, reason: { type: 'end_turn' } }, stamp)];
  }
  if (state.steps < MAX_STEPS) return entries;
  const error = {
    type: 'tool_use_limit_reached_error' as const,
    message: `The turn was stopped after ${MAX_STEPS} model calls.`,
    retry_status: { type: 'exhausted' as const },
  };
  const limit = [...entries, ...take(state.queue, stamp), made(stamp, 'session.error', { error })];
  return [
    ...limit,
    ...idle(evolveAll(context.state, limit), { thread, reason: { type: 'retries_exhausted' } }, stamp),
  ];
}
