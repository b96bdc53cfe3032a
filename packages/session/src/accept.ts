// What becomes of the events a client sends: all are accepted, or the first that cannot be names itself and none is.
import type { ToolResultContent } from '@capstan/schema/content';
import { ApiError } from '@capstan/schema/error';
import type { EventParam } from '@capstan/schema/events/user-events';
import { abandonSpan, begin, closeCalls, idle, type Thread, waiting } from './endings.ts';
import { type Entry, made, type Stamp, toTimestamp } from './entry.ts';
import { evolveAll } from './evolve.ts';
import { blocking, type OpenCall, type State } from './state.ts';

const ANSWERS: ReadonlySet<EventParam['type']> = new Set([
  'user.tool_confirmation',
  'user.custom_tool_result',
]);

export interface Acceptance {
  /** What to append. */
  entries: Entry[];
  /** The sent events as they now stand, in the order they were sent. */
  echoes: Entry[];
}

interface Context {
  state: State;
  thread: Thread;
  stamp: Stamp;
}

export function accept(params: readonly EventParam[], context: Context): Acceptance {
  if (context.state.status === 'terminated') {
    const what = context.state.archivedAt === null ? 'terminated' : 'archived';
    throw new ApiError('conflict', `The session is ${what}: it takes no more events. Create a new session.`);
  }
  const entries: Entry[] = [];
  const echoes: Entry[] = [];
  let state = context.state;
  for (const [index, param] of params.entries()) {
    const made = acceptOne(param, { ...context, state }, `events.${index}`);
    const [echo] = made;
    if (echo) echoes.push(echo);
    entries.push(...made);
    state = evolveAll(state, made);
  }
  const answered = params.some((param) => ANSWERS.has(param.type));
  const resumed = resume({ ...context, state }, answered);
  return { entries: [...entries, ...resumed], echoes };
}

/** The first entry is the event itself; what follows is what it brings about at once. */
function acceptOne(param: EventParam, context: Context, path: string): Entry[] {
  const { state, stamp } = context;
  switch (param.type) {
    case 'user.message': {
      refuseFiles(param.content, path);
      const takenNow =
        state.status === 'idle' && state.queue.length === 0 && state.calls.length === 0 && !state.unanswered;
      const at = takenNow ? toTimestamp(stamp.now) : null;
      return [{ event: { id: stamp.newId(), type: param.type, processed_at: at, content: param.content } }];
    }
    case 'user.interrupt':
      return interrupt(param, context, path);
    case 'user.tool_confirmation': {
      const call = answerable(state, param.tool_use_id, {
        waitsFor: 'confirmation',
        path: `${path}.tool_use_id`,
      });
      const { deny_message = null, ...rest } = param;
      const answer = { ...rest, ...(deny_message === null ? {} : { deny_message }) };
      return [
        { event: { id: stamp.newId(), processed_at: toTimestamp(stamp.now), ...answer } },
        ...(param.result === 'deny' ? closeCalls([call], denial(deny_message), stamp) : []),
      ];
    }
    case 'user.custom_tool_result': {
      refuseFiles(param.content ?? [], path);
      answerable(state, param.custom_tool_use_id, { waitsFor: 'client', path: `${path}.custom_tool_use_id` });
      return [{ event: { id: stamp.newId(), processed_at: toTimestamp(stamp.now), ...param } }];
    }
    case 'user.tool_result':
      throw refusal(
        path,
        'user.tool_result is only for self-hosted environments; this session runs its own tools',
      );
    case 'user.define_outcome':
    case 'system.message':
      throw refusal(path, `${param.type} is not supported by this server yet`);
  }
}

function interrupt(
  param: Extract<EventParam, { type: 'user.interrupt' }>,
  context: Context,
  path: string,
): Entry[] {
  const { state, thread, stamp } = context;
  const target = param.session_thread_id ?? thread.session_thread_id;
  if (target !== thread.session_thread_id) {
    throw refusal(`${path}.session_thread_id`, `no thread ${target} in this session`);
  }
  const event = made(stamp, 'user.interrupt', {
    ...(param.session_thread_id ? { session_thread_id: param.session_thread_id } : {}),
  });
  const busy = state.status !== 'idle' || state.calls.length > 0;
  if (!busy) return [event];
  const stopped = [
    event,
    ...abandonSpan(state, null, stamp),
    ...closeCalls(state.calls, 'Execution was interrupted by the user.', stamp),
  ];
  return [...stopped, ...idle(evolveAll(state, stopped), { thread, reason: { type: 'end_turn' } }, stamp)];
}

/** Starts work that is now due, or says again what an idle session still waits for. */
function resume({ state, thread, stamp }: Context, answered: boolean): Entry[] {
  if (state.status !== 'idle') return [];
  if (blocking(state).length > 0) return answered ? waiting(state, thread, stamp) : [];
  const due = state.unanswered || state.queue.length > 0 || state.calls.length > 0;
  return due ? begin(stamp, thread) : [];
}

function answerable(
  state: State,
  id: string,
  want: { waitsFor: OpenCall['waitsFor']; path: string },
): OpenCall {
  const call = state.calls.find((open) => open.id === id);
  if (call?.waitsFor === want.waitsFor) return call;
  const why = call
    ? 'is not waiting for this kind of answer'
    : 'is not an open tool call of this session, or was answered already';
  throw refusal(want.path, `${id} ${why}`);
}

/** What no model can be given would stay in the context, and every later turn would fail of it. */
function refuseFiles(content: readonly ToolResultContent[], path: string): void {
  for (const [index, block] of content.entries()) {
    if (block.type === 'text' || block.type === 'search_result' || block.source.type !== 'file') continue;
    throw refusal(
      `${path}.content.${index}.source`,
      'files are not supported by this server yet; send the content itself (base64 or text) or a url',
    );
  }
}

function denial(message: string | null): string {
  return message ? `The user rejected this tool call: ${message}` : 'The user rejected this tool call.';
}

function refusal(path: string, message: string): ApiError {
  return new ApiError('invalid_request', `${path}: ${message}`);
}
