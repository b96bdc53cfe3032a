// What of a session's tools works outside its sandbox, as this installation lets it.
import type { Database } from '@capstan/db/database';
import type { HarnessConfig } from '@capstan/harness/config';
import { networkOf, networkPermits } from '@capstan/harness/environment-network';
import { McpTools, type McpTrouble } from '@capstan/harness/mcp/mcp-tools';
import { OutsideTools } from '@capstan/harness/outside-tools';
import type { SessionSandbox } from '@capstan/harness/session-sandbox';
import type { Sandboxes } from '@capstan/sandbox/port';
import type { SessionSpec } from '@capstan/session/spec';
import type { Logger } from '@capstan/shared/logger';
import type { Reach } from '@capstan/shared/safe-fetch';
import type { Sealer } from '@capstan/shared/seal';
import { vaultAuthorization } from './session-vaults.ts';

interface Around {
  config: HarnessConfig;
  sandbox: SessionSandbox | null;
  report(trouble: McpTrouble): void;
  sandboxes: () => Sandboxes;
  reach: Reach;
  db: Database;
  sealer: Sealer;
  logger: Logger;
  clock: { now(): number };
}

export function openOutsideTools(spec: SessionSpec, { db, sealer, ...around }: Around): OutsideTools {
  const { environment, agent } = spec;
  const { config, sandbox, sandboxes, reach, logger, clock } = around;
  // Of a self-hosted environment's network we decide nothing.
  const network = environment.type === 'cloud' ? networkOf(environment, agent) : null;
  const mcp = new McpTools({
    ...around,
    authorization: vaultAuthorization({ db, sealer, reach, clock, logger }, spec),
    permits: (url) => network === null || networkPermits(network, url),
  });
  return new OutsideTools({ mcp, web: { reach, sandbox, sandboxes, search: config.search } });
}
