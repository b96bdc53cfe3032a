// What of a session's tools works outside its sandbox, as this installation lets it.
import type { HarnessConfig } from '@capstan/harness/config';
import { networkOf, networkPermits } from '@capstan/harness/environment-network';
import { McpTools, type McpTrouble } from '@capstan/harness/mcp/mcp-tools';
import { OutsideTools } from '@capstan/harness/outside-tools';
import type { SessionSandbox } from '@capstan/harness/session-sandbox';
import type { McpAuthorization } from '@capstan/harness/vault/mcp-authorization';
import type { Sandboxes } from '@capstan/sandbox/port';
import type { SessionSpec } from '@capstan/session/spec';
import type { Logger } from '@capstan/shared/logger';
import { reachFrom } from '@capstan/shared/reach-config';
import type { Env } from './env.ts';

interface Around {
  config: HarnessConfig;
  sandbox: SessionSandbox | null;
  report(trouble: McpTrouble): void;
  sandboxes: () => Sandboxes;
  authorization: McpAuthorization;
  logger: Logger;
  clock: { now(): number };
}

export function openOutsideTools(
  env: Env,
  { environment, agent }: SessionSpec,
  around: Around,
): OutsideTools {
  const { config, sandbox, sandboxes, logger } = around;
  const { reach, problems } = reachFrom(env);
  for (const problem of problems) logger.warn('config.unusable', { problem });
  // Of a self-hosted environment's network we decide nothing.
  const network = environment.type === 'cloud' ? networkOf(environment, agent) : null;
  const mcp = new McpTools({
    ...around,
    reach,
    permits: (url) => network === null || networkPermits(network, url),
  });
  return new OutsideTools({ mcp, web: { reach, sandbox, sandboxes, search: config.search } });
}
