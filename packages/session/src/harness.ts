// The Harness port: models and tools as the session needs them. No vendor type crosses it.
// Failures of a model call are thrown as ModelFailure and sorted once, here, by what to do next.
import type { AgentSnapshot } from '@capstan/schema/agents';
import type { ToolResultContent, UserContent } from '@capstan/schema/content';
import type { StopDetails } from '@capstan/schema/events/session-events';
import type { ModelUsage } from '@capstan/schema/usage';

/** What only the harness understands (provider items, signatures): kept beside the event, given back unread. */
export type Opaque = string;

/** One entry of the context a model call is made from, rebuilt from the log. */
export type ContextItem =
  | { type: 'user'; content: UserContent[] }
  | { type: 'message'; text: string; opaque?: Opaque }
  | { type: 'thinking'; opaque?: Opaque }
  | { type: 'tool_call'; callId: string; name: string; input: Record<string, unknown>; opaque?: Opaque }
  | { type: 'tool_result'; callId: string; content: ToolResultContent[]; isError: boolean };

export interface ModelChoice {
  provider: 'openai' | 'anthropic' | 'dev';
  model: string;
}

export interface ModelCall {
  sessionId: string;
  agent: AgentSnapshot;
  context: readonly ContextItem[];
}

export type ModelOutput =
  | { type: 'message'; text: string; opaque?: Opaque }
  | { type: 'thinking'; opaque?: Opaque }
  /** `input` is null when the model's arguments are not a JSON object; `problem` then says why. */
  | {
      type: 'tool_call';
      name: string;
      input: Record<string, unknown> | null;
      problem?: string;
      opaque?: Opaque;
    };

/** `output` numbers the reply's items, so that a delta names the item it belongs to. */
export type ModelPart =
  | { type: 'text'; output: number; text: string }
  | { type: 'thinking'; output: number }
  | { type: 'tool_call'; name: string }
  | { type: 'end'; outputs: ModelOutput[]; usage: ModelUsage; refusal: StopDetails };

export interface ToolCall {
  /** The id of the use event: the tool's idempotency key. */
  effectId: string;
  name: string;
  input: Record<string, unknown>;
  agent: AgentSnapshot;
}

export interface ToolOutcome {
  content: ToolResultContent[];
  isError: boolean;
}

export interface Harness {
  /** Which provider answers for a model id; throws ModelFailure when nobody is configured to. */
  choose(modelId: string): ModelChoice;
  /** One model call, streamed. Ends with exactly one `end` part, or throws ModelFailure. */
  call(call: ModelCall, signal: AbortSignal): AsyncIterable<ModelPart>;
  /** Gets ready for a tool call that the model has begun to write: never awaited. */
  prepare(toolName: string): void;
  /** Performs a tool call. A tool's own failure is an outcome with `isError`, never a throw. */
  perform(call: ToolCall, signal: AbortSignal): Promise<ToolOutcome>;
  /** What became of a call that a dead process had begun: its outcome, or null when nobody can know. */
  recover(call: ToolCall, signal: AbortSignal): Promise<ToolOutcome | null>;
  /** Stops what a call is doing (an interrupt): returns once it is stopped, or gave up trying. */
  cancel(call: ToolCall): Promise<void>;
  /** Whether the session holds something outside that its end should give back: its sandbox. */
  holds(): boolean;
  /** Gives it back. Harmless when it is gone already; rejects when it could not be, and is then asked again. */
  release(): Promise<void>;
}

export type ModelErrorType =
  | 'model_overloaded_error'
  | 'model_rate_limited_error'
  | 'model_request_failed_error'
  | 'billing_error'
  | 'unknown_error';

/** `retryable`: the same call may work later. Otherwise the turn is given up and the session waits for its user. */
export class ModelFailure extends Error {
  override name = 'ModelFailure';
  type: ModelErrorType;
  retryable: boolean;
  retryAfterMs: number | undefined;

  constructor(
    type: ModelErrorType,
    message: string,
    options: { retryable: boolean; retryAfterMs?: number; cause?: unknown },
  ) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.type = type;
    this.retryable = options.retryable;
    this.retryAfterMs = options.retryAfterMs;
  }
}

export function isModelFailure(error: unknown): error is ModelFailure {
  return error instanceof Error && error.name === 'ModelFailure' && 'type' in error && 'retryable' in error;
}
