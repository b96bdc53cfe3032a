// The RPC interface of the agent Worker: what main and jobs may ask of sessions.
// Every method refuses with an ApiError (recognised by shape after RPC); an unknown address is `not_found`.

import type { AgentTools } from '@capstan/schema/agents';
import type { Budget } from '@capstan/schema/budgets';
import type { ModelNotice } from '@capstan/schema/console-login';
import type { EventType, SessionEvent } from '@capstan/schema/events';
import type { Previewable } from '@capstan/schema/events/previews';
import type { EventParam } from '@capstan/schema/events/user-events';
import type { BackendHealth } from '@capstan/schema/health';
import type { Claim } from '@capstan/schema/idempotency';
import type { Isolation } from '@capstan/schema/isolation';
import type { Metadata, MetadataPatch } from '@capstan/schema/metadata';
import type { OutcomeEvaluation } from '@capstan/schema/outcomes';
import type { Page } from '@capstan/schema/page';
import type { SandboxFile } from '@capstan/schema/sandbox-files';
import type { SessionStatus } from '@capstan/schema/sessions';
import type { ThreadOwner } from '@capstan/schema/threads';
import type { SessionUsage } from '@capstan/schema/usage';
import type { SessionAddress } from './address.ts';
import type { Exposed, LentSnapshot, ModelWanted } from './harness.ts';
import type { Line } from './line.ts';

/** What is true of a session now; its agent and environment stand in the control plane. Instants are epoch ms. */
export interface SessionView {
  status: SessionStatus;
  usage: SessionUsage;
  activeSeconds: number;
  updatedAt: number;
  archivedAt: number | null;
  title: string | null;
  metadata: Metadata;
  budget: Budget | null;
  outcomeEvaluations: OutcomeEvaluation[];
  /** Of its agent; null: as the session was created with it. */
  agentTools: AgentTools | null;
}

/** One line of work of a session. Instants are epoch ms. */
export interface ThreadView {
  id: string;
  /** Null: the primary thread. */
  parentId: string | null;
  /** The workflow run that created it; null: another thread did, or it is the primary one. */
  workflowRunId: string | null;
  agent: ThreadOwner;
  status: SessionStatus;
  /** Null until it is first idle. */
  usage: SessionUsage | null;
  /** Null until it first runs. */
  activeSeconds: number | null;
  createdAt: number;
  updatedAt: number;
  archivedAt: number | null;
}

/** What is to change of a session; what is absent stays. */
export interface SessionChange {
  title?: string | null;
  metadata?: MetadataPatch;
  budget?: Budget | null;
  /** Replaces each that is given. Refused (`invalid_request`) unless the session is idle. */
  agent?: Partial<AgentTools>;
}

export interface EventQuery {
  limit: number;
  order: 'asc' | 'desc';
  page?: string;
  types?: EventType[];
  /** Only what that thread shows. Absent: what the session shows. An unknown thread is `not_found`. */
  thread?: string;
  /** Bounds on `processed_at`, epoch ms. */
  after?: { at: number; inclusive: boolean };
  before?: { at: number; inclusive: boolean };
}

export interface StreamQuery {
  /** Replays events after this sequence first. Absent: only what happens from now on. */
  after?: number;
  deltas?: Previewable[];
  /** Only what that thread shows. Absent: what the session shows. An unknown thread is `not_found`. */
  thread?: string;
}

export interface Sent {
  /** The sent events as they stood when they were accepted, in the order they were sent. */
  events: SessionEvent[];
  /** The send was a repetition: nothing was done, and this is what the first one was answered. */
  replayed: boolean;
}

export interface SandboxFiles {
  data: SandboxFile[];
  truncated: boolean;
}

export interface KnownModel {
  id: string;
  /** Tokens of prompt and reply together. */
  contextWindow: number;
  maxOutputTokens: number;
  /** The day its figures were looked up, YYYY-MM-DD. */
  asOf: string;
}

export interface Sessions {
  /**
   * The session is about to be created, and has something to do by itself: durable when it resolves. Once it is created it
   * begins, also when nobody comes to say so; one that is not created leaves nothing behind.
   */
  expect(address: SessionAddress): Promise<void>;
  /** Accepts all events or none. With a claim, a repetition is answered as the first was and does nothing. */
  send(address: SessionAddress, events: EventParam[], claim?: Claim): Promise<Sent>;
  view(address: SessionAddress): Promise<SessionView>;
  listEvents(address: SessionAddress, query: EventQuery): Promise<Page<SessionEvent>>;
  /** Server-sent event frames (`id`, `event`, `data`), UTF-8. Cancel it to unsubscribe. */
  streamEvents(address: SessionAddress, query: StreamQuery): Promise<ReadableStream<Uint8Array>>;
  /** Refuses (`invalid_request`) a change that is not possible, e.g. a budget at or below what is consumed. */
  update(address: SessionAddress, change: SessionChange): Promise<SessionView>;
  archive(address: SessionAddress): Promise<SessionView>;
  /**
   * The worker that had the session until `until` (epoch ms) has it no more: what it may have begun gets a result that says
   * so. Resolves with whether another worker is needed. May be repeated.
   */
  workerLost(address: SessionAddress, until: number): Promise<boolean>;
  /** Its resources have changed: they are looked at before its next tool call. */
  remount(address: SessionAddress): Promise<void>;
  /** Its vaults have changed: a sandbox that runs learns of it at once, any other with its next tool call. */
  refresh(address: SessionAddress): Promise<void>;
  /** A directory of its sandbox. `conflict`: none runs. */
  listSandboxFiles(address: SessionAddress, path: string): Promise<SandboxFiles>;
  readSandboxFile(address: SessionAddress, path: string): Promise<ReadableStream<Uint8Array>>;
  /** Makes or restores the sandbox when none runs. Resolves with the size. */
  writeSandboxFile(address: SessionAddress, path: string, body: ReadableStream<Uint8Array>): Promise<number>;
  /** As tar. */
  archiveSandboxFiles(address: SessionAddress, path: string): Promise<ReadableStream<Uint8Array>>;
  /** From then on the session is `not_found`; its sandbox, row and log are erased afterwards, whatever dies meanwhile. */
  delete(address: SessionAddress): Promise<void>;
  /** In the order of creation, the primary one first. */
  threads(address: SessionAddress): Promise<ThreadView[]>;
  /** Refuses (`invalid_request`) the primary thread and one that is not idle; an unknown one is `not_found`. */
  archiveThread(address: SessionAddress, threadId: string): Promise<ThreadView>;
  /** The session and its log as JSON lines (schema `exports`), UTF-8. */
  exportLog(address: SessionAddress): Promise<ReadableStream<Uint8Array>>;
  /** The place of an event in the log; null when the log has no such event, or has not taken it yet. */
  position(address: SessionAddress, eventId: string): Promise<number | null>;
  /** Rows after place `after`, up to and with event `until`: as many as one call carries, none at the end. */
  copyLines(address: SessionAddress, after: number, until: string): Promise<Line[]>;
  /** Gets the session's sandbox ready, and does not wait for it. A session that is over refuses (`conflict`). */
  prewarm(address: SessionAddress): Promise<void>;
  /** The newest snapshot in which nothing was done after that event, for a fork there to begin with. Null: there is none. */
  lendSnapshot(address: SessionAddress, eventId: string): Promise<LentSnapshot | null>;
  /** The tools that the agent had at that event, for a fork there to begin with. Null: those that it was created with. */
  toolsAt(address: SessionAddress, eventId: string): Promise<AgentTools | null>;
  /** Which of these models have no known price for the tenant, by their ids. */
  unpriced(tenantId: string, models: ModelWanted[]): Promise<string[]>;
  /** The models of the installation that somebody is configured to answer for, and that something is known of. */
  models(): Promise<KnownModel[]>;
  /**
   * How the server side reaches a port of the session's sandbox; what comes back is never for users. Refuses (`conflict`)
   * when no sandbox of the session runs.
   */
  expose(address: SessionAddress, port: number): Promise<Exposed>;
  /** Asks what the agent Worker depends on: sandboxes, models. */
  health(): Promise<Record<string, BackendHealth>>;
  modelNotice(): Promise<ModelNotice>;
  /** How sandboxes are isolated; null: none can be reached now. */
  isolation(): Promise<Isolation | null>;
}
