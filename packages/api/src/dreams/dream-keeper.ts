// What a dream's clock does when it rings: the next step of the dream, and when to ring again.
// D1. What is owed is read off the row, and each step may be done again: whoever dies in the middle of one, the next ring
//     goes on from there. The memory store and the session have ids that were chosen with the dream.
// D2. A dream ends: with what its session came to, or once its time is over.
// D3. However it ended, its session is stopped and archived, and what was made for a session that never began is removed.
import { type Shelf, settle } from '@capstan/db/blob-debts';
import { createDreamSession } from '@capstan/db/dream-sessions';
import { type DreamRow, toDreamUsage } from '@capstan/db/dreams';
import { copyMemories } from '@capstan/db/memory-copies';
import type { NewResource } from '@capstan/db/resource-rows';
import { stores } from '@capstan/db/stores';
import type { DreamAddress, DreamErrorType, DreamUsage } from '@capstan/schema/dreams';
import { isApiError } from '@capstan/schema/error';
import { placeOfMemoryStore } from '@capstan/schema/mount-path';
import type { Sessions, SessionView } from '@capstan/session/service';
import { newId } from '@capstan/shared/ids';
import type { Logger } from '@capstan/shared/logger';
import { beginSession } from '../v1/session-creation.ts';
import { DREAM_ENVIRONMENT, dreamAgent, dreamRequest, TRANSCRIPTS } from './dream-agent.ts';
import { transcriptOf } from './transcript.ts';

export interface DreamPorts extends Shelf {
  sessions: Sessions;
  logger: Logger;
  clock: { now(): number };
}

/** Of the contents of a memory store that is read. */
export const MAX_STORE_BYTES = 64 * 1024 * 1024;
const LONGEST_MS = 4 * 3_600_000;
const SOON_MS = 1_000;
const LATER_MS = 5_000;
const LIVELY_MS = 60_000;

/** When to ring next, epoch ms; null: nothing is owed any more, or there is no such dream. */
export async function keepDream(
  ports: DreamPorts,
  { tenantId, dreamId }: DreamAddress,
): Promise<number | null> {
  const { dreams } = stores(ports.db, tenantId);
  const row = await dreams.find(dreamId);
  if (row === null || row.releasedAt !== null) return null;
  const now = ports.clock.now();
  if (row.endedAt !== null) return release(ports, row, now);
  if (now > row.createdAt + LONGEST_MS)
    return fail(ports, row, ['timeout', 'The dream took more than 4 hours']);
  if (row.begunAt === null) return begin(ports, row, now);
  if (row.rested !== null) return finish(ports, row, now);
  return now + (now < row.createdAt + LIVELY_MS ? SOON_MS : LATER_MS);
}

async function begin(ports: DreamPorts, row: DreamRow, now: number): Promise<number> {
  const { tenantId, sessionId } = row;
  const problem = await problemOf(ports, row);
  if (problem !== null) return fail(ports, row, problem);
  const scope = { db: ports.db, tenantId };
  const { dreams, memoryStores } = stores(ports.db, tenantId);
  await dreams.start(row, now);
  if (row.output === 'create_new')
    await copyMemories(scope, { from: row.storeId, to: row.targetId, sessionId, now });
  const resources: NewResource[] = [];
  for (const [index, session] of row.sessionIds.entries()) {
    const fileId = await transcribe(ports, row, session);
    if (fileId === null) return fail(ports, row, ['input_session_unavailable', `${session} is gone`]);
    const mountPath = `${TRANSCRIPTS}/${session}.md`;
    resources.push({ id: newId('resource', now + index), type: 'file', source: '', fileId, mountPath });
  }
  const [target] = await memoryStores.standing([row.targetId]);
  if (!target || target.archivedAt !== null) return fail(ports, row, gone(row.targetId));
  const { name, description } = target;
  const mountPath = placeOfMemoryStore(name, []);
  const attached = { memoryStoreId: row.targetId, access: 'read_write' as const, instructions: null };
  const id = newId('resource', now + row.sessionIds.length);
  resources.push({ id, type: 'memory_store', mountPath, ...attached, name, description });
  await ports.sessions.expect({ tenantId, sessionId });
  await createDreamSession(scope, row, {
    agent: dreamAgent(row),
    environment: DREAM_ENVIRONMENT,
    initialEvents: dreamRequest(row, { mountPath, transcripts: row.sessionIds.length }),
    resources,
    now,
  });
  // Canceled meanwhile, it has none.
  await beginSession(ports.sessions, { tenantId, sessionId }, { replayed: true });
  ports.logger.info('dream.begun', { dream_id: row.id, session_id: sessionId });
  return now + SOON_MS;
}

type Problem = [DreamErrorType, string];

async function problemOf(ports: DreamPorts, row: DreamRow): Promise<Problem | null> {
  const { memories } = stores(ports.db, row.tenantId);
  const store = await memories.all(row.storeId);
  if (store === null || store.archived) return gone(row.storeId);
  const size = store.rows.reduce((sum, { contentSizeBytes }) => sum + contentSizeBytes, 0);
  if (size <= MAX_STORE_BYTES) return null;
  return [
    'input_memory_store_too_large',
    `${row.storeId} has ${size} bytes; a dream reads at most ${MAX_STORE_BYTES}`,
  ];
}

function gone(storeId: string): Problem {
  return ['input_memory_store_unavailable', `${storeId} was archived or deleted`];
}

/** The file that has the transcript, made unless it is there; null: the session is gone. */
async function transcribe(ports: DreamPorts, row: DreamRow, sessionId: string): Promise<string | null> {
  const { files } = stores(ports.db, row.tenantId);
  const filename = `${sessionId}.md`;
  const made = await files.ofSession(row.sessionId, filename);
  if (made !== null) return made.id;
  const text = await found(transcriptOf(ports.sessions, { tenantId: row.tenantId, sessionId }));
  if (text === null) return null;
  const now = ports.clock.now();
  const expected = await files.expect(now);
  const content = await ports.blobs.put(expected.blob, bytesOf(text));
  await files.create({
    ...expected,
    kind: 'copy',
    content,
    filename,
    mimeType: 'text/markdown',
    downloadable: false,
    sessionId: row.sessionId,
    now,
  });
  return expected.id;
}

async function* bytesOf(text: string) {
  yield new TextEncoder().encode(text);
}

async function finish(ports: DreamPorts, row: DreamRow, now: number): Promise<number> {
  const { dreams, memoryStores } = stores(ports.db, row.tenantId);
  const [target] = await memoryStores.standing([row.targetId]);
  if (!target || target.archivedAt !== null) return fail(ports, row, gone(row.targetId));
  if (row.rested === 'failed')
    return fail(ports, row, ['internal_error', `The session ${row.sessionId} failed: its events say why`]);
  await dreams.end(row.id, { status: 'completed', now, ...(await used(ports, row)) });
  ports.logger.info('dream.ended', { dream_id: row.id, outcome: 'ok', duration_ms: now - row.createdAt });
  return now;
}

async function fail(ports: DreamPorts, row: DreamRow, [type, message]: Problem): Promise<number> {
  const now = ports.clock.now();
  const { dreams } = stores(ports.db, row.tenantId);
  await dreams.end(row.id, { status: 'failed', error: { type, message }, now, ...(await used(ports, row)) });
  ports.logger.warn('dream.ended', { dream_id: row.id, outcome: 'failed', error_type: type });
  return now;
}

/** Null: its session is over, and the dream with it. */
async function release(ports: DreamPorts, row: DreamRow, now: number): Promise<number | null> {
  const { dreams, sessions } = stores(ports.db, row.tenantId);
  if (row.begunAt === null) {
    await settle(ports, await sessions.remove(row.sessionId, now));
    await dreams.release(row.id, now);
    return null;
  }
  const address = { tenantId: row.tenantId, sessionId: row.sessionId };
  const view = await look(ports, row);
  if (view !== null && view.archivedAt === null) {
    if (view.status === 'running' || view.status === 'rescheduling') {
      await ports.sessions.send(address, [{ type: 'user.interrupt' }]);
      return now + SOON_MS;
    }
    await ports.sessions.archive(address);
  }
  const canceled = row.status === 'canceled' && view !== null;
  await dreams.release(row.id, now, canceled ? toDreamUsage(view.usage) : undefined);
  return null;
}

async function used(ports: DreamPorts, row: DreamRow): Promise<{ usage?: DreamUsage }> {
  const view = row.begunAt === null ? null : await look(ports, row);
  return view === null ? {} : { usage: toDreamUsage(view.usage) };
}

/** Null: its session was deleted. */
function look({ sessions }: DreamPorts, { tenantId, sessionId }: DreamRow): Promise<SessionView | null> {
  return found(sessions.view({ tenantId, sessionId }));
}

async function found<T>(asked: Promise<T>): Promise<T | null> {
  try {
    return await asked;
  } catch (error) {
    if (isApiError(error) && error.code === 'not_found') return null;
    throw error;
  }
}
