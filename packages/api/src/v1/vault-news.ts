// Sessions that have a vault learn of what changed in it: what runs in their sandboxes has it at once. Who is not reached here
// looks before its next tool call.
import { stores } from '@capstan/db/stores';
import type { Logger } from '@capstan/shared/logger';
import { within } from '@capstan/shared/within';
import type { ApiPorts } from '../ports.ts';

export interface VaultNews {
  tenantId: string;
  vaultId: string;
  /** Epoch ms. */
  now: number;
  logger: Logger;
}

/** No sandbox is older, and one that is used moves its session's date. */
const SANDBOX_LIFE_MS = 24 * 3_600_000;
const MOST_SESSIONS = 500;
const AT_ONCE = 8;
const PATIENCE_MS = 5_000;

/** Never rejects, and takes no longer than 5 s. */
export async function tellSessions(ports: ApiPorts, news: VaultNews): Promise<void> {
  await within(tellAll(ports, news), PATIENCE_MS, undefined);
}

async function tellAll({ db, sessions }: ApiPorts, { tenantId, vaultId, now, logger }: VaultNews) {
  const known = { since: now - SANDBOX_LIFE_MS, limit: MOST_SESSIONS };
  const waiting = await stores(db, tenantId).sessions.withVault(vaultId, known);
  const work = async () => {
    for (let sessionId = waiting.shift(); sessionId !== undefined; sessionId = waiting.shift()) {
      await sessions.refresh({ tenantId, sessionId }).catch((error: unknown) => {
        logger.warn('vault.session_not_told', { session_id: sessionId, message: String(error) });
      });
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, work));
}
