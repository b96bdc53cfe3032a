// One row of the session log: the event everyone sees, and a note only the engine reads.
import type { AgentTools } from '@capstan/schema/agents';
import type { Budget } from '@capstan/schema/budgets';
import type { EventOf, EventType, SessionEvent } from '@capstan/schema/events';
import type { ModelUsage } from '@capstan/schema/usage';
import type { ModelChoice, Opaque, Price } from './harness.ts';
import type { InlineWords } from './inline-agent.ts';
import type { Plan, StepPlace, StepResult } from './workflow/run.ts';

/** What is set aside for a model call: the most it can take. */
export interface Reserve {
  nanoUsd: number;
  tokens: number;
  /** Of those, what the call reads. */
  input: number;
  /** What its reply may have at most, in tokens; null when no budget limits it. */
  output: number | null;
}

/** What a model call used, as budgets and the ledger count it. */
export interface Bill {
  kind: 'model' | 'compaction' | 'grading' | 'permission';
  provider: ModelChoice['provider'];
  model: string;
  usage: ModelUsage;
  /** Null: the model has no list price. */
  nanoUsd: number | null;
  /** The call never answered: nobody told what it took, and this is what it may have taken. */
  estimated?: true;
}

/** A field that stands in a blob; the row has an empty value in its place. */
export interface Spilled {
  key: string;
  field: 'content' | 'input' | 'rubric' | 'agent' | 'opaque' | 'summary' | 'carried';
  /** Of the field as JSON, UTF-8. */
  bytes: number;
  /** What a content counts for in the size of a context, in characters: bytes of media count for less. */
  chars?: number;
}

/** Of the model that is asked, as ModelChoice has them. */
export type Limits = Pick<ModelChoice, 'contextWindow' | 'maxOutputTokens'>;
/** The model that is asked, where the event does not name it. */
export type Asked = Pick<ModelChoice, 'provider' | 'model'>;

/** Of a request that judges calls of a reply, before that reply is on the log. */
export interface Judges {
  calls: readonly { name: string; server?: string }[];
  /** What the reply itself took: no more than that is set aside for it now. */
  took: Reserve;
}

/** What a call under the policy `auto` was judged to be. */
export interface Judgement {
  verdict: 'allow' | 'ask' | 'deny';
  /** A sentence: people read it, and the model whose call was denied. */
  reason: string;
}

/** What a compaction keeps word for word. */
export interface Carried {
  /** Rules given during the conversation, oldest first. */
  rules: readonly string[];
  /** The outcome that is worked for, as the model was given it. */
  outcome: { id: string; text: string } | null;
}

export interface Note {
  /** The child thread whose row it is. Absent: the primary thread's, or the session's own. */
  thread?: string;
  /** A child thread's row that the session shows too. */
  shared?: true;
  /** What of this row stands in blobs. */
  spill?: readonly Spilled[];
  /** What the harness wants back when the context is rebuilt. */
  opaque?: Opaque;
  /** On `session.thread_status_rescheduled`: when to try again, epoch ms, and what came before without progress. */
  retry?: { at: number; attempt: number; restarts: number };
  /** On `session.status_terminated` and `session.thread_status_terminated`: it was archived. */
  archived?: true;
  /** On `session.thread_status_terminated`: the thread had ended already, and its end was told then. */
  again?: true;
  /** On `session.thread_created`: whose thread it is. */
  created?: { parentId: string } & (
    | { member: number }
    | { inline: InlineWords }
    | { advises: true }
    // The plan of its run says who does it: what it says of an agent is there once, however many threads do the step.
    | { step: StepPlace }
  );
  /** On `workflow_run.created`: what the run follows. */
  plan?: Plan;
  /** On `session.thread_status_terminated`: what the step of a workflow run came to that it did. */
  result?: StepResult;
  /** On `workflow_run.status_ended`: the agent that began the run is told of it in a message. */
  reports?: true;
  /** On `agent.thread_message_received`: the workflow run whose end it tells. */
  run?: string;
  /** On `agent.thread_message_sent`: the tool call it is, its message left empty, with the answer it was given. */
  call?: { name: string; input: Record<string, unknown>; answer: string };
  /** On `agent.thread_message_received`: the `agent.thread_message_sent` it delivers. */
  delivers?: string;
  /** On `span.model_request_start` and `span.outcome_evaluation_ongoing`: what is set aside for the request. */
  span?: { price: Price | null; reserved: Reserve; limits?: Limits; grader?: Asked; judges?: Judges };
  /** On the `span.model_request_end` of a request that judged: what came of it, in the order of the calls. */
  judged?: readonly Judgement[];
  bill?: Bill;
  /** On `span.model_request_end`: the context, or what was to be compacted of it, was longer than the model can read. */
  tooLong?: 'context' | 'transcript';
  /** On `span.model_request_end`: the model refused an image or document of its context. */
  badMedia?: { upTo: number };
  /** On `agent.thread_context_compacted`: what stands for everything up to a log position, and what of it stays as it was. */
  summary?: string;
  compactedTo?: number;
  carried?: Carried;
  /** On `agent.message`: the model was cut off here, and is to go on. */
  cut?: true;
  /** On `user.tool_confirmation`: the SHA-256 of the input that was approved. */
  approved?: string;
  /** On `agent.tool_use`: a worker of the session's own environment performs it, not the engine. */
  remote?: true;
  /** On a result that the engine gave a call it cut short: what the call does is to be stopped. */
  cancel?: true;
  /** On `session.updated`: here a copy of another session's log ends, and this session's own begins. */
  fork?: { into: string };
  /** On `session.sandbox_replaced`, `span.sandbox_boot` and `session.error`: it tells news of the sandbox. */
  news?: true;
  /** On `agent.tool_result`: it begins with what became of the sandbox, before what the call brought. */
  heard?: true;
  /** On `session.updated`: limits as they are from here on; the event itself shows them too. */
  budget?: { value: Budget | null };
  /** On `session.updated`: what the session's agent works with from here on; the event itself shows the whole agent. */
  agentTools?: AgentTools;
  /** On `session.updated`: the metadata is empty from here on; the event, as the API has it, shows none. */
  emptied?: true;
}

export interface Entry {
  event: SessionEvent;
  note?: Note;
}

export interface LoggedEntry extends Entry {
  /** Position in the log, from 1, without gaps. */
  seq: number;
}

/** Where time and ids come from: the machine itself has neither (M1). */
export interface Stamp {
  now: number;
  newId(kind?: NewId): string;
}

/** What a session gives ids to. */
export type NewId = 'event' | 'thread' | 'outcome' | 'workflowRun' | 'workflowRunPhase';

type Body<T extends EventType> = Omit<EventOf<T>, 'id' | 'type' | 'processed_at'>;

/** A server-made event, processed as it is made. `id` is given when a preview has announced it. */
export function made<T extends EventType>(stamp: Stamp, type: T, body: Body<T> & { id?: string }): Entry {
  const { id = stamp.newId(), ...rest } = body;
  // The generic object is exactly EventOf<T>; TypeScript cannot follow a spread through Omit.
  return { event: { id, type, processed_at: toTimestamp(stamp.now), ...rest } as unknown as EventOf<T> };
}

/** With more in its note; an entry of which there is nothing to note has none. */
export function noted(entry: Entry, more: Note): Entry {
  const note = { ...entry.note, ...more };
  return Object.keys(note).length === 0 ? entry : { ...entry, note };
}

/** The entries as rows of a thread: its own, or also the session's. */
export function ownedBy(
  thread: { id: string; parentId: string | null },
  entries: readonly Entry[],
  shared = false,
): Entry[] {
  if (thread.parentId === null) return [...entries];
  return entries.map((entry) => noted(entry, { thread: thread.id, ...(shared ? { shared } : {}) }));
}

export function toTimestamp(ms: number): string {
  return new Date(ms).toISOString();
}
