// A run of a deployment: one session, created as any other is, and the record of it.
import { type DeploymentRow, resourceTokenIdentity } from '@capstan/db/deployment-resource';
import { type NewRun, showRun } from '@capstan/db/deployment-runs';
import type { DeploymentRun } from '@capstan/schema/deployment-runs';
import type { Claim } from '@capstan/schema/idempotency';
import type { Logger } from '@capstan/shared/logger';
import type { ResourceParam } from '../v1/new-resources.ts';
import { beginSession, createSession, type SessionPorts } from '../v1/session-creation.ts';
import { requireMcpEgress } from './mcp-egress.ts';

export interface RunPorts extends SessionPorts {
  logger: Logger;
}

/** Refuses as the creation of a session does, and (`conflict`, `run_not_due`) what the deployment no longer makes. */
export async function beginRun(
  ports: RunPorts,
  { row, run }: { row: DeploymentRow; run: NewRun },
  claim?: Claim,
): Promise<DeploymentRun> {
  const { tenantId } = row;
  await requireMcpEgress(ports, row);
  const session = await createSession(
    ports,
    {
      tenantId,
      agent: run.agent,
      environmentId: row.environmentId,
      title: row.name,
      metadata: {},
      budget: row.budget,
      vaultIds: row.vaultIds,
      initialEvents: row.initialEvents,
      resources: await resourcesOf(ports, row),
      deploymentId: row.id,
      run,
      now: run.now,
    },
    claim,
  );
  // It begins by itself, only later, when this fails: the run stands.
  await beginSession(ports.sessions, { tenantId, sessionId: session.id }, { replayed: false }).catch(
    (error: unknown) =>
      ports.logger.warn('deployment.begin_left', { session_id: session.id, problem: String(error) }),
  );
  return showRun({ db: ports.db, tenantId }, run, session.id);
}

/** As they were given, with their tokens. */
async function resourcesOf({ sealer }: RunPorts, row: DeploymentRow): Promise<ResourceParam[]> {
  const given: ResourceParam[] = [];
  for (const [index, { config, token }] of row.resources.entries()) {
    if (token === null || config.type !== 'github_repository') given.push(config);
    else {
      const identity = resourceTokenIdentity(row.tenantId, row.id, index);
      given.push({ ...config, authorization_token: await sealer.open(token, identity) });
    }
  }
  return given;
}
