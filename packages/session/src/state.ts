// What a session is, as far as deciding needs it: a fold of its log (M2). Input is kept until it is taken, calls until
// their result. Everything here is plain JSON, so that a snapshot of it is the state itself.
import type { AgentTools } from '@capstan/schema/agents';
import type { Budget } from '@capstan/schema/budgets';
import type { ThreadContent } from '@capstan/schema/content';
import type { SessionEvent } from '@capstan/schema/events';
import type { SandboxReplacement } from '@capstan/schema/events/sandbox-events';
import type { StopDetails, StopReason } from '@capstan/schema/events/session-events';
import type { Metadata } from '@capstan/schema/metadata';
import type { OutcomeEvaluation } from '@capstan/schema/outcomes';
import type { SessionStatus } from '@capstan/schema/sessions';
import { type SessionUsage, ZERO_USAGE } from '@capstan/schema/usage';
import type { Bill, Reserve, Spilled } from './entry.ts';
import type { ModelChoice, Price } from './harness.ts';
import type { InlineWords } from './inline-agent.ts';
import type { Run, StepPlace } from './workflow/run.ts';

/** Events a client sends, as the log keeps them. */
export type UserEvent = Extract<SessionEvent, { type: `user.${string}` | 'system.message' }>;
/** Those of them that may wait. */
export type Queued = Extract<UserEvent, { type: 'user.message' | 'system.message' }>;

/** Accepted, and not yet taken by the thread it is for. */
export type Input =
  | { kind: 'event'; id: string; event: Queued; spill?: readonly Spilled[] }
  /** What another thread said; `id` is its `agent.thread_message_sent`. */
  | {
      kind: 'message';
      id: string;
      from: string;
      /** Null: the primary thread's agent, which the API does not name. */
      fromName: string | null;
      content: ThreadContent[];
      spill?: readonly Spilled[];
      /** The workflow run whose end it tells; `id` is its `workflow_run.status_ended`. */
      run?: string;
    };

/** A tool call in the log without its result. */
export interface OpenCall {
  /** The id of its use event, and the effect id of what it does. */
  id: string;
  name: string;
  /** The MCP server whose tool it is. */
  server?: string;
  input: Record<string, unknown>;
  /** Where a large input is kept: `input` is empty then. */
  spill?: readonly Spilled[];
  /**
   * Whom it waits for: nobody (the engine performs it), a person's confirmation, the result of a worker of the session's
   * own environment, or the client's own result.
   */
  waitsFor: 'nobody' | 'confirmation' | 'worker' | 'client';
  /** A worker performs it once it is allowed. */
  remote?: true;
  /** Since when it waits for a worker or the client, epoch ms. */
  since?: number;
  /** SHA-256 of the input, hex, of a call that somebody has to approve: the approval is for exactly this input. */
  hash?: string;
  /** A process that died may have begun it: it is recovered, never simply performed again (R6). */
  begun: boolean;
}

/** A model request without its end, and what of the budget is set aside for it. */
export interface OpenSpan {
  id: string;
  kind: Bill['kind'];
  provider: ModelChoice['provider'];
  model: string;
  price: Price | null;
  reserved: Reserve;
  /** Epoch ms. */
  startedAt: number;
}

export interface Stop {
  reason: StopReason;
  details: StopDetails;
}

export interface ThreadState {
  id: string;
  /** Its place in the roster of the session's agent; null: the session's agent itself, or one of the two below. */
  member: number | null;
  /** Written by the session's agent for this thread alone: that agent's own tools and model, with these words. */
  inline?: InlineWords;
  /** The advisor's: it answers once. */
  advises?: true;
  /** It does this of a workflow run, and ends with it: `member` is a place in the list that plans may name. */
  step?: StepPlace;
  /** What it had said of a message that broke off, where somebody waits for the whole of it. */
  begunText?: string;
  name: string;
  /** Null: the primary thread. */
  parentId: string | null;
  status: SessionStatus;
  /** The id of the `session.thread_status_running` that began the turn in progress. */
  turnId: string | null;
  /** Oldest first. */
  queue: readonly Input[];
  calls: readonly OpenCall[];
  /** Input or results that the model has not replied to. */
  unanswered: boolean;
  /** Input that came while a model call was under way: that call's reply does not answer it. */
  unseen: boolean;
  openSpan: OpenSpan | null;
  /** The request under way that judges calls of the reply to that one. */
  judging: OpenSpan | null;
  /** Model calls in this turn. */
  steps: number;
  /** Tries in a row that brought nothing new, and processes in a row that died before anything new. */
  attempt: number;
  restarts: number;
  retryAt: number | null;
  /** Its budget stopped it: it goes on when that is raised, or when what others had set aside is free again. */
  paused: boolean;
  /** Why it last stopped. */
  stop: Stop | null;
  usage: SessionUsage;
  activeSince: number | null;
  activeMs: number;
  /** What the last model call read and wrote, in tokens. */
  contextTokens: number;
  /** The log position its context begins after. */
  contextFrom: number;
  /** The model said that the context is longer than it can read. */
  tooLong: boolean;
  /** Compactions in a row that the agent has not got beyond. */
  compactions: number;
  /** The model refused an image or document: it is not shown those that came up to this log position. */
  mediaFrom: number;
  /** What it may have lost with a sandbox, and was not told yet. */
  missing: SandboxReplacement | null;
  createdAt: number;
  updatedAt: number;
  archivedAt: number | null;
}

/** An outcome the primary thread works for. */
export interface Outcome {
  id: string;
  description: string;
  /** Of the event that defined it, and has its rubric. */
  eventId: string;
  maxIterations: number;
  iteration: number;
  /** The agent works; the result is judged; the agent has its last word. */
  phase: 'working' | 'evaluating' | 'last';
  /** The `span.outcome_evaluation_start` of the evaluation under way. */
  spanId: string | null;
  /** The grader's model call under way; null: there is none. */
  call: OpenSpan | null;
}

/** What the session has used, as budgets count it. */
export interface Spent {
  nanoUsd: number;
  tokens: number;
  modelCalls: number;
  /** Whether any of it had a price. */
  priced: boolean;
}

export interface State {
  status: SessionStatus;
  /** The primary thread first, then in the order of their creation. */
  threads: readonly ThreadState[];
  usage: SessionUsage;
  spent: Spent;
  activeSince: number | null;
  activeMs: number;
  /** Absent: as the session was created. */
  title?: string | null;
  metadata?: Metadata;
  budget?: Budget | null;
  agentTools?: AgentTools;
  /** Workflow runs that have not ended, oldest first. */
  runs: readonly Run[];
  outcome: Outcome | null;
  evaluations: readonly OutcomeEvaluation[];
  /** The session that a copied log was last taken over by. */
  forkedInto?: string;
  /** Messages that agents gave each other since a person last said something. */
  relayed: number;
  /** Calls that were cut short and may still be doing something, oldest first. */
  stopping: readonly StoppedCall[];
  /** The last event of a tool call: what was done in the sandbox was done by then. */
  worked: string | null;
  /** The last news of the sandbox that the log tells. */
  told: string | null;
  updatedAt: number;
  archivedAt: number | null;
  /** Nobody may see it any more; what is left of it is being erased. */
  deleted: boolean;
}

export interface StoppedCall {
  id: string;
  name: string;
  threadId: string;
}

export const NOTHING_SPENT: Spent = { nanoUsd: 0, tokens: 0, modelCalls: 0, priced: false };

/** A session nothing has happened in. */
export function initialState(primary: { threadId: string; name: string; createdAt: number }): State {
  const { threadId: id, name, createdAt } = primary;
  return {
    status: 'idle',
    threads: [newThread({ id, name, createdAt, member: null, parentId: null })],
    usage: ZERO_USAGE,
    spent: NOTHING_SPENT,
    activeSince: null,
    activeMs: 0,
    runs: [],
    outcome: null,
    evaluations: [],
    relayed: 0,
    stopping: [],
    worked: null,
    told: null,
    updatedAt: 0,
    archivedAt: null,
    deleted: false,
  };
}

export type ThreadOrigin = Pick<
  ThreadState,
  'id' | 'name' | 'createdAt' | 'member' | 'parentId' | 'inline' | 'advises' | 'step'
>;

export function newThread(origin: ThreadOrigin): ThreadState {
  return {
    ...origin,
    status: 'idle',
    turnId: null,
    queue: [],
    calls: [],
    unanswered: false,
    unseen: false,
    openSpan: null,
    judging: null,
    steps: 0,
    attempt: 0,
    restarts: 0,
    retryAt: null,
    paused: false,
    stop: null,
    usage: ZERO_USAGE,
    activeSince: null,
    activeMs: 0,
    contextTokens: 0,
    contextFrom: 0,
    tooLong: false,
    compactions: 0,
    mediaFrom: 0,
    missing: null,
    updatedAt: origin.createdAt,
    archivedAt: null,
  };
}
