// What a worker may touch: its own environment, the sessions in it and the skills of their agents; with a token, the one
// session it is for, and the memory stores attached to that. Anything else does not exist for it.
import { stores } from '@capstan/db/stores';
import { ApiError } from '@capstan/schema/error';
import type { EventParam } from '@capstan/schema/events/user-events';
import type { Principal, Worker } from '../call.ts';
import type { ApiPorts } from '../ports.ts';

type Named = Record<string, string | undefined>;
type Work = { work: Pick<ApiPorts['work'], 'findWork'> };

/** Refuses (`not_found`) what the path names when it is not the worker's. Callers that are no workers may touch all of their tenant's. */
export async function requireOwn(
  { db, work }: Pick<ApiPorts, 'db'> & Work,
  { tenantId, worker }: Principal,
  { named, write }: { named: Named; write: boolean },
): Promise<void> {
  if (worker === undefined) return;
  // What names nothing would be all of the tenant's.
  if (Object.keys(named).length === 0)
    throw new ApiError('forbidden', "This call takes an API key: a worker's credential is for what it names");
  const unknown = Object.keys(named).find((name) => !CHECKED.has(name));
  if (unknown !== undefined) throw new ApiError('forbidden', `${unknown}: a worker's credential names none`);
  const { environment_id: environmentId, session_id: sessionId, work_id: workId, skill_id: skillId } = named;
  const { item } = worker;
  refuseOther('environment', environmentId, worker.environmentId);
  refuseOther('work item', workId, item?.workId);
  refuseOther('session', sessionId, item?.sessionId);
  if (!write && (sessionId ?? skillId) !== undefined && !(await holds(work, tenantId, worker)))
    throw new ApiError('forbidden', `${item?.workId} is not yours any more: poll for work again`);
  const { sessions, resources } = stores(db, tenantId);
  if (sessionId !== undefined && item === null) {
    const place = await sessions.placeOf(sessionId);
    refuseOther('session', sessionId, place?.environmentId === worker.environmentId ? sessionId : '');
  }
  if (skillId !== undefined) {
    const of = { environmentId: worker.environmentId, sessionId: item?.sessionId ?? null };
    refuseOther('skill', skillId, (await sessions.hasSkill(skillId, of)) ? skillId : '');
  }
  const { memory_store_id: storeId } = named;
  if (storeId === undefined) return;
  const access = item === null ? null : await resources.accessTo(storeId, item.sessionId);
  refuseOther('memory store', storeId, access === null ? '' : storeId);
  if (!write || access === 'read_write') return;
  throw new ApiError('forbidden', `memory_store_id: ${storeId} is attached to the session to be read only`);
}

/** What of a path is looked at here; a version is its skill's, a memory its store's. */
const CHECKED: ReadonlySet<string> = new Set([
  'environment_id',
  'session_id',
  'work_id',
  'skill_id',
  'version',
  'memory_store_id',
  'memory_id',
]);

/**
 * Events that a worker may send: the results of what it was asked to do, in its own words. It speaks and agrees for nobody,
 * and shows nothing of the tenant's files.
 */
export function requireResults(worker: Worker | undefined, events: readonly EventParam[]): void {
  if (worker === undefined) return;
  for (const [index, event] of events.entries()) {
    if (event.type !== 'user.tool_result' && event.type !== 'user.custom_tool_result') {
      const how = 'a worker sends user.tool_result and user.custom_tool_result';
      throw new ApiError('forbidden', `events.${index}: ${event.type} takes an API key; ${how}`);
    }
    const file = (event.content ?? []).findIndex((block) => 'source' in block && isFile(block.source));
    if (file !== -1) {
      const how = 'a worker sends the content itself';
      throw new ApiError(
        'forbidden',
        `events.${index}.content.${file}.source: a file takes an API key; ${how}`,
      );
    }
  }
}

/**
 * Refuses (`conflict`) a worker whose token is of an earlier offer than the last, or of work that is over: another may have
 * the session now. What it had begun, its session was told of when its lease was lost.
 */
export async function requireHeld(
  work: Pick<ApiPorts['work'], 'findWork'>,
  { tenantId, worker }: Principal,
): Promise<void> {
  if (worker === undefined || (await holds(work, tenantId, worker))) return;
  throw new ApiError('conflict', `${worker.item?.workId} is not yours any more: poll for work again`);
}

/** A key of the environment holds whatever is in it. */
async function holds(
  work: Work['work'],
  tenantId: string,
  { environmentId, item }: Worker,
): Promise<boolean> {
  if (item === null) return true;
  const { offer, state } = await work.findWork({ tenantId, environmentId }, item.workId);
  return offer === item.offer && state !== 'stopped';
}

function isFile(source: unknown): boolean {
  return typeof source === 'object' && source !== null && 'type' in source && source.type === 'file';
}

function refuseOther(what: string, named: string | undefined, own: string | undefined): void {
  if (named === undefined || own === undefined || named === own) return;
  throw new ApiError('not_found', `No ${what} ${named}`);
}
