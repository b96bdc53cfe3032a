// From the bindings of this Worker to what the keeper of schedules needs.
import type { KeeperPorts } from '@capstan/api/deployments/schedule-keeper';
import { openD1 } from '@capstan/db/d1';
import { openBlobs } from '@capstan/db/open-blobs';
import { openFailpoints, type Reach } from '@capstan/shared/failpoints';
import { consoleLogger } from '@capstan/shared/logger';
import { createSealer, TENANT_SECRETS } from '@capstan/shared/seal';
import type { Env } from './env.ts';
import { markKeeper } from './failpoints.ts';

/** `subject`: the deployment or dream that is kept. */
export function keeperPorts(env: Env, subject: string): KeeperPorts {
  const { DB, AGENT, PLATFORM_ROOT_SECRET } = env;
  const ports = {
    db: openD1(DB),
    blobs: openBlobs(env),
    sessions: AGENT,
    sealer: createSealer(PLATFORM_ROOT_SECRET === undefined ? [] : [PLATFORM_ROOT_SECRET], TENANT_SECRETS),
    logger: consoleLogger.child({ worker: 'jobs' }),
    clock: Date,
  };
  return markKeeper(ports, failpointsOf(env, subject));
}

/** Null but in the crash tests. `subject`: the deployment, dream or endpoint that it is about. */
export function failpointsOf(env: Env, subject: string): Reach | null {
  return openFailpoints({ environment: env.ENVIRONMENT, url: env.FAILPOINTS, subject });
}
