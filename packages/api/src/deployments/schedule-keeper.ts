// What a deployment's clock does when it rings: the runs that are owed, each once, and when to ring next.
// K1. Whatever dies between two steps, a fire time has one run: it is written in one transaction with its session and with
//     the mark that it is over, and whoever rings next goes on from that mark.
// K2. A run that fails for a fault of the moment is tried again, a few times; then it is recorded as failed.
// K3. A deployment that cannot run is left: paused, or archived when its agent is gone.
import { type DeploymentRow, scheduleOf } from '@capstan/db/deployment-resource';
import type { NewRun } from '@capstan/db/deployment-runs';
import { stores } from '@capstan/db/stores';
import type { DeploymentAddress } from '@capstan/schema/deployments';
import { newId } from '@capstan/shared/ids';
import { owedBy } from '@capstan/shared/schedule';
import { beginRun, type RunPorts } from './run.ts';
import { gaveUp, judge } from './run-verdict.ts';

export interface KeeperPorts extends RunPorts {
  clock: { now(): number };
}

/** How often the run of a fire time has been tried. */
export interface Attempts {
  scheduledAt: number;
  count: number;
}

export interface Kept {
  /** When to ring next, epoch ms; null: not until something changes. */
  nextAt: number | null;
  /** Of the run that is to be tried again. */
  attempts: Attempts | null;
}

/** Those of one ring: it goes on at once when more are owed. */
const MOST_RUNS = 10;
const MOST_ATTEMPTS = 6;
const FIRST_WAIT_MS = 1_000;
/** No clock sleeps longer: what is known of time zones may change. */
const LONGEST_SLEEP_MS = 24 * 3_600_000;

export async function keepSchedule(
  ports: KeeperPorts,
  { tenantId, deploymentId }: DeploymentAddress,
  attempts: Attempts | null,
): Promise<Kept> {
  const { deployments } = stores(ports.db, tenantId);
  const row = await deployments.find(deploymentId);
  const schedule = row && scheduleOf(row);
  if (!schedule || row.archivedAt !== null || row.pausedReason !== null) return at(null);
  const now = ports.clock.now();
  const owed = owedBy(schedule, row, now);
  if (owed.skipped > 0)
    ports.logger.warn('deployment.runs_missed', { deployment_id: row.id, runs: owed.skipped });
  if (owed.fire.length === 0 && owed.handledUpTo > row.handledUpTo)
    await deployments.pass(row.id, owed.handledUpTo);
  for (const scheduledAt of owed.fire.slice(0, MOST_RUNS)) {
    const tried = attempts?.scheduledAt === scheduledAt ? attempts.count : 0;
    const fired = await fire(ports, { row, scheduledAt, tried });
    if (fired !== 'go on') return fired;
  }
  if (owed.fire.length > MOST_RUNS) return at(now);
  return at(owed.nextAt === null ? null : Math.min(owed.nextAt, now + LONGEST_SLEEP_MS));
}

interface Firing {
  row: DeploymentRow;
  scheduledAt: number;
  tried: number;
}

async function fire(ports: KeeperPorts, { row, scheduledAt, tried }: Firing): Promise<Kept | 'go on'> {
  const now = ports.clock.now();
  const { deployments, deploymentRuns } = stores(ports.db, row.tenantId);
  const agent = { id: row.agentId, version: row.agentVersion };
  const run: NewRun = { id: newId('deploymentRun', now), deploymentId: row.id, agent, scheduledAt, now };
  const ids = { deployment_id: row.id, deployment_run_id: run.id };
  try {
    await beginRun(ports, { row, run });
    ports.logger.info('deployment.run', { ...ids, outcome: 'ok', late_ms: now - scheduledAt });
    return 'go on';
  } catch (error) {
    const verdict = judge(error);
    const spent = tried + 1 >= MOST_ATTEMPTS;
    if (verdict.type === 'retry' && !spent) {
      ports.logger.error('deployment.run', { ...ids, outcome: 'retry', attempts: tried + 1 }, error);
      const nextAt = now + FIRST_WAIT_MS * 2 ** tried;
      return { nextAt, attempts: { scheduledAt, count: tried + 1 } };
    }
    if (verdict.type === 'not_due') return at(now);
    if (verdict.type === 'orphaned') {
      await deployments.archive(row.id, now);
      ports.logger.warn('deployment.orphaned', ids);
      return at(null);
    }
    const failure = verdict.type === 'failed' ? verdict.error : gaveUp(error);
    await deploymentRuns.fail(run, failure);
    ports.logger.warn('deployment.run', { ...ids, outcome: 'failed', error_type: failure.type });
    // Whether it goes on stands in its row now.
    return at(now);
  }
}

function at(nextAt: number | null): Kept {
  return { nextAt, attempts: null };
}
