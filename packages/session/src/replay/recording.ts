// An exported session (schema `exports`), as a replay reads it: what it was created with, and every row of its log.

import { type ExportedSession, exportedSession } from '@capstan/schema/exports';
import { advisorOf, rosterOf, workflowRosterOf } from '@capstan/schema/roster';
import type { Entry, Limits, LoggedEntry, Note } from '../entry.ts';
import type { ModelChoice } from '../harness.ts';
import type { Line } from '../line.ts';
import type { SessionSpec } from '../spec.ts';
import type { Plan, StepPlace } from '../workflow/run.ts';
import { stepOf } from '../workflow/tasks.ts';

/** Rows of one piece of a copied log. */
const PIECE = 1_000;
/** How far ahead a model is looked for that is about to be asked. */
const AHEAD = 500;

/** What an export without limits was made with. */
const USUAL: Limits = { contextWindow: 200_000, maxOutputTokens: 8_000 };

export class Recording {
  spec: SessionSpec;
  rows: readonly LoggedEntry[];
  /** Ids of events that have a queued row. */
  #queued: ReadonlySet<string>;
  #models: ReadonlyMap<string, string>;

  private constructor(session: ExportedSession, rows: readonly LoggedEntry[]) {
    this.spec = toSpec(session, rows);
    this.rows = rows;
    this.#queued = new Set(
      rows.filter(({ event }) => event.processed_at === null).map(({ event }) => event.id),
    );
    this.#models = modelsOf(this.spec, rows);
  }

  /** Throws an Error that names the line and what is wrong with it. */
  static read(text: string): Recording {
    const [first = '', ...rest] = text.split('\n').filter((line) => line.trim() !== '');
    const session = exportedSession.safeParse(parsed(first, 1));
    if (!session.success) {
      const [issue] = session.error.issues;
      throw new Error(`line 1 is no exported session: ${issue?.path.join('.')}: ${issue?.message}`);
    }
    const rows = rest.map((line, index) => toRow(parsed(line, index + 2), index + 1));
    return new Recording(session.data, rows);
  }

  /** Input that was queued, as it was taken: the session does that by itself. */
  isTaken({ event }: Entry): boolean {
    return event.processed_at !== null && this.#queued.has(event.id);
  }

  isFromClient(entry: Entry): boolean {
    const { type } = entry.event;
    return (type.startsWith('user.') || type === 'system.message') && !this.isTaken(entry);
  }

  /** The child thread whose doing a row is; absent: the primary one's. A thread is created by another. */
  doerOf({ event, note }: Entry): string | undefined {
    return event.type === 'session.thread_created' ? undefined : note?.thread;
  }

  /** Whether the model request that a thread has under way at a place comes to its model, and is not found too long first. */
  isAsked(thread: string, place: number): boolean {
    for (let at = place; at < this.rows.length; at++) {
      const { event, note } = this.rows[at] ?? {};
      if (event?.type !== 'span.model_request_end' || (note?.thread ?? this.spec.threadId) !== thread)
        continue;
      return event.is_error !== true || note?.bill !== undefined;
    }
    return true;
  }

  /** When the row at a place, or the next that says so, was written. Epoch ms. */
  timeOf(place: number): number | null {
    for (const { event } of this.rows.slice(place, place + AHEAD)) {
      if (event.processed_at !== null) return Date.parse(event.processed_at);
    }
    return null;
  }

  /** Who answered for a model the next time it was asked after that place, otherwise the last time. */
  choiceOf(modelId: string, place: number): ModelChoice | null {
    const next = this.rows.slice(place, place + AHEAD).find((row) => this.#asks(row, modelId));
    const asked = next ?? this.rows.slice(0, place).findLast((row) => this.#asks(row, modelId));
    if (asked?.event.type !== 'span.model_request_start') return null;
    const { provider = 'dev', model = modelId } = asked.event.capstan ?? {};
    const { price = null, limits = USUAL } = asked.note?.span ?? {};
    return { provider, model, price, ...limits };
  }

  #asks({ event, note }: Entry, modelId: string): boolean {
    const thread = note?.thread ?? this.spec.threadId;
    const whole = note?.span?.limits !== undefined || note?.span === undefined;
    return event.type === 'span.model_request_start' && whole && this.#models.get(thread) === modelId;
  }

  /** Rows of the session it is a fork of, as that session hands them over. */
  copied(after: number, until: string): Line[] {
    const last = this.rows.findIndex(({ event }) => event.id === until && event.processed_at !== null);
    return this.rows.slice(after, Math.min(after + PIECE, last + 1)).map(({ seq, event, note }) => ({
      seq,
      type: event.type,
      data: JSON.stringify(event),
      note: note === undefined ? null : JSON.stringify(note),
    }));
  }
}

function parsed(line: string, number: number): unknown {
  try {
    return JSON.parse(line);
  } catch {
    throw new Error(`line ${number} is no JSON`);
  }
}

function toRow(value: unknown, seq: number): LoggedEntry {
  if (!isRow(value)) throw new Error(`line ${seq + 1} is no row of a log: {"seq", "event", "note"?}`);
  if (value.seq !== seq)
    throw new Error(`line ${seq + 1} has the row ${value.seq}, not ${seq}: rows are missing`);
  return value;
}

function isRow(value: unknown): value is LoggedEntry {
  if (typeof value !== 'object' || value === null || !('seq' in value) || !('event' in value)) return false;
  const { event } = value;
  return typeof event === 'object' && event !== null && 'type' in event && 'id' in event;
}

function toSpec(session: ExportedSession, rows: readonly LoggedEntry[]): SessionSpec {
  const first = rows.find(({ event }) => event.processed_at !== null)?.event.processed_at;
  return {
    tenantId: 'tnt_replay',
    sessionId: session.id,
    threadId: session.thread_id,
    agent: session.agent,
    // Nothing is asked of it when a log is replayed.
    environmentId: '',
    environment: session.environment,
    title: session.title,
    metadata: session.metadata,
    budget: session.budget,
    initialEvents: session.initial_events,
    // A replay reaches nothing that asks for credentials.
    vaultIds: [],
    origin: session.forked_from && {
      sessionId: session.forked_from.session_id,
      eventId: session.forked_from.event_id,
    },
    createdAt: first ? Date.parse(first) : 0,
  };
}

type Created = NonNullable<Note['created']>;
/** As it was found in the plan of its run. */
type Found = Created | { step: StepPlace; member: number };

function modelOf({ model, multiagent }: SessionSpec['agent'], created: Found | undefined): string {
  if (created === undefined || !('member' in created || 'advises' in created)) return model.id;
  if ('advises' in created) return advisorOf(multiagent) ?? model.id;
  const roster = 'step' in created ? workflowRosterOf(multiagent) : rosterOf(multiagent);
  return (roster[created.member]?.model ?? model).id;
}

function inPlan(created: Created, plans: ReadonlyMap<string, Plan>): Found {
  if (!('step' in created)) return created;
  const plan = plans.get(created.step.runId);
  const { owner = {} } = (plan && stepOf({ plan }, created.step.stepId)) ?? {};
  return { ...created, ...owner };
}

/** The model of each thread, by the thread's id. */
function modelsOf({ threadId, agent }: SessionSpec, rows: readonly LoggedEntry[]): Map<string, string> {
  const models = new Map([[threadId, agent.model.id]]);
  const plans = new Map<string, Plan>();
  for (const { event, note } of rows) {
    if (event.type === 'workflow_run.created' && note?.plan) plans.set(event.workflow_run_id, note.plan);
    if (event.type !== 'session.thread_created') continue;
    const found = note?.created && inPlan(note.created, plans);
    models.set(event.session_thread_id, modelOf(agent, found));
  }
  return models;
}
