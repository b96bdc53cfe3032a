// What a session runtime needs from its host. Both hosts (Durable Object, Node) and the tests implement these.
import type { Page } from '@capstan/schema/page';
import type { Announcement } from '@capstan/schema/webhook-events';
import type { Logger } from '@capstan/shared/logger';
import type { Bill, Entry, NewId } from './entry.ts';
import type { Harness } from './harness.ts';
import type { Line } from './line.ts';
import type { EventQuery, SessionView } from './service.ts';

/** What the session shows, which is the primary thread's view too, or what a child thread shows. */
export type View = 'session' | { thread: string };

/** Kept with what a send appended: how a repetition of it is known, and which events it is answered with. */
export interface Receipt {
  name: string;
  fingerprint: string;
  /** The answered events: their places among the entries of the append, from 0. */
  echoes: readonly number[];
  /** Epoch ms. */
  now: number;
  expiresAt: number;
}

/** What a send was answered with: rows as they were appended. */
export interface StoredAnswer {
  fingerprint: string;
  lines: Line[];
}

/** A piece of a message under way, which will be the event of that id. `thread` null: of the primary thread. */
export interface Draft {
  thread: string | null;
  eventId: string;
  text: string;
}

/** The state after row `seq`. */
export interface Snapshot {
  seq: number;
  state: string;
}

/** What is written in the transaction of an append, or not at all. */
export interface Extra {
  receipt?: Receipt;
  /** The state after the last entry; it replaces the one before. One too long for a row is not kept. */
  snapshot?: string;
  /** Whose drafts end here, whatever becomes of their events; null: the primary thread's. */
  dropDrafts?: readonly (string | null)[];
}

/** Rows are given as they are stored: what is read for people and models goes through a LogReader. */
export interface EventLog {
  /**
   * Up to `limit` rows after `after`, in order; without a view, of all threads. A long row may end a batch early; an empty
   * batch is the end.
   */
  lines(after: number, limit: number, view?: View): Promise<Line[]>;
  /**
   * Appends in one transaction after row `expected`, and is durable when it resolves; the drafts of the appended events
   * end in it. Rejects with LogMoved when the last row is another one, with a `too_large` ApiError when an event is too
   * long to keep: then nothing is written.
   */
  append(expected: number, entries: readonly Entry[], extra?: Extra): Promise<void>;
  /** What the send of that name was answered with. Null: none that is remembered at `now`, epoch ms. */
  answered(name: string, now: number): Promise<StoredAnswer | null>;
  /**
   * Events as the agent saw them: a queued event is listed once, where it was taken. Without `query.thread` those of
   * the session's view. Rows carry a note only where something of the event was spilled.
   */
  page(query: EventQuery & { thread?: string }): Promise<Page<Line>>;
  /** The newest one. */
  snapshot(): Promise<Snapshot | null>;
  /** One more piece; durable when it resolves. A piece of an event that is in the log is not kept. */
  draft(piece: Draft): Promise<void>;
  /** One for each event, its pieces joined, in the order they were begun. */
  drafts(): Promise<Draft[]>;
  /** The row of that event. Null: there is none, or it is queued and not taken yet. */
  position(eventId: string): Promise<number | null>;
}

/** Where one session keeps what is too large for its log. Keys are its own: no other session's can be named. */
export interface Blobs {
  /** Durable when it resolves. The same key always gets the same text. */
  put(key: string, text: string): Promise<void>;
  /** Null: there is none. Rejects when the store cannot say. */
  get(key: string): Promise<string | null>;
  /** Removes all of the session's. Harmless when nothing is left. */
  removeAll(): Promise<void>;
}

/** Somebody else has written to the log: this runtime no longer speaks for the session. */
export class LogMoved extends Error {
  override name = 'LogMoved';
}

/** The host's one timer. Survives a crash of the process. */
export interface Alarm {
  /** Wakes the runtime at `at`, epoch ms, or before. Called in the same tick as the append that owes it. */
  arm(at: number): void;
  disarm(): void;
}

/**
 * What is known to be done, and up to where: `stopped` and `worked_for` a call's id, `billed` and `announced` a log position;
 * and how often in a row what is owed has failed. Survives a crash.
 */
export interface Marks {
  get(name: MarkName): string | null;
  set(name: MarkName, value: string): void;
}
/** What a session owes the world around it. */
export type Debt = 'index' | 'ledger' | 'stopping' | 'release' | 'care' | 'announcements' | 'work';
export type MarkName = 'stopped' | 'billed' | 'announced' | 'worked_for' | `${Debt}_failures`;

/** A model call as the tenant's ledger has it; the event that ended it is its identity. */
export interface LedgerLine extends Bill {
  eventId: string;
  threadId: string;
  agent: { id: string; version: number };
  /** Epoch ms. */
  at: number;
}

export interface Ledger {
  /** Records all, or rejects. May be repeated. */
  record(lines: readonly LedgerLine[]): Promise<void>;
}

/** Where the tenant's webhook endpoints are told from. */
export interface Outbox {
  /** Tells all, or rejects. May be repeated: what has the id of something told is not told again. */
  announce(all: readonly Announcement[]): Promise<void>;
}

/** Another session's log, to begin with. */
export interface LogSource {
  /** Rows after `after` up to and with event `until`, whole: as many as one call carries, none at the end. */
  copyLines(sessionId: string, after: number, until: string): Promise<Line[]>;
}

/** What is written with the row. */
export interface Accompaniment {
  bills: readonly LedgerLine[];
  announcements: readonly Announcement[];
}

/** The session's row in the control plane: what lists show. */
export interface SessionIndex {
  /** The log position through which the row is known to be right; 0 when nothing is known. */
  confirmedSeq(): number;
  /**
   * Resolves when the row and what goes with it are written, together, and the position is remembered if the session
   * rests. May be repeated.
   */
  put(row: SessionView, seq: number, also: Accompaniment): Promise<void>;
  /** Removes the row. Harmless when it is gone. */
  remove(): Promise<void>;
}

/** Where workers of the user's own are offered the session. */
export interface WorkOffer {
  /** Whether a worker is needed. Durable when it resolves; may be repeated. */
  want(wanted: boolean): Promise<void>;
}

/** Beats every 15 seconds from start to stop. While it runs, the host stays awake for the session's streams. */
export interface Pulse {
  start(beat: () => void): void;
  stop(): void;
  /** Does the work in a later turn of the host, after what is due by then. */
  later(work: () => void): void;
}

export interface Ports {
  log: EventLog;
  blobs: Blobs;
  alarm: Alarm;
  index: SessionIndex;
  marks: Marks;
  ledger: Ledger;
  outbox: Outbox;
  source: LogSource;
  work: WorkOffer;
  pulse: Pulse;
  harness: Harness;
  logger: Logger;
  /** Deletes everything the session stores, its alarm too. The runtime is not asked again. */
  erase(): Promise<void>;
  /** Epoch ms. */
  now(): number;
  newId(kind: NewId): string;
  /** From 0 to 1. */
  random(): number;
}
