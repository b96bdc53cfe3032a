// From the bindings of this Worker to what the keeper of schedules needs.
import type { KeeperPorts } from '@capstan/api/deployments/schedule-keeper';
import { openD1 } from '@capstan/db/d1';
import { openR2 } from '@capstan/db/r2';
import { consoleLogger } from '@capstan/shared/logger';
import { createSealer, TENANT_SECRETS } from '@capstan/shared/seal';
import type { Env } from './env.ts';

export function keeperPorts({ DB, BLOBS, AGENT, PLATFORM_ROOT_SECRET }: Env): KeeperPorts {
  return {
    db: openD1(DB),
    blobs: openR2(BLOBS),
    sessions: AGENT,
    sealer: createSealer(PLATFORM_ROOT_SECRET === undefined ? [] : [PLATFORM_ROOT_SECRET], TENANT_SECRETS),
    logger: consoleLogger.child({ worker: 'jobs' }),
    clock: Date,
  };
}
