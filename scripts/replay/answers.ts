// What models said, read back from the rows their words became.
import type { AgentSnapshot } from '../../packages/schema/src/agents.ts';
import { ZERO_MODEL_USAGE } from '../../packages/schema/src/usage.ts';
import type { LoggedEntry } from '../../packages/session/src/entry.ts';
import { ModelFailure, type ModelOutput, type ModelPart } from '../../packages/session/src/harness.ts';
import { permit } from '../../packages/session/src/permit.ts';

type Told = ModelPart | { type: 'fail'; error: Error };

interface Speaker {
  agent: AgentSnapshot;
  /** The child thread whose model it is. */
  owner: string | undefined;
  /** The id here of what the recording calls so. */
  live(id: string): string;
}

/** A whole reply: rows up to and with the end of its request. */
export function replyOf(rows: readonly LoggedEntry[], speaker: Speaker): ModelPart {
  const { owner } = speaker;
  const last = rows.findIndex(({ event, note }) => {
    return event.type === 'span.model_request_end' && note?.thread === owner;
  });
  const end = rows[last];
  const usage = end?.event.type === 'span.model_request_end' ? end.event.model_usage : ZERO_MODEL_USAGE;
  const after = rows[last + 1];
  if (after?.event.type === 'agent.thread_context_compacted') {
    const text = after.note?.summary ?? '';
    return { type: 'end', outputs: [{ type: 'message', text }], usage, refusal: null };
  }
  const outputs = rows.slice(0, last).flatMap((row) => outputOf(row, rows, speaker));
  const stop = rows.slice(last + 1).find(({ event }) => event.type === 'session.thread_status_idle')?.event;
  const refused = stop?.type === 'session.thread_status_idle' && stop.stop_reason.type === 'refusal';
  const near = rows.slice(last + 1, last + 4).some(({ event }) => event === stop);
  return { type: 'end', outputs, usage, refusal: refused && near ? stop.stop_details : null };
}

function outputOf(
  { event, note }: LoggedEntry,
  rows: readonly LoggedEntry[],
  { agent, live }: Speaker,
): ModelOutput[] {
  const opaque = note?.opaque === undefined ? {} : { opaque: note.opaque };
  switch (event.type) {
    case 'agent.message':
      return [{ type: 'message', text: event.content.map(textOf).join(''), ...opaque }];
    case 'agent.thinking':
      return [{ type: 'thinking', ...opaque }];
    case 'agent.custom_tool_use':
      return [{ type: 'tool_call', name: event.name, input: event.input, ...opaque }];
    case 'agent.tool_use': {
      const { id, name, input } = event;
      const { multiagent, ...own } = agent;
      const known = [own, ...(multiagent?.agents ?? [])].some((one) => permit(one, name) !== 'deny');
      if (event.evaluated_permission !== 'deny' || !known)
        return [{ type: 'tool_call', name, input, ...opaque }];
      // The tool may be used: its arguments were what nobody could read.
      const result = rows.find(({ event: later }) => {
        return later.type === 'agent.tool_result' && later.tool_use_id === id;
      })?.event;
      const problem = result?.type === 'agent.tool_result' ? result.content?.map(textOf).join('') : undefined;
      return [{ type: 'tool_call', name, input: null, ...(problem ? { problem } : {}), ...opaque }];
    }
    case 'agent.thread_message_sent': {
      if (!note?.call) return [];
      const { name, input } = note.call;
      const to = typeof input.thread_id === 'string' ? { thread_id: live(input.thread_id) } : {};
      const message = event.content.map(textOf).join('');
      return [{ type: 'tool_call', name, input: { ...input, ...to, message }, ...opaque }];
    }
    default:
      return [];
  }
}

/** A call that failed: what it had said by then, and how it ended. */
export function failureOf(rows: readonly LoggedEntry[]): Told[] {
  const parts: Told[] = [];
  for (const { event, note } of rows) {
    if (event.type === 'agent.message' && note?.cut)
      parts.push({ type: 'text', output: parts.length, text: event.content.map(textOf).join('') });
    else if (event.type === 'span.model_request_end' && note?.tooLong)
      return [...parts, { type: 'fail', error: tooLong() }];
    else if (event.type === 'session.error')
      return [...parts, { type: 'fail', error: toFailure(event.error) }];
  }
  return [...parts, { type: 'fail', error: tooLong() }];
}

function toFailure(error: { type: string; message: string; retry_status: { type: string } }): ModelFailure {
  const retryable = error.retry_status.type === 'retrying';
  const known = [
    'model_overloaded_error',
    'model_rate_limited_error',
    'model_request_failed_error',
    'billing_error',
  ] as const;
  const type = known.find((one) => one === error.type) ?? 'unknown_error';
  return new ModelFailure(type, error.message, { retryable });
}

function tooLong(): ModelFailure {
  return new ModelFailure('model_request_failed_error', 'too long', {
    retryable: false,
    contextTooLong: true,
  });
}

/** What the grader said: its verdict, or words that are none. */
export function verdictOf({ event, note }: LoggedEntry): ModelPart {
  const usage = note?.bill?.usage ?? ZERO_MODEL_USAGE;
  const say = (output: ModelOutput): ModelPart => ({ type: 'end', outputs: [output], usage, refusal: null });
  if (event.type !== 'span.outcome_evaluation_end') return say({ type: 'message', text: 'I look further.' });
  const result = event.result === 'max_iterations_reached' ? 'needs_revision' : event.result;
  return say({ type: 'tool_call', name: 'grade_outcome', input: { result, explanation: event.explanation } });
}

function textOf(block: { type: string; text?: string }): string {
  return block.text ?? '';
}
