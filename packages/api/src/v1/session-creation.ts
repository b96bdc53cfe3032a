// How a session is created, whoever asks for it: everything it names is looked at, then its row is written, then it begins.
// C1. What has something to do begins as soon as its row is written, whatever becomes of the process that wrote it.
// C2. A claim that was taken makes nothing, and is answered as before by whoever counts receipts.
import type { Blobs } from '@capstan/db/blobs';
import type { NewRun } from '@capstan/db/deployment-runs';
import type { NewSession } from '@capstan/db/new-sessions';
import { stores } from '@capstan/db/stores';
import { isApiError } from '@capstan/schema/error';
import type { Claim } from '@capstan/schema/idempotency';
import type { Session } from '@capstan/schema/sessions';
import type { SessionAddress } from '@capstan/session/address';
import type { Sessions, SessionView } from '@capstan/session/service';
import { newId } from '@capstan/shared/ids';
import type { ApiPorts } from '../ports.ts';
import { requireBudgetable } from './budgetable.ts';
import { withFiles } from './file-references.ts';
import { type ResourceParam, toNewResources } from './new-resources.ts';
import { requireVaults } from './required-vaults.ts';

export interface SessionPorts extends Pick<ApiPorts, 'db' | 'sessions' | 'sealer'> {
  blobs: Blobs;
}

export type WantedSession = Omit<NewSession, 'id' | 'resources' | 'initialEvents' | 'vaultIds' | 'run'> &
  Required<Pick<NewSession, 'initialEvents' | 'vaultIds'>> & {
    tenantId: string;
    resources: readonly ResourceParam[];
    /** The run that it is of; its record is written with it. */
    run?: NewRun;
  };

/** Refuses what the session names and cannot have, each with a reason. With a claim, a receipt is kept. */
export async function createSession(
  { db, blobs, sessions, sealer }: SessionPorts,
  { tenantId, resources, ...wanted }: WantedSession,
  claim?: Claim,
): Promise<Session> {
  const { now, vaultIds, environmentId, budget } = wanted;
  const { sessions: store, memoryStores } = stores(db, tenantId);
  const referring = { tenantId, events: wanted.initialEvents, path: 'initial_events', now };
  const initialEvents = await withFiles({ db, blobs }, referring);
  await requireVaults(db, { tenantId, vaultIds, environmentId });
  const made = {
    ...wanted,
    initialEvents,
    resources: await toNewResources(resources, { tenantId, sealer, now, memoryStores }),
  };
  const agent = budget?.max_list_cost ? await store.agentFor(wanted.agent) : null;
  if (agent) await requireBudgetable(sessions, { tenantId, agent, budget });
  if (initialEvents.length === 0) return store.create(made, claim);
  return store.create({ ...made, id: await announceSession(sessions, tenantId, now) }, claim);
}

/** The id of a session that begins by itself once it is created, whatever becomes of this process. */
export async function announceSession(sessions: Sessions, tenantId: string, now: number): Promise<string> {
  const sessionId = newId('session', now);
  await sessions.expect({ tenantId, sessionId });
  return sessionId;
}

/** What a new session does by itself it does once it is looked at: also when its creation is only repeated. */
export async function beginSession(
  sessions: Sessions,
  address: SessionAddress,
  { replayed }: { replayed: boolean },
): Promise<SessionView | null> {
  try {
    return await sessions.view(address);
  } catch (error) {
    // Deleted since it was made: the answer of that time stands.
    if (!replayed || !isApiError(error) || error.code !== 'not_found') throw error;
    return null;
  }
}
