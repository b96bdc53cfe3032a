// A session as the control plane knows it.
import type { Database } from '@capstan/db/database';
import type { SessionRow } from '@capstan/db/session-resource';
import { stores } from '@capstan/db/stores';
import { ApiError } from '@capstan/schema/error';
import type { SessionAddress } from '@capstan/session/address';

/** Refuses (`not_found`) an id that is not of a session of that tenant. */
export async function findSession(
  db: Database,
  { tenantId, sessionId }: SessionAddress,
): Promise<SessionRow> {
  const row = await stores(db, tenantId).sessions.find(sessionId);
  if (row) return row;
  throw new ApiError('not_found', `No session ${sessionId}`);
}
