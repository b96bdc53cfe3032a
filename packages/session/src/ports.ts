// What a session runtime needs from its host. Both hosts (Durable Object, Node) and the tests implement these.
import type { SessionEvent } from '@capstan/schema/events';
import type { Page } from '@capstan/schema/page';
import type { Logger } from '@capstan/shared/logger';
import type { Entry } from './entry.ts';
import type { Harness } from './harness.ts';
import type { EventQuery, SessionView } from './service.ts';

/** A log row as it is stored: `data` and `note` are JSON. */
export interface Line {
  seq: number;
  type: string;
  data: string;
  note: string | null;
}

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

/** What a send was answered with. */
export interface Answered {
  fingerprint: string;
  events: SessionEvent[];
}

export interface EventLog {
  /** Up to `limit` rows after `after`, in order. A long row may end a batch early; an empty batch is the end. */
  lines(after: number, limit: number): Promise<Line[]>;
  /**
   * Appends in one transaction after row `expected`, and is durable when it resolves; the receipt is part of it. Rejects
   * with LogMoved when the last row is another one, with a `too_large` ApiError when an event is too long to keep: then
   * nothing is written.
   */
  append(expected: number, entries: readonly Entry[], receipt?: Receipt): Promise<void>;
  /** What the send of that name was answered with, as it was answered. Null: none that is remembered at `now`, epoch ms. */
  answered(name: string, now: number): Promise<Answered | null>;
  /** Events as the agent saw them: a queued event is listed once, where it was taken. */
  page(query: EventQuery): Promise<Page<SessionEvent>>;
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

/** The session's row in the control plane: what lists show. */
export interface SessionIndex {
  /** The log position through which the row is known to be right; 0 when nothing is known. */
  confirmedSeq(): number;
  /** Resolves when the row is written and the position remembered. May be repeated. */
  put(row: SessionView, seq: number): Promise<void>;
  /** Removes the row. Harmless when it is gone. */
  remove(): Promise<void>;
}

/** Beats every 15 seconds from start to stop. While it runs, the host stays awake for the session's streams. */
export interface Pulse {
  start(beat: () => void): void;
  stop(): void;
}

export interface Ports {
  log: EventLog;
  alarm: Alarm;
  index: SessionIndex;
  pulse: Pulse;
  harness: Harness;
  logger: Logger;
  /** Deletes everything the session stores, its alarm too. The runtime is not asked again. */
  erase(): Promise<void>;
  /** Epoch ms. */
  now(): number;
  newEventId(): string;
  /** From 0 to 1. */
  random(): number;
}
