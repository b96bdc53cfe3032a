// What a model or a tool answered, read off the rows that its answer became.
import type { SessionEvent } from '@capstan/schema/events';
import type { StopDetails } from '@capstan/schema/events/session-events';
import { contextTokens, type ModelUsage, ZERO_MODEL_USAGE } from '@capstan/schema/usage';
import { DELEGATE } from '../delegation.ts';
import type { Bill, Judgement, Judges, LoggedEntry, Note } from '../entry.ts';
import { GRADE } from '../grading.ts';
import { type ModelErrorType, ModelFailure, type ModelOutput, type ToolOutcome } from '../harness.ts';
import { JUDGE } from '../verdicts.ts';
import type { Answer } from './recorded-harness.ts';

/** Rows of the thread, from those of the answer on. */
export type Rows = readonly LoggedEntry[];

export function toOutcome(
  { content = [], is_error }: Extract<SessionEvent, { type: 'agent.tool_result' | 'agent.mcp_tool_result' }>,
  note: Note | undefined,
): ToolOutcome {
  // What the session told of its sandbox comes before what the call brought.
  return { content: note?.heard ? content.slice(1) : content, isError: is_error ?? false };
}

/** Null: none of these rows is the end of a model's answer. */
export function toAnswer(rows: Rows, told: () => Promise<void>): Answer | null {
  const [first, then] = rows;
  if (first?.event.type === 'span.outcome_evaluation_end')
    return ended(toVerdict(first.event), first.note?.bill?.usage);
  if (first?.event.type === 'span.outcome_evaluation_ongoing') {
    const bill = first.note?.bill;
    const failed = then?.event.type === 'session.error' && bill && isUnanswered(bill);
    return failed ? { failure: toFailure(rows, 0), texts: [], told } : ended([], bill?.usage);
  }
  const judge = first?.note?.span?.judges;
  if (judge !== undefined) return judgedReply(rows, judge.calls, told);
  if (first?.note?.judged !== undefined) return toVerdicts(first, first.note.judged);
  if (first?.event.type === 'session.error') return { failure: toFailure(rows, 0), texts: [], told };
  const at = rows.findIndex(({ event }) => event.type === 'span.model_request_end');
  const end = rows[at];
  if (end?.event.type !== 'span.model_request_end') return null;
  const { is_error, model_usage: usage } = end.event;
  const [, compacted] = rows.slice(at);
  if (compacted?.event.type === 'agent.thread_context_compacted') {
    return ended([{ type: 'message', text: compacted.note?.summary ?? '' }], usage);
  }
  if (is_error === false) {
    const outputs = rows.slice(0, at).flatMap((row) => toOutputs(row, rows));
    return ended(outputs, usage, refusalOf(rows.slice(at)));
  }
  const texts = rows.slice(0, at).map(({ event }) => (event.type === 'agent.message' ? wordsOf(event) : ''));
  return { failure: toFailure(rows, at), texts, told };
}

/** The reply that a judge was asked about. One that never came to the log called what the judge was asked about. */
function judgedReply(rows: Rows, calls: Judges['calls'], told: () => Promise<void>): Answer | null {
  const [start, ...rest] = rows;
  const at = rest.findIndex(
    ({ event }) =>
      event.type === 'span.model_request_end' && event.model_request_start_id === start?.event.id,
  );
  if (at >= 0 && rest[at]?.note?.judged !== undefined) return toAnswer(rest.slice(at + 1), told);
  return ended(calls.map((call) => ({ type: 'tool_call', ...call, input: {} })));
}

function toVerdicts({ event, note }: LoggedEntry, judged: readonly Judgement[]): Answer {
  const usage = note?.bill === undefined || note.bill.estimated ? {} : { usage: note.bill.usage };
  if (event.type === 'span.model_request_end' && event.is_error) {
    const failure = new ModelFailure('unknown_error', 'failed', { retryable: false, ...usage });
    return { failure, texts: [], told: async () => {} };
  }
  const verdicts = judged.map((one, index) => ({ call: index + 1, ...one }));
  return ended([{ type: 'tool_call', name: JUDGE, input: { verdicts } }], usage.usage);
}

function isUnanswered({ estimated, usage }: Bill): boolean {
  return estimated === true || contextTokens(usage) === 0;
}

function ended(
  outputs: ModelOutput[],
  usage: ModelUsage = ZERO_MODEL_USAGE,
  refusal: StopDetails = null,
): Answer {
  return { end: { type: 'end', outputs, usage, refusal } };
}

type Verdict = Extract<SessionEvent, { type: 'span.outcome_evaluation_end' }>;

function toVerdict({ result, explanation }: Verdict): ModelOutput[] {
  // Whether there is another try is for the session to know.
  const judged = result === 'max_iterations_reached' ? 'needs_revision' : result;
  return [{ type: 'tool_call', name: GRADE, input: { result: judged, explanation } }];
}

function refusalOf(rows: Rows): StopDetails {
  const idle = rows.find(({ event }) => event.type === 'session.thread_status_idle')?.event;
  const refused = idle?.type === 'session.thread_status_idle' && idle.stop_reason.type === 'refusal';
  return refused ? idle.stop_details : null;
}

function toOutputs({ event, note }: LoggedEntry, rows: Rows): ModelOutput[] {
  const opaque = note?.opaque === undefined ? {} : { opaque: note.opaque };
  switch (event.type) {
    case 'agent.message':
      return [{ type: 'message', text: wordsOf(event), ...opaque }];
    case 'agent.thinking':
      return [{ type: 'thinking', ...opaque }];
    case 'agent.custom_tool_use':
      return [{ type: 'tool_call', name: event.name, input: event.input, ...opaque }];
    case 'agent.tool_use':
    case 'agent.mcp_tool_use':
      return [{ ...toCall(event, rows), ...opaque }];
    case 'agent.thread_message_sent':
      return note?.call ? [{ ...toDelegation(event, note.call), ...opaque }] : [];
    default:
      return [];
  }
}

type Sent = Extract<SessionEvent, { type: 'agent.thread_message_sent' }>;

function toDelegation({ content }: Sent, { name, input }: NonNullable<Note['call']>): ToolOutput {
  const message = content.map((block) => (block.type === 'text' ? block.text : '')).join('');
  return { type: 'tool_call', name, input: { ...input, message } };
}

type ToolOutput = Extract<ModelOutput, { type: 'tool_call' }>;
type Use = Extract<SessionEvent, { type: 'agent.tool_use' | 'agent.mcp_tool_use' }>;

/** A call that was refused had an input that is none, or a reason of the session's own. */
function toCall(use: Use, rows: Rows): ToolOutput {
  const { id, name, input, evaluated_permission: granted } = use;
  const of = { name, ...(use.type === 'agent.mcp_tool_use' ? { server: use.mcp_server_name } : {}) };
  if (granted !== 'deny' || use.evaluation !== undefined) return { type: 'tool_call', ...of, input };
  const words = rows.flatMap(({ event }) => (answeredId(event) === id ? contentOf(event) : []));
  const problem = words.map((block) => (block.type === 'text' ? block.text : '')).join('');
  const none = Object.keys(input).length === 0 && name !== DELEGATE;
  return { type: 'tool_call', ...of, input: none ? null : input, problem };
}

/** The call that the platform answered with this; null: it answered none. */
export function answeredId(event: SessionEvent): string | null {
  if (event.type === 'agent.tool_result') return event.tool_use_id;
  return event.type === 'agent.mcp_tool_result' ? event.mcp_tool_use_id : null;
}

function contentOf(event: SessionEvent) {
  const answers = event.type === 'agent.tool_result' || event.type === 'agent.mcp_tool_result';
  return answers ? (event.content ?? []) : [];
}

function toFailure(rows: Rows, at: number): ModelFailure {
  const { note } = rows[at] ?? {};
  const bill = note?.bill;
  const error = rows.slice(at).find(({ event }) => event.type === 'session.error')?.event;
  const {
    type = 'unknown_error',
    message = '',
    retry_status = null,
  } = error?.type === 'session.error' ? error.error : {};
  return new ModelFailure(isModelError(type) ? type : 'unknown_error', message, {
    retryable: retry_status?.type === 'retrying',
    contextTooLong: note?.tooLong !== undefined,
    badMedia: note?.badMedia !== undefined,
    ...(bill === undefined || bill.estimated ? {} : { usage: bill.usage }),
  });
}

const MODEL_ERRORS: ReadonlySet<string> = new Set<ModelErrorType>([
  'model_overloaded_error',
  'model_rate_limited_error',
  'model_request_failed_error',
  'billing_error',
  'unknown_error',
]);

function isModelError(type: string): type is ModelErrorType {
  return MODEL_ERRORS.has(type);
}

function wordsOf({ content }: Extract<SessionEvent, { type: 'agent.message' }>): string {
  return content.map((block) => (block.type === 'text' ? block.text : '')).join('');
}
