// What a worker may touch: its own environment, and the sessions in it; with a token, the one session it is for. Anything
// else does not exist for it.
import { stores } from '@capstan/db/stores';
import { ApiError } from '@capstan/schema/error';
import type { Principal, Worker } from '../call.ts';
import type { ApiPorts } from '../ports.ts';

type Named = Record<string, string | undefined>;

/** Refuses (`not_found`) what the path names when it is not the worker's. Callers that are no workers may touch all of their tenant's. */
export async function requireOwn(
  { db }: Pick<ApiPorts, 'db'>,
  { tenantId, worker }: Principal,
  named: Named,
): Promise<void> {
  if (worker === undefined) return;
  const { environment_id: environmentId, session_id: sessionId, work_id: workId } = named;
  refuseOther('environment', environmentId, worker.environmentId);
  refuseOther('work item', workId, worker.item?.workId);
  refuseOther('session', sessionId, worker.item?.sessionId);
  if (sessionId === undefined || worker.item !== null) return;
  const place = await stores(db, tenantId).sessions.placeOf(sessionId);
  if (place?.environmentId !== worker.environmentId)
    throw new ApiError('not_found', `No session ${sessionId}`);
}

/** Events that a worker may send: the results of what it was asked to do. It speaks and agrees for nobody. */
export function requireResults(worker: Worker | undefined, types: readonly string[]): void {
  if (worker === undefined) return;
  const other = types.findIndex((type) => type !== 'user.tool_result' && type !== 'user.custom_tool_result');
  if (other === -1) return;
  throw new ApiError(
    'forbidden',
    `events.${other}: ${types[other]} takes an API key; a worker sends user.tool_result and user.custom_tool_result`,
  );
}

function refuseOther(what: string, named: string | undefined, own: string | undefined): void {
  if (named === undefined || own === undefined || named === own) return;
  throw new ApiError('not_found', `No ${what} ${named}`);
}
