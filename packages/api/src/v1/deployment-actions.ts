// What can be done with a deployment over HTTP: run it, stop its schedule and let it go on, archive it.
import type { DeploymentRow } from '@capstan/db/deployment-resource';
import { stores } from '@capstan/db/stores';
import type { DeploymentRun } from '@capstan/schema/deployment-runs';
import { type DeploymentAddress, deploymentRoutes } from '@capstan/schema/deployments';
import { ApiError } from '@capstan/schema/error';
import type { Claim } from '@capstan/schema/idempotency';
import { newId } from '@capstan/shared/ids';
import type { Logger } from '@capstan/shared/logger';
import { answer } from '../claim.ts';
import { beginRun, type RunPorts } from '../deployments/run.ts';
import { judge } from '../deployments/run-verdict.ts';
import { mount } from '../mount.ts';
import type { Surface } from '../surface.ts';

export function mountDeploymentActions(surface: Surface): void {
  const { ports } = surface;
  const { db } = ports;

  mount(surface, deploymentRoutes.run, async ({ principal, params, claim, head, now, logger }) => {
    const { deployments, receipts } = stores(db, principal.tenantId);
    const row = await deployments.row(params.deployment_id);
    const run = (kept: typeof claim) => runNow({ ...ports, logger }, { row, now }, kept);
    return answer(await receipts.once(claim, now, run), head);
  });

  mount(surface, deploymentRoutes.pause, ({ principal, params, now }) =>
    stores(db, principal.tenantId).deployments.pause(params.deployment_id, now),
  );

  mount(surface, deploymentRoutes.unpause, async ({ principal: { tenantId }, params, now, logger }) => {
    const address = { tenantId, deploymentId: params.deployment_id };
    const { deployments } = stores(db, tenantId);
    const { expression } = await deployments.row(address.deploymentId);
    if (expression === null) return deployments.unpause(address.deploymentId, now);
    await ports.clocks.expect(address);
    const changed = await deployments.unpause(address.deploymentId, now);
    await look(surface, address, logger);
    return changed;
  });

  mount(surface, deploymentRoutes.archive, ({ principal, params, now }) =>
    stores(db, principal.tenantId).deployments.archive(params.deployment_id, now),
  );
}

/** What was written is written: a clock that cannot be told now looks by itself. */
export async function look({ ports }: Surface, address: DeploymentAddress, logger: Logger): Promise<void> {
  try {
    await ports.clocks.look(address);
  } catch (error) {
    logger.error('deployment.look_left', { deployment_id: address.deploymentId }, error);
  }
}

export function requireOpen({ id, archivedAt }: DeploymentRow): void {
  if (archivedAt === null) return;
  throw new ApiError('invalid_request', `${id} is archived: it cannot be changed and runs no more`);
}

/** Refuses what a fault of the moment keeps from running; a run that cannot begin is recorded, and is the answer. */
async function runNow(
  ports: RunPorts,
  { row, now }: { row: DeploymentRow; now: number },
  claim?: Claim,
): Promise<DeploymentRun> {
  requireOpen(row);
  const { deployments, deploymentRuns } = stores(ports.db, row.tenantId);
  const agent = { id: row.agentId, version: row.agentVersion };
  const run = { id: newId('deploymentRun', now), deploymentId: row.id, agent, scheduledAt: null, now };
  try {
    return await beginRun(ports, { row, run }, claim);
  } catch (error) {
    const verdict = judge(error);
    if (verdict.type === 'retry') throw error;
    if (verdict.type === 'failed') {
      const failed = await deploymentRuns.fail(run, verdict.error, claim);
      if (failed) return failed;
    }
    if (verdict.type === 'orphaned') await deployments.archive(row.id, now);
    const why = verdict.type === 'orphaned' ? `, as its agent ${row.agentId} is no longer there` : '';
    throw new ApiError('invalid_request', `${row.id} is archived${why}: it runs no more`);
  }
}
