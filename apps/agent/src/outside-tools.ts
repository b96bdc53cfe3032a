// What of a session's tools works outside its sandbox, as this installation lets it.
import { openD1 } from '@capstan/db/d1';
import type { HarnessConfig } from '@capstan/harness/config';
import { networkOf, networkPermits } from '@capstan/harness/environment-network';
import { McpTools, type McpTrouble } from '@capstan/harness/mcp/mcp-tools';
import { OutsideTools } from '@capstan/harness/outside-tools';
import type { SessionSandbox } from '@capstan/harness/session-sandbox';
import type { Sandboxes } from '@capstan/sandbox/port';
import type { SessionSpec } from '@capstan/session/spec';
import type { Logger } from '@capstan/shared/logger';
import { reachFrom } from '@capstan/shared/reach-config';
import type { Sealer } from '@capstan/shared/seal';
import type { Env } from './env.ts';
import { vaultAuthorization } from './session-vaults.ts';

interface Around {
  config: HarnessConfig;
  sandbox: SessionSandbox | null;
  report(trouble: McpTrouble): void;
  sandboxes: () => Sandboxes;
  sealer: Sealer;
  logger: Logger;
  clock: { now(): number };
}

export function openOutsideTools(env: Env, spec: SessionSpec, { sealer, ...around }: Around): OutsideTools {
  const { environment, agent } = spec;
  const { config, sandbox, sandboxes, logger, clock } = around;
  const { reach, problems } = reachFrom(env);
  for (const problem of problems) logger.warn('config.unusable', { problem });
  // Of a self-hosted environment's network we decide nothing.
  const network = environment.type === 'cloud' ? networkOf(environment, agent) : null;
  const mcp = new McpTools({
    ...around,
    reach,
    authorization: vaultAuthorization({ db: openD1(env.DB), sealer, reach, clock, logger }, spec),
    permits: (url) => network === null || networkPermits(network, url),
  });
  return new OutsideTools({ mcp, web: { reach, sandbox, sandboxes, search: config.search } });
}
