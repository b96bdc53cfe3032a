// The Harness port: models and tools as the session needs them. No vendor type crosses it.
// Failures of a model call are thrown as ModelFailure and sorted once, here, by what to do next.
import type { Model, ThreadAgent } from '@capstan/schema/agents';
import type { ToolResultContent, UserContent } from '@capstan/schema/content';
import type { StopDetails } from '@capstan/schema/events/session-events';
import type { SandboxNews } from '@capstan/schema/sandbox-news';
import type { ModelUsage } from '@capstan/schema/usage';

/** What only the harness understands (provider items, signatures): kept beside the event, given back unread. */
export type Opaque = string;

/** One entry of the context a model call is made from, rebuilt from the log. */
export type ContextItem =
  | { type: 'user'; content: UserContent[] }
  /** Rules given in the middle of the conversation: in force from there on. */
  | { type: 'system'; text: string }
  | { type: 'message'; text: string; opaque?: Opaque }
  | { type: 'thinking'; opaque?: Opaque }
  | {
      type: 'tool_call';
      callId: string;
      name: string;
      /** The MCP server whose tool it is. */
      server?: string;
      input: Record<string, unknown>;
      opaque?: Opaque;
    }
  | { type: 'tool_result'; callId: string; content: ToolResultContent[]; isError: boolean };

/** List prices in nano-USD per token: $3 per million tokens is 3,000. */
export interface Price {
  input: number;
  output: number;
  cacheRead: number;
  cacheWrite: number;
  /** The day the price was looked up, YYYY-MM-DD. */
  asOf: string;
}

/** What an agent says of its model, as far as it decides who answers and what that costs. */
export type ModelWanted = Pick<Model, 'id' | 'speed'>;

/** Who answers for a model id, and what is known of that model. */
export interface ModelChoice {
  provider: 'openai' | 'anthropic' | 'dev';
  model: string;
  /** Tokens of prompt and reply together. */
  contextWindow: number;
  /** The most tokens one reply may have. */
  maxOutputTokens: number;
  /** At the speed that is asked for; null when no list price is known. */
  price: Price | null;
}

/** A tool the engine itself performs, offered beside the agent's own. Its name is reserved. */
export interface EngineTool {
  name: string;
  description: string;
  /** JSON Schema of the input. */
  schema: Record<string, unknown>;
}

export interface ModelCall {
  sessionId: string;
  threadId: string;
  /** A stretch of the thread's work: what could not be reached is tried again in the next. */
  turnId: string;
  agent: ThreadAgent;
  context: readonly ContextItem[];
  tools: readonly EngineTool[];
  /** False: only `tools` are offered, none of the agent's own. */
  builtIn: boolean;
  /** The reply ends there; null leaves it to the model's own limit. */
  maxOutputTokens: number | null;
  /** All of the call must be over by then, or it fails; absent: only silence ends it. */
  withinMs?: number;
  /**
   * Images and documents of the items before this index go as notes. After a failure with `badMedia` it is the length
   * that context had, so that the refused content stays a note and later content is shown; otherwise 0.
   */
  mediaFrom: number;
}

export type ModelOutput =
  | { type: 'message'; text: string; opaque?: Opaque }
  | { type: 'thinking'; opaque?: Opaque }
  /** `input` is null when the model's arguments are not a JSON object; `problem` then says why. */
  | {
      type: 'tool_call';
      name: string;
      /** The MCP server whose tool it is; `name` is then what the server calls it. */
      server?: string;
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
  /** The MCP server whose tool it is. */
  server?: string;
  input: Record<string, unknown>;
  agent: ThreadAgent;
  /** What the model has been shown, the call's own reply included. */
  context(): Promise<readonly ContextItem[]>;
  /** The persistent shell of its thread, 1-32 of `a-z0-9_-`. */
  shell: string;
}

export interface ToolOutcome {
  content: ToolResultContent[];
  isError: boolean;
}

/** How a session stands to its sandbox. */
export interface Rest {
  /** Since when none of its threads works, epoch ms; null: one does. */
  since: number | null;
  /** The last event of a tool call; null: there was none. */
  upTo: string | null;
}

/** A snapshot of another session's sandbox, to begin with. */
export interface LentSnapshot {
  imageId: string;
  snapshotId: string;
  /** Epoch ms. */
  takenAt: number;
  /** The last event of a tool call whose work it may have; null: of none. */
  upTo: string | null;
  /** It says in a file of its own which snapshot it is. */
  marked: boolean;
}

/** How the server side reaches a port of a sandbox; never for users. */
export interface Exposed {
  url: string;
  /** Of every request: they carry what lets it in. */
  headers: Record<string, string>;
}

/** What a session holds outside: its sandbox, and the snapshots of it. What is said of it here survives a crash. */
export interface Holding {
  /** Whether there is something that the session's end should give back. */
  holds(): boolean;
  /** Gives it back. Harmless when it is gone already; rejects when it could not be, and is then asked again. */
  release(): Promise<void>;
  /** Gets the sandbox ready, and does not wait for it. Throws `unavailable` where there are none. */
  prewarm(): void;
  /** Credentials have changed: a sandbox that runs learns of it, none is made, and it is not waited for. */
  refresh(): void;
  /** How the server side reaches a port of the sandbox; null: none of the session's runs. */
  expose(port: number): Promise<Exposed | null>;
  /** The sandbox that runs; null: none does. */
  place(): Promise<string | null>;
  /** Does something in the sandbox that may change it; made, or brought back, when none runs. */
  work<T>(job: (sandboxId: string) => Promise<T>): Promise<T>;
  /** How the session stands now: told whenever that changes, before anything is done in the sandbox. */
  follow(rest: Rest): void;
  /** When something is to be done for the sandbox, epoch ms; null: nothing is. */
  careAt(): number | null;
  /** Does what is due. Rejects when it could not; doing it twice is harmless. */
  care(): Promise<void>;
  /** What the log has to tell of it, oldest first. */
  news(): readonly SandboxNews[];
  /** The log tells everything up to and with that. */
  told(newsId: string): void;
  /** `changed` is called when there are news, or something is due at another time. */
  watch(changed: () => void): void;
  /** What the newest snapshot may have; null: there is no snapshot. */
  snapshot(): Pick<LentSnapshot, 'upTo'> | null;
  /** The newest snapshot, for another session to begin with; null: there is none any more. */
  lend(): Promise<LentSnapshot | null>;
}

export interface Harness extends Holding {
  /** Learns what models there are before one is called; as a rule it knows. Throws ModelFailure when it cannot. */
  ready(): Promise<void>;
  /** Null: `choose` knows what it is asked about. Otherwise resolves once it does, or soon when it cannot; never rejects. */
  settling(): Promise<void> | null;
  /** Which provider answers for a model, and at what price; throws ModelFailure when nobody is configured to. */
  choose(model: ModelWanted): ModelChoice;
  /** One model call, streamed. Ends with exactly one `end` part, or throws ModelFailure. */
  call(call: ModelCall, signal: AbortSignal): AsyncIterable<ModelPart>;
  /** Gets ready for a tool call that the model has begun to write: never awaited. */
  prepare(toolName: string): void;
  /** Performs a tool call. A tool's own failure is an outcome with `isError`, never a throw. */
  perform(call: ToolCall, signal: AbortSignal): Promise<ToolOutcome>;
  /** What became of a call that a dead process had begun: its outcome, or null when nobody can know. */
  recover(call: ToolCall, signal: AbortSignal): Promise<ToolOutcome | null>;
  /** Stops what a call is doing (an interrupt): returns once it is stopped, or gave up trying. */
  cancel(call: Pick<ToolCall, 'effectId' | 'name'>): Promise<void>;
}

export type ModelErrorType =
  | 'model_overloaded_error'
  | 'model_rate_limited_error'
  | 'model_request_failed_error'
  | 'billing_error'
  | 'unknown_error';

export interface FailureOptions {
  retryable: boolean;
  retryAfterMs?: number;
  contextTooLong?: boolean;
  badMedia?: boolean;
  usage?: ModelUsage;
  cause?: unknown;
}

/** `retryable`: the same call may work later. Otherwise the turn is given up and the session waits for its user. */
export class ModelFailure extends Error {
  override name = 'ModelFailure';
  type: ModelErrorType;
  retryable: boolean;
  retryAfterMs: number | undefined;
  /** The provider says that the prompt exceeds the model's window: a shorter context may work. */
  contextTooLong: boolean;
  /** The provider refused an image or document: the same context may work with a later `mediaFrom`. */
  badMedia: boolean;
  /** What the call took: nothing where the model never had it. Undefined: nobody knows. */
  usage: ModelUsage | undefined;

  constructor(type: ModelErrorType, message: string, options: FailureOptions) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.type = type;
    this.retryable = options.retryable;
    this.retryAfterMs = options.retryAfterMs;
    this.contextTooLong = options.contextTooLong ?? false;
    this.badMedia = options.badMedia ?? false;
    this.usage = options.usage;
  }
}

export function isModelFailure(error: unknown): error is ModelFailure {
  return error instanceof Error && error.name === 'ModelFailure' && 'type' in error && 'retryable' in error;
}
