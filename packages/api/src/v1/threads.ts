// The threads of a session over HTTP. The session knows them; here is only the translation, and who may ask.
import { stores } from '@capstan/db/stores';
import { toTimestamp } from '@capstan/db/timestamp';
import { ApiError } from '@capstan/schema/error';
import { type Thread, threadRoutes } from '@capstan/schema/threads';
import type { SessionAddress } from '@capstan/session/address';
import type { ThreadView } from '@capstan/session/service';
import { mount } from '../mount.ts';
import type { Surface } from '../surface.ts';
import { toEventQuery, toStreamQuery } from './event-query.ts';
import { openStream } from './event-stream.ts';
import { pageOfThreads } from './thread-page.ts';

type Asked = { principal: { tenantId: string }; params: { session_id: string } };

export function mountThreads(surface: Surface): void {
  const { db, sessions } = surface.ports;

  const find = async ({ principal: { tenantId }, params }: Asked): Promise<SessionAddress> => {
    const sessionId = params.session_id;
    if (await stores(db, tenantId).sessions.find(sessionId)) return { tenantId, sessionId };
    throw new ApiError('not_found', `No session ${sessionId}`);
  };
  const findThread = async (address: SessionAddress, threadId: string) => {
    const thread = (await sessions.threads(address)).find(({ id }) => id === threadId);
    if (thread) return thread;
    throw new ApiError('not_found', `No thread ${threadId} in session ${address.sessionId}`);
  };

  mount(surface, threadRoutes.list, async (call) => {
    const address = await find(call);
    const { data, next_page } = pageOfThreads(await sessions.threads(address), call.query, address);
    return { data: data.map((thread) => toThread(thread, address.sessionId, call.now)), next_page };
  });

  mount(surface, threadRoutes.retrieve, async (call) => {
    const address = await find(call);
    return toThread(await findThread(address, call.params.thread_id), address.sessionId, call.now);
  });

  mount(surface, threadRoutes.archive, async (call) => {
    const address = await find(call);
    const archived = await sessions.archiveThread(address, call.params.thread_id);
    return toThread(archived, address.sessionId, call.now);
  });

  mount(surface, threadRoutes.events, async (call) => {
    const asked = { ...toEventQuery(call.query), thread: call.params.thread_id };
    const { data, next_page } = await sessions.listEvents(await find(call), asked);
    return { data, next_page };
  });

  for (const route of [threadRoutes.stream, threadRoutes.streamEvents]) {
    mount(surface, route, async (call) => {
      const asked = { ...toStreamQuery(call.query, call.request), thread: call.params.thread_id };
      const address = await find(call);
      if (call.request.method !== 'HEAD') return openStream(surface.ports, call, { address, query: asked });
      await findThread(address, asked.thread);
      return null;
    });
  }
}

/** `now` (epoch ms) dates the running totals. */
function toThread(view: ThreadView, sessionId: string, now: number): Thread {
  const {
    id,
    parentId,
    workflowRunId,
    agent,
    status,
    usage,
    activeSeconds,
    createdAt,
    updatedAt,
    archivedAt,
  } = view;
  const until = status === 'terminated' ? updatedAt : Math.max(now, updatedAt);
  return {
    id,
    type: 'session_thread',
    session_id: sessionId,
    parent_thread_id: parentId,
    agent,
    status,
    stats:
      activeSeconds === null
        ? null
        : {
            active_seconds: activeSeconds,
            duration_seconds: (until - createdAt) / 1000,
            // A called agent starts at once; the primary thread starts when something is sent.
            ...(parentId !== null && { startup_seconds: 0 }),
          },
    usage,
    workflow_run_id: workflowRunId,
    created_at: toTimestamp(createdAt),
    updated_at: toTimestamp(updatedAt),
    archived_at: archivedAt === null ? null : toTimestamp(archivedAt),
  };
}
