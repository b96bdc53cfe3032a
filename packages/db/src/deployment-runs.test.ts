import type { RunError } from '@capstan/schema/run-errors';
import { newId } from '@capstan/shared/ids';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { NewRun } from './deployment-runs.ts';
import { type Stores, stores } from './stores.ts';
import { openTestDatabase, type TestDatabase } from './testing.ts';

const MINUTE_MS = 60_000;
const now = Date.parse('2026-11-21T07:00:00Z');
const minutely = { type: 'cron' as const, expression: '* * * * *', timezone: 'UTC' };
const agent = { id: 'agent_1', version: 1 };
const passing: RunError = { type: 'session_rate_limited_error', message: 'Too many' };
const lasting: RunError = { type: 'vault_archived_error', message: 'Archived' };

let database: TestDatabase;
let own: Stores;
let strange: Stores;

beforeAll(async () => {
  database = await openTestDatabase();
  own = stores(database.db, 'tnt_runs');
  strange = stores(database.db, 'tnt_strange');
});
afterAll(() => database.close());

async function deploy(): Promise<string> {
  const made = await own.deployments.create({
    id: newId('deployment', now),
    name: 'Report',
    description: null,
    agent,
    environmentId: 'env_1',
    initialEvents: [{ type: 'user.message', content: [{ type: 'text', text: 'Write.' }] }],
    resources: [],
    vaultIds: [],
    budget: null,
    schedule: minutely,
    missedRuns: 'all',
    metadata: {},
    now,
  });
  return made.id;
}

/** Of the n-th minute, or one that was asked for. */
function runOf(deploymentId: string, minute: number | null): NewRun {
  const scheduledAt = minute === null ? null : now + minute * MINUTE_MS;
  const at = now + (minute ?? 0) * MINUTE_MS + 1_000;
  return { id: newId('deploymentRun', at), deploymentId, agent, scheduledAt, now: at };
}

const row = (id: string) => own.deployments.row(id);
const listed = async (filter: object) =>
  (await own.deploymentRuns.list({ limit: 100, created: {}, ...filter })).data.map(({ id }) => id);

describe('a fire time', () => {
  it('has one record, and none once it is over', async () => {
    const id = await deploy();
    const run = runOf(id, 2);
    expect(await own.deploymentRuns.fail(run, passing)).toMatchObject({ id: run.id, error: passing });
    expect(await own.deploymentRuns.fail(runOf(id, 2), passing)).toBeNull();
    expect(await own.deploymentRuns.fail(runOf(id, 1), passing)).toBeNull();
    expect(await listed({ deploymentId: id })).toEqual([run.id]);
    expect((await row(id)).handledUpTo).toBe(run.scheduledAt);
  });

  it('that failed is not the last run', async () => {
    const id = await deploy();
    await own.deploymentRuns.fail(runOf(id, 1), passing);
    expect((await row(id)).lastRunAt).toBeNull();
  });

  it('of a deployment that is paused or archived has no record; a run that is asked for has one while it is paused', async () => {
    const id = await deploy();
    await own.deployments.pause(id, now);
    expect(await own.deploymentRuns.fail(runOf(id, 1), passing)).toBeNull();
    expect(await own.deploymentRuns.fail(runOf(id, null), passing)).not.toBeNull();
    await own.deployments.archive(id, now);
    expect(await own.deploymentRuns.fail(runOf(id, null), passing)).toBeNull();
  });
});

describe('a run that fails for good', () => {
  it('pauses its deployment when it was due, and not when it was asked for', async () => {
    const id = await deploy();
    await own.deploymentRuns.fail(runOf(id, null), lasting);
    expect((await row(id)).pausedReason).toBeNull();
    await own.deploymentRuns.fail(runOf(id, 1), lasting);
    expect((await row(id)).pausedReason).toEqual({ type: 'error', error: { type: lasting.type } });
  });
});

describe('runs', () => {
  it('are listed by deployment, failure and what began them', async () => {
    const [one, other] = [await deploy(), await deploy()];
    const due = runOf(one, 1);
    const asked = runOf(one, null);
    const others = runOf(other, 1);
    for (const run of [due, asked, others]) await own.deploymentRuns.fail(run, passing);
    const of = { deploymentId: one };
    expect((await listed(of)).toSorted()).toEqual([due.id, asked.id].toSorted());
    expect(await listed({ ...of, triggerType: 'manual' })).toEqual([asked.id]);
    expect(await listed({ ...of, triggerType: 'schedule' })).toEqual([due.id]);
    expect(await listed({ ...of, hasError: false })).toEqual([]);
    expect(await listed({ ...of, hasError: true })).toHaveLength(2);
    expect(await listed({ deploymentId: other })).toEqual([others.id]);
  });

  it('are their tenant’s alone, and go with their deployment', async () => {
    const id = await deploy();
    const run = runOf(id, 1);
    await own.deploymentRuns.fail(run, passing);
    expect((await strange.deploymentRuns.list({ limit: 100, created: {} })).data).toEqual([]);
    await expect(strange.deploymentRuns.retrieve(run.id)).rejects.toMatchObject({ code: 'not_found' });
    expect(await strange.deploymentRuns.fail(runOf(id, 2), passing)).toBeNull();
    await expect(strange.deployments.delete(id, now)).rejects.toMatchObject({ code: 'not_found' });
    expect(await own.deploymentRuns.retrieve(run.id)).toMatchObject({ id: run.id });
    await own.deployments.delete(id, now);
    expect(await listed({ deploymentId: id })).toEqual([]);
  });
});
