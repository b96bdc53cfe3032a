// What becomes of the events a client sends: all are accepted, or the first that cannot be names itself and none is.
import { ApiError } from '@capstan/schema/error';
import type { EventParam } from '@capstan/schema/events/user-events';
import { refuseFull } from './backlog.ts';
import { atCap } from './budget.ts';
import { onward } from './conclude.ts';
import { closeCalls, waiting } from './endings.ts';
import { type Entry, type Note, noted, ownedBy, type Stamp, toTimestamp } from './entry.ts';
import { evolveAll } from './evolve.ts';
import { DEFAULT_ITERATIONS } from './evolve-outcome.ts';
import { refuseFiles } from './file-sources.ts';
import { type Context, frame } from './frame.ts';
import { interrupt } from './interrupt.ts';
import { isSelfHosted } from './remote-calls.ts';
import type { OpenCall, State, ThreadState, UserEvent } from './state.ts';
import { blocking, hasInput, primaryOf, threadById, threadOfCall } from './thread.ts';

export interface Acceptance {
  /** What to append. */
  entries: Entry[];
  /** The sent events as they now stand, in the order they were sent. */
  echoes: Entry[];
}

/** What a session at its limit still takes (spec §8.1). */
const ALWAYS_TAKEN: ReadonlySet<EventParam['type']> = new Set([
  'user.tool_confirmation',
  'user.tool_result',
  'user.custom_tool_result',
  'user.interrupt',
]);

interface Place {
  /** Where in the body the event stands, for messages about it. */
  path: string;
  before: EventParam | undefined;
  last: boolean;
}

export function accept(params: readonly EventParam[], context: Context): Acceptance {
  refuseEnded(context.state);
  refuseAtCap(params, context);
  const entries: Entry[] = [];
  const echoes: Entry[] = [];
  let state = context.state;
  const add = (more: readonly Entry[]) => {
    entries.push(...more);
    state = evolveAll(state, more);
  };
  const answered = new Set<string>();
  for (const [index, param] of params.entries()) {
    const place = { path: `events.${index}`, before: params[index - 1], last: index === params.length - 1 };
    const now = { ...context, state };
    const accepted = acceptOne(param, now, place);
    const [echo] = accepted.entries;
    if (echo) echoes.push(echo);
    if (accepted.answers) answered.add(accepted.answers);
    if (accepted.logged) add(frame(now, accepted.entries));
  }
  const now = { ...context, state };
  add(frame(now, [...repeated(now, answered), ...onward(now)]));
  return { entries, echoes };
}

/** Threads that were answered in part say again what they still wait for. */
function repeated({ state, stamp }: Context, answered: ReadonlySet<string>): Entry[] {
  const waits = (thread: ThreadState) =>
    answered.has(thread.id) && thread.status === 'idle' && blocking(thread).length > 0;
  return state.threads.filter(waits).flatMap((thread) => waiting(thread, stamp));
}

interface Accepted {
  /** The event itself, then what it brings about at once. */
  entries: Entry[];
  /** False: it is told to its sender and changes nothing. */
  logged: boolean;
  /** The thread one of whose calls it answers. */
  answers?: string;
}

function acceptOne(param: EventParam, context: Context, place: Place): Accepted {
  const { state, spec, stamp } = context;
  const { path } = place;
  refuseFiles(param, path);
  switch (param.type) {
    case 'user.message':
      return { entries: message(param, context, path), logged: true };
    case 'system.message':
      return { entries: systemMessage(param, context, place), logged: true };
    case 'user.define_outcome':
      return { entries: defineOutcome(param, context, path), logged: true };
    case 'user.interrupt':
      return interrupt(param, context, path);
    case 'user.tool_confirmation': {
      const { thread, call } = answerable(state, param.tool_use_id, {
        waitsFor: 'confirmation',
        path: `${path}.tool_use_id`,
      });
      return { entries: confirm(param, { thread, call, path }, stamp), logged: true, answers: thread.id };
    }
    case 'user.custom_tool_result': {
      const id = param.custom_tool_use_id;
      const { thread } = answerable(state, id, { waitsFor: 'client', path: `${path}.custom_tool_use_id` });
      const event = { id: stamp.newId(), processed_at: toTimestamp(stamp.now), ...param, ...routed(thread) };
      return { entries: ownedBy(thread, [{ event }], true), logged: true, answers: thread.id };
    }
    case 'user.tool_result': {
      if (!isSelfHosted(spec)) throw refusal(path, NOT_REMOTE);
      const id = param.tool_use_id;
      const { thread } = answerable(state, id, { waitsFor: 'worker', path: `${path}.tool_use_id` });
      const event = { id: stamp.newId(), processed_at: toTimestamp(stamp.now), ...param, ...routed(thread) };
      return { entries: ownedBy(thread, [{ event }], true), logged: true, answers: thread.id };
    }
  }
}

const NOT_REMOTE =
  'user.tool_result is only for self-hosted environments; the tools of this session run in its sandbox';

type Message = Extract<EventParam, { type: 'user.message' }>;

function message(param: Message, { state, stamp }: Context, path: string): Entry[] {
  const thread = addressed(state, param.session_thread_id ?? null, `${path}.session_thread_id`);
  refuseFull(thread, path);
  const processed_at = rests(thread) ? toTimestamp(stamp.now) : null;
  const { type, content } = param;
  const event: UserEvent = { id: stamp.newId(), type, processed_at, content, ...routed(thread) };
  return ownedBy(thread, [{ event }], true);
}

/** It takes what comes at once: nothing is under way, and nothing waits. */
function rests(thread: ThreadState): boolean {
  return thread.status === 'idle' && thread.calls.length === 0 && !hasInput(thread);
}

type SystemMessage = Extract<EventParam, { type: 'system.message' }>;

function systemMessage({ type, content }: SystemMessage, { state, stamp }: Context, place: Place): Entry[] {
  const { path, before, last } = place;
  if (!last) throw refusal(path, 'a system.message has to be the last event of its send');
  const behindResult = before?.type === 'user.custom_tool_result' || before?.type === 'user.tool_result';
  if (!behindResult && before?.type !== 'user.message') {
    const needed = 'user.message, user.tool_result or user.custom_tool_result';
    throw refusal(path, `a system.message has to follow a ${needed} in the same send`);
  }
  const primary = primaryOf(state);
  refuseFull(primary, path);
  if (blocking(primary).length > 0 && !behindResult) {
    throw refusal(
      path,
      'while the session waits for answers, a system.message may only follow a tool result',
    );
  }
  // Read together with what is before it, unless that is one of several results: it stands between no call and its result.
  const taken =
    primary.status === 'idle' &&
    primary.queue.length === 0 &&
    primary.calls.length === 0 &&
    primary.unanswered;
  const processed_at = taken ? toTimestamp(stamp.now) : null;
  return [{ event: { id: stamp.newId(), type, processed_at, content } }];
}

type DefineOutcome = Extract<EventParam, { type: 'user.define_outcome' }>;

function defineOutcome(param: DefineOutcome, { state, stamp }: Context, path: string): Entry[] {
  if (state.outcome !== null) {
    throw refusal(path, `the outcome ${state.outcome.id} is still worked for: one at a time`);
  }
  const { type, description, rubric } = param;
  const event: UserEvent = {
    id: stamp.newId(),
    type,
    processed_at: toTimestamp(stamp.now),
    outcome_id: stamp.newId('outcome'),
    description,
    rubric,
    max_iterations: param.max_iterations ?? DEFAULT_ITERATIONS,
  };
  return [{ event }];
}

type Confirmation = Extract<EventParam, { type: 'user.tool_confirmation' }>;

interface Asked {
  thread: ThreadState;
  call: OpenCall;
  path: string;
}

/** Says yes or no to exactly the input that was shown: an approval of another one is refused. */
function confirm(param: Confirmation, { thread, call, path }: Asked, stamp: Stamp): Entry[] {
  const { type, tool_use_id, result } = param;
  const { deny_message: denied = null, input_sha256: seen = null } = param;
  if (seen !== null && seen !== call.hash) {
    const message = `the call's input has the SHA-256 ${call.hash}; what was shown to the person is another one`;
    throw refusal(`${path}.input_sha256`, message);
  }
  if (denied !== null && result === 'allow') {
    throw refusal(`${path}.deny_message`, 'only a denial has one; leave it out or send "result": "deny"');
  }
  const event: UserEvent = {
    id: stamp.newId(),
    processed_at: toTimestamp(stamp.now),
    type,
    tool_use_id,
    result,
    ...(denied === null ? {} : { deny_message: denied }),
    ...routed(thread),
  };
  const note: Note = call.hash === undefined || result === 'deny' ? {} : { approved: call.hash };
  const said = ownedBy(thread, [noted({ event }, note)], true);
  if (result === 'allow') return said;
  // Whoever was to perform it knows of the denial itself.
  const { id, server, waitsFor, hash } = call;
  const calls = [{ id, server, waitsFor, ...(hash === undefined ? {} : { hash }) }];
  return [...said, ...closeCalls(thread, { calls, text: denial(denied) }, stamp)];
}

function answerable(
  state: State,
  id: string,
  want: { waitsFor: OpenCall['waitsFor']; path: string },
): { thread: ThreadState; call: OpenCall } {
  const thread = threadOfCall(state, id);
  const call = thread?.calls.find((open) => open.id === id);
  if (thread && call?.waitsFor === want.waitsFor) return { thread, call };
  const why = call
    ? 'is not waiting for this kind of answer'
    : 'is not an open tool call of this session, or was answered already';
  throw refusal(want.path, `${id} ${why}`);
}

/** The thread an event names; the primary one when it names none. */
export function addressed(state: State, id: string | null, path: string): ThreadState {
  const thread = id === null ? primaryOf(state) : threadById(state, id);
  if (thread === null) throw refusal(path, `no thread ${id} in this session`);
  if (thread.status === 'terminated') throw refusal(path, `the thread ${thread.id} has ended`);
  return thread;
}

export function routed({ id, parentId }: ThreadState): { session_thread_id?: string } {
  return parentId === null ? {} : { session_thread_id: id };
}

function refuseEnded({ status, archivedAt }: State): void {
  if (status !== 'terminated') return;
  const what = archivedAt === null ? 'terminated' : 'archived';
  throw new ApiError('conflict', `The session is ${what}: it takes no more events. Create a new session.`);
}

function refuseAtCap(params: readonly EventParam[], { state, spec }: Context): void {
  if (!atCap(state, spec)) return;
  for (const [index, param] of params.entries()) {
    if (ALWAYS_TAKEN.has(param.type)) continue;
    const taken = [...ALWAYS_TAKEN].join(', ');
    throw refusal(
      `events.${index}`,
      `the session's budget is reached: it takes no ${param.type} until the budget is raised or removed, only ${taken}`,
    );
  }
}

function denial(text: string | null): string {
  return text ? `The user rejected this tool call: ${text}` : 'The user rejected this tool call.';
}

export function refusal(path: string, text: string): ApiError {
  return new ApiError('invalid_request', `${path}: ${text}`);
}
