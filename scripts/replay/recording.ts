// A recording: what `GET /v1/sessions/{id}/export` gave, as JSON lines.
import { readFileSync } from 'node:fs';
import type { SessionEvent } from '../../packages/schema/src/events.ts';
import type { ExportedSession } from '../../packages/schema/src/exports.ts';
import type { LoggedEntry } from '../../packages/session/src/entry.ts';
import type { SessionSpec } from '../../packages/session/src/spec.ts';

export interface Recording {
  spec: SessionSpec;
  rows: LoggedEntry[];
}

/** Throws an Error that says which line cannot be read. */
export function readRecording(file: string): Recording {
  const lines = readFileSync(file, 'utf8')
    .split('\n')
    .filter((line) => line.trim() !== '');
  const parsed = lines.map((line, index) => parse(line, index + 1));
  const [session, ...rows] = parsed;
  if (!isSession(session)) throw new Error(`${file}: the first line has to be {"type":"session",…}`);
  const found = rows.map((row, index) => {
    if (isRow(row)) return row;
    throw new Error(`${file}: line ${index + 2} is no row of a log: {"seq":…,"event":{…}}`);
  });
  return { spec: toSpec(session, found[0]?.event), rows: found };
}

function parse(line: string, number: number): unknown {
  try {
    return JSON.parse(line);
  } catch {
    throw new Error(`line ${number} is no JSON`);
  }
}

function isSession(value: unknown): value is ExportedSession {
  return typeof value === 'object' && value !== null && 'type' in value && value.type === 'session';
}

function isRow(value: unknown): value is LoggedEntry {
  return typeof value === 'object' && value !== null && 'seq' in value && 'event' in value;
}

function toSpec(session: ExportedSession, first: SessionEvent | undefined): SessionSpec {
  const { forked_from: origin } = session;
  const at = first?.processed_at ?? null;
  return {
    tenantId: 'tnt_replay',
    sessionId: session.id,
    threadId: session.thread_id,
    agent: session.agent,
    environment: session.environment,
    title: session.title,
    metadata: session.metadata,
    budget: session.budget,
    initialEvents: session.initial_events,
    origin: origin && { sessionId: origin.session_id, eventId: origin.event_id },
    createdAt: at === null ? 0 : Date.parse(at),
  };
}
