// The warm pool of an environment, as a session asks it.
import type { SessionPool } from '@capstan/harness/warm-pool';
import type { EnvironmentKey } from '@capstan/schema/environment-images';
import type { SessionSpec } from '@capstan/session/spec';
import type { PoolObjects } from './env.ts';

/** The object of an environment's pool: another tenant's environment names another one. */
export function poolName({ tenantId, environmentId }: EnvironmentKey): string {
  return `${tenantId}/${environmentId}`;
}

/** Null: its environment keeps no sandboxes ready. */
export function sessionPool(pools: PoolObjects, spec: SessionSpec): SessionPool | null {
  const { tenantId, environmentId, sessionId, warmPool = false } = spec;
  if (!warmPool) return null;
  const environment = { tenantId, environmentId };
  // One stub: what is asked of it arrives in that order.
  const pool = pools.getByName(poolName(environment));
  return {
    claim: (kind) => pool.claim(environment, sessionId, kind),
    settle: (kept) => pool.settle(environment, sessionId, kept),
  };
}
