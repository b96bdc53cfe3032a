// From the bindings of this Worker to what the keeper of schedules needs.
import type { KeeperPorts } from '@capstan/api/deployments/schedule-keeper';
import { openD1 } from '@capstan/db/d1';
import { openBlobs } from '@capstan/db/open-blobs';
import { consoleLogger } from '@capstan/shared/logger';
import { createSealer, TENANT_SECRETS } from '@capstan/shared/seal';
import type { Env } from './env.ts';

export function keeperPorts({ DB, BLOBS, BLOB_DIRECTORY, AGENT, PLATFORM_ROOT_SECRET }: Env): KeeperPorts {
  return {
    db: openD1(DB),
    blobs: openBlobs({ BLOBS, BLOB_DIRECTORY }),
    sessions: AGENT,
    sealer: createSealer(PLATFORM_ROOT_SECRET === undefined ? [] : [PLATFORM_ROOT_SECRET], TENANT_SECRETS),
    logger: consoleLogger.child({ worker: 'jobs' }),
    clock: Date,
  };
}
