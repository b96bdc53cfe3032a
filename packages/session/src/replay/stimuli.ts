// What made the next rows of a recording: what a client sent, a call's result, an alarm, or the death of a process. Clients'
// events and what becomes of the session as a whole are tried on the machine, until one would write exactly those rows.

import type { AgentTools } from '@capstan/schema/agents';
import { isRepositoryError } from '@capstan/schema/events/session-events';
import type { EventParam } from '@capstan/schema/events/user-events';
import type { MetadataPatch } from '@capstan/schema/metadata';
import type { SandboxNews } from '@capstan/schema/sandbox-news';
import { accept } from '../accept.ts';
import type { Entry, LoggedEntry } from '../entry.ts';
import type { Context } from '../frame.ts';
import { metadataOf } from '../lifecycle.ts';
import { type Command, decide } from '../machine.ts';
import type { Draft } from '../ports.ts';
import { type Choose, withRequests } from '../requests.ts';
import type { SessionChange } from '../service.ts';
import { livingChildren, threadById } from '../thread.ts';
import { RUN_MS } from '../workflow/run.ts';
import { answeredId } from './answers.ts';
import type { Likeness } from './likeness.ts';
import type { Recording } from './recording.ts';

export type Stimulus =
  /** The session goes on without one. */
  | { kind: 'none' }
  | { kind: 'send'; params: EventParam[] }
  | { kind: 'update'; change: SessionChange }
  | { kind: 'archive' }
  | { kind: 'archive_thread'; threadId: string }
  /** An alarm at that moment, epoch ms. */
  | { kind: 'tick'; at: number }
  /** A process died, and another opened the session. */
  | { kind: 'death'; drafts: Draft[] }
  /** The sandbox was replaced, or cannot be had. */
  | { kind: 'news'; news: SandboxNews }
  | { kind: 'tool'; callId: string }
  | { kind: 'model'; threadId: string };

/** Where a replay has got to: everything before `place` is the same in both logs. */
export interface Standing {
  recording: Recording;
  likeness: Likeness;
  place: number;
  /** What deciding sees; its ids are made up. */
  context: Context;
  choose: Choose;
}

/** Events of one send, at most: as the API has it. */
const MOST_EVENTS = 100;

export function next(standing: Standing): Stimulus {
  const { recording, place, context } = standing;
  const row = recording.rows[place];
  if (row === undefined || recording.isTaken(row)) return { kind: 'none' };
  if (recording.isFromClient(row)) return sent(standing) ?? whole(standing) ?? { kind: 'none' };
  if (row.event.type === 'session.updated') return updated(standing, row.event, row.note?.agentTools);
  if (row.note?.news) return told(row);
  return whole(standing) ?? called(row, standing, context);
}

/** As many events as would together have written these rows. */
function sent(standing: Standing): Stimulus | null {
  const { recording, place } = standing;
  const params: EventParam[] = [];
  let best: EventParam[] | null = null;
  for (const row of recording.rows.slice(place)) {
    if (params.length === MOST_EVENTS || (best !== null && params.length > best.length + 2)) break;
    if (!recording.isFromClient(row)) continue;
    const param = toParam(row, standing);
    if (param === null) break;
    params.push(param);
    if (writes(standing, (context) => accept(params, context).entries)) best = [...params];
  }
  return best && { kind: 'send', params: best };
}

/** Whether deciding so would write the next rows, all of what it writes. */
function writes(standing: Standing, decided: (context: Context) => readonly Entry[]): boolean {
  const { recording, likeness, place, context, choose } = standing;
  try {
    const entries = withRequests(context, decided(context), choose);
    return (
      entries.length > 0 && likeness.begins(recording.rows.slice(place, place + entries.length), entries)
    );
  } catch {
    // Refused: nobody can have sent that.
    return false;
  }
}

function toParam(row: LoggedEntry, { likeness }: Standing): EventParam | null {
  const { event, note } = likeness.translated(row);
  const to = note?.thread === undefined ? {} : { session_thread_id: note.thread };
  switch (event.type) {
    case 'user.message':
      return { type: event.type, content: event.content, ...to };
    case 'system.message':
      return { type: event.type, content: event.content };
    case 'user.interrupt':
      // The primary thread has no rows of its own: it is named by the event alone.
      return {
        type: event.type,
        ...(event.session_thread_id ? { session_thread_id: event.session_thread_id } : {}),
      };
    case 'user.define_outcome': {
      const { type, description, rubric, max_iterations } = event;
      return { type, description, rubric, max_iterations };
    }
    case 'user.tool_confirmation': {
      const { id: _id, processed_at: _at, session_thread_id: _thread, ...said } = event;
      return said;
    }
    case 'user.tool_result':
    case 'user.custom_tool_result': {
      const { id: _id, processed_at: _at, session_thread_id: _thread, ...said } = event;
      return said;
    }
    default:
      return null;
  }
}

type Updated = Extract<LoggedEntry['event'], { type: 'session.updated' }>;

function updated({ context }: Standing, event: Updated, agent: AgentTools | undefined): Stimulus {
  const { title, metadata, budget } = event;
  const patch: MetadataPatch = {};
  for (const key of Object.keys(metadata === undefined ? {} : metadataOf(context))) patch[key] = null;
  Object.assign(patch, metadata);
  const change: SessionChange = {
    ...(title === undefined ? {} : { title }),
    ...(metadata === undefined ? {} : { metadata: patch }),
    ...(budget === undefined ? {} : { budget }),
    ...(agent === undefined ? {} : { agent }),
  };
  return { kind: 'update', change };
}

function told({ event }: LoggedEntry): Stimulus {
  const { id } = event;
  if (event.type === 'session.sandbox_replaced') {
    const { restored, lost } = event;
    return { kind: 'news', news: { id, kind: 'replaced', replacement: { restored, lost } } };
  }
  if (event.type === 'span.sandbox_boot') {
    const { sandbox, started_at, duration_ms, phases } = event;
    return { kind: 'news', news: { id, kind: 'booted', boot: { sandbox, started_at, duration_ms, phases } } };
  }
  const error = event.type === 'session.error' ? event.error : { type: 'unknown_error', message: '' };
  const { type, message } = error;
  if (type === 'mcp_connection_failed_error' || type === 'mcp_authentication_failed_error') {
    const server = 'mcp_server_name' in error ? error.mcp_server_name : '';
    return { kind: 'news', news: { id, kind: 'mcp_failed', type, server, message } };
  }
  if (isRepositoryError(type)) {
    const url = 'repository_url' in error ? (error.repository_url ?? '') : '';
    return { kind: 'news', news: { id, kind: 'repository_failed', type, url, message } };
  }
  return { kind: 'news', news: { id, kind: 'image_failed', message } };
}

/** What happens to the session as a whole. */
function whole(standing: Standing): Stimulus | null {
  const { context } = standing;
  const would = (command: Command, now = context.stamp.now) =>
    writes(standing, (seen) => decide(command, { ...seen, stamp: { ...seen.stamp, now } }));
  for (const at of alarms(context)) if (would({ kind: 'tick' }, at)) return { kind: 'tick', at };
  const drafts = shown(standing);
  if (context.state.status === 'running' && would({ kind: 'recovered', drafts })) {
    return { kind: 'death', drafts };
  }
  if (would({ kind: 'archive' })) return { kind: 'archive' };
  for (const { id: threadId } of livingChildren(context.state)) {
    if (would({ kind: 'archive_thread', threadId })) return { kind: 'archive_thread', threadId };
  }
  return null;
}

/** When an alarm may have rung: at the time of the row, or when something was due. */
function alarms({ state, stamp }: Context): number[] {
  const due = state.threads.flatMap(({ retryAt }) => (retryAt === null ? [] : [retryAt]));
  due.push(...state.runs.map(({ createdAt }) => createdAt + RUN_MS));
  return due.length === 0
    ? []
    : [stamp.now, ...due.map((at) => Math.max(at, stamp.now)).sort((a, b) => a - b)];
}

/** What readers were shown of messages, where the next rows keep it. */
function shown({ recording, likeness, place }: Standing): Draft[] {
  const drafts: Draft[] = [];
  for (const { event, note } of recording.rows.slice(place, place + MOST_EVENTS)) {
    if (event.type !== 'agent.message' || !note?.cut) continue;
    const text = event.content.map((block) => (block.type === 'text' ? block.text : '')).join('');
    const thread = note.thread === undefined ? null : likeness.replayedId(note.thread);
    drafts.push({ thread, eventId: event.id, text });
  }
  return drafts;
}

function called(row: LoggedEntry, { likeness, recording }: Standing, { state }: Context): Stimulus {
  const { event } = row;
  const answered = answeredId(event);
  if (answered !== null) {
    const callId = likeness.replayedId(answered);
    const calls = state.threads.flatMap((thread) => thread.calls);
    if (calls.some((call) => call.id === callId && call.waitsFor === 'nobody'))
      return { kind: 'tool', callId };
  }
  const threadId = likeness.replayedId(recording.doerOf(row) ?? recording.spec.threadId);
  return threadById(state, threadId) === null ? { kind: 'none' } : { kind: 'model', threadId };
}
