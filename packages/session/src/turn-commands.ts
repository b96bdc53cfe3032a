// What a turn's progress puts on the log. A command of a turn that is no longer the one in progress brings nothing.
import type { GradeInput } from '@capstan/schema/engine-tools';
import type { StopDetails } from '@capstan/schema/events/session-events';
import type { ModelUsage } from '@capstan/schema/usage';
import { mostModelCalls } from './agent-limits.ts';
import { type Estimate, grant } from './budget.ts';
import { compacted, compactionLimit } from './compaction-commands.ts';
import { conclude } from './conclude.ts';
import { type Failure, fail, giveUp, idle, report, toolResult, waiting } from './endings.ts';
import { type Bill, type Carried, type Entry, made, noted, ownedBy } from './entry.ts';
import { evolveAll } from './evolve.ts';
import { type Context, pause } from './frame.ts';
import type { ModelOutput, ToolOutcome } from './harness.ts';
import { type BeginJudging, beginJudging, type Judged } from './judgements.ts';
import { endEvaluation, goingOn, isToBeJudged, startEvaluation } from './outcome.ts';
import { type IdentifiedOutput, replied } from './reply.ts';
import { limitsOf } from './requests.ts';
import { toldWith } from './sandbox-news.ts';
import type { State, ThreadState } from './state.ts';
import { dueInput, take } from './taking.ts';
import { again, agentOf, blocking, nextStep, performable } from './thread.ts';
import { MAX_RESULT_CHARS, shortened } from './workflow/tasks.ts';

/** What a reader of previews was told of a message that never became whole. */
export interface KeptText {
  id: string;
  text: string;
}

export type TurnStep =
  /** Before a model call: it is begun, or the thread pauses because the budget has no room for it. */
  | { kind: 'begin_model'; purpose: 'reply' | 'compaction'; estimate: Estimate }
  /** Before calls of a reply are judged. */
  | ({ kind: 'begin_judging' } & BeginJudging)
  | {
      kind: 'reply';
      outputs: IdentifiedOutput[];
      usage: ModelUsage;
      refusal: StopDetails;
      judged?: Judged | null;
    }
  | { kind: 'compacted'; summary: string; carried: Carried; upTo: number; usage: ModelUsage }
  | { kind: 'tool_result'; callId: string; outcome: ToolOutcome }
  /** Before each model call of a grading. */
  | { kind: 'begin_grading'; estimate: Estimate }
  /** After one that gave no verdict. */
  | { kind: 'graded_call'; bill: Bill }
  | { kind: 'graded'; judgement: GradeInput; usage: ModelUsage; bill: Bill | null }
  | { kind: 'failed'; failure: Failure; kept: readonly KeptText[] }
  /** The model could not read the whole context: it is compacted. */
  | { kind: 'too_long'; message: string; transcript?: true; unasked?: true; kept?: readonly KeptText[] };

export type TurnCommand = TurnStep & { turnId: string };

export function decideTurn(command: TurnCommand, context: Context): Entry[] {
  const thread = context.state.threads.find(({ turnId }) => turnId === command.turnId);
  if (thread === undefined) return [];
  return conclude(context, decideStep(command, context, thread));
}

function decideStep(command: TurnStep, context: Context, thread: ThreadState): Entry[] {
  const { state, stamp } = context;
  switch (command.kind) {
    case 'begin_model':
      return beginModel(command, context, thread);
    case 'begin_judging':
      return beginJudging(command, context, thread);
    case 'reply':
      return settled(context, thread, { ...command, entries: replied(command, context, thread) });
    case 'compacted':
      return compacted(command, thread, stamp);
    case 'tool_result': {
      const call = thread.calls.find(({ id }) => id === command.callId);
      if (call === undefined) return [];
      const { content, isError } = toldWith(command.outcome, thread);
      const shared = call.hash !== undefined;
      const row = toolResult(call, { content, is_error: isError }, stamp);
      const told = thread.missing === null ? row : noted(row, { heard: true });
      const entries = ownedBy(thread, [told], shared);
      return settled(context, thread, { entries, refusal: null, outputs: [] });
    }
    case 'begin_grading': {
      const { provider, model, price } = command.estimate.choice;
      const reserved = grant(state, context.spec, command.estimate);
      if (reserved === null) return pause(thread, stamp);
      return [noted(goingOn(state, stamp), { span: { price, reserved, grader: { provider, model } } })];
    }
    case 'graded_call':
      return [noted(goingOn(state, stamp), { bill: command.bill })];
    case 'graded': {
      const entries = endEvaluation(state, command, stamp);
      return settled(context, thread, { entries, refusal: null, outputs: [] });
    }
    case 'failed': {
      const said = cutMessages(context, thread, command.kept);
      return [...said, ...fail(context, thread, command.failure)];
    }
    case 'too_long': {
      const said = cutMessages(context, thread, command.kept ?? []);
      return [...said, ...compactionLimit(context, thread, command)];
    }
  }
}

/** What was said until the model broke off: kept, for whoever has read it. It changes nothing of what is to be done. */
export function cutMessages(
  { stamp }: Pick<Context, 'stamp'>,
  thread: ThreadState,
  kept: readonly KeptText[],
): Entry[] {
  const said = kept.filter(({ text }) => text !== '');
  return said.map(({ id, text }) => {
    const message = made(stamp, 'agent.message', { id, content: [{ type: 'text', text }] });
    const [owned = message] = ownedBy(thread, [message]);
    return noted(owned, { cut: true });
  });
}

type BeginModel = Extract<TurnStep, { kind: 'begin_model' }>;

function beginModel({ purpose, estimate }: BeginModel, context: Context, thread: ThreadState): Entry[] {
  const { stamp } = context;
  const { provider, model, price } = estimate.choice;
  // Begun meanwhile, with what made it due.
  if (thread.openSpan !== null) return [];
  const reserved = grant(context.state, context.spec, estimate);
  if (reserved === null) return pause(thread, stamp);
  const start = made(stamp, 'span.model_request_start', { capstan: { provider, model } });
  // A summary is asked for with limits of its own.
  const limits = purpose === 'reply' ? { limits: limitsOf(estimate.choice) } : {};
  const begun = ownedBy(thread, [noted(start, { span: { price, reserved, ...limits } })]);
  return purpose === 'compaction' ? begun : [...take(thread, dueInput(thread), stamp), ...begun];
}

interface Settling {
  entries: Entry[];
  refusal: StopDetails;
  outputs: readonly ModelOutput[];
}

/** What follows once nothing of the turn is left to do. */
function settled(context: Context, owner: ThreadState, { entries, refusal, outputs }: Settling): Entry[] {
  const { stamp } = context;
  const state = evolveAll(context.state, entries);
  const thread = again(state, owner);
  if (performable(thread).length > 0) return entries;
  if (blocking(thread).length > 0) return [...entries, ...waiting(thread, stamp)];
  if (refusal !== null) {
    const reason = { type: 'refusal' as const };
    const text = 'The model refused to answer.';
    const said = report(thread, text, stamp);
    const result = { text, failed: true as const };
    return [...entries, ...said, ...idle(thread, { reason, details: refusal, result }, stamp)];
  }
  if (nextStep(state, thread).kind === 'none')
    return [...entries, ...ended(state, thread, { outputs, begunText: owner.begunText, stamp })];
  // A model that never stops calling tools is stopped here.
  const most = mostModelCalls(agentOf({ ...context, state }, thread));
  if (thread.steps < most) return entries;
  const message = `The turn was stopped after ${most} model calls.`;
  const error = { type: 'tool_use_limit_reached_error' as const, message };
  return [...entries, ...giveUp({ ...context, state }, thread, { error })];
}

interface Brought {
  outputs: readonly ModelOutput[];
  /** What it had said before its last reply broke off. */
  begunText: string | undefined;
  stamp: Context['stamp'];
}

/** The agent has nothing left to do: what it brought is judged, told to its parent, or simply there. */
function ended(state: State, thread: ThreadState, { outputs, begunText = '', stamp }: Brought): Entry[] {
  // As long as a child has not come to rest, nothing is judged.
  if (isToBeJudged(state)) return startEvaluation(state, stamp);
  const words = outputs.flatMap((output) => (output.type === 'message' ? [output.text] : [])).join('\n');
  const result = { text: shortened(`${begunText}${words}`, MAX_RESULT_CHARS) };
  return [...report(thread, words, stamp), ...idle(thread, { reason: { type: 'end_turn' }, result }, stamp)];
}
