import { OPEN_CLOUD } from '@capstan/db/environments';
import { stores } from '@capstan/db/stores';
import { outbox } from '@capstan/db/tables/outbox';
import { openTestDatabase, type TestDatabase } from '@capstan/db/testing';
import { plainAgent } from '@capstan/db/testing-agent';
import type { MissedRuns } from '@capstan/schema/deployments';
import { ApiError } from '@capstan/schema/error';
import { newId } from '@capstan/shared/ids';
import { silentLogger } from '@capstan/shared/logger';
import { fireTimesOf, startOf } from '@capstan/shared/schedule';
import { createSealer } from '@capstan/shared/seal';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Attempts, type KeeperPorts, keepSchedule } from './schedule-keeper.ts';

const MINUTE_MS = 60_000;
const tenantId = 'tnt_keeper';
const began = Date.parse('2026-11-21T07:00:30Z');
const schedule = { type: 'cron' as const, expression: '*/10 * * * *', timezone: 'UTC' };

let database: TestDatabase;
let agent: { id: string; version: number };

beforeAll(async () => {
  database = await openTestDatabase();
  const settings = plainAgent('Reporter');
  const store = stores(database.db, tenantId);
  const { id, version } = await store.agents.create({ settings, metadata: {}, now: began });
  agent = { id, version };
  const endpoint = { id: 'whep_1', url: 'https://hooks.example.com', name: '', description: '' };
  await store.webhooks.create({ ...endpoint, enabledEvents: ['*'], secret: 'sealed', now: began });
});
afterAll(() => database.close());

const mine = () => stores(database.db, tenantId);

async function deploy(over: { missedRuns?: MissedRuns } = {}) {
  const { id: environmentId } = await mine().environments.create({
    name: 'Cloud',
    description: null,
    config: OPEN_CLOUD,
    metadata: {},
    scope: 'organization',
    now: began,
  });
  const id = newId('deployment', began);
  await mine().deployments.create({
    id,
    name: 'Report',
    description: null,
    agent,
    environmentId,
    initialEvents: [{ type: 'user.message', content: [{ type: 'text', text: 'Write.' }] }],
    resources: [],
    vaultIds: [],
    budget: null,
    schedule,
    missedRuns: over.missedRuns ?? 'skip',
    metadata: {},
    now: began,
  });
  return { id, environmentId };
}

/** When the run of the n-th fire time starts. */
function startOfRun(deploymentId: string, index: number): number {
  const own = { ...schedule, deploymentId };
  const times = fireTimesOf(own);
  return startOf(own, times, times.after(began, index)[index - 1] ?? 0);
}

const runsOf = async (deploymentId: string) =>
  (await mine().deploymentRuns.list({ limit: 1000, deploymentId, created: {} })).data;
const sessionsOf = async (deploymentId: string) =>
  (
    await mine().sessions.list(
      { limit: 100, order: 'asc', includeArchived: true, created: {}, deploymentId },
      began,
    )
  ).data;

interface Life {
  now: number;
  /** Dies at this moment: no call that the process makes from then on does anything. */
  diesAt?: number;
  refusal?: unknown;
}

/** A process, with the moments before and after each of its calls counted. */
function live({ now, diesAt = Number.POSITIVE_INFINITY, refusal }: Life) {
  let moments = 0;
  const moment = () => {
    moments += 1;
    if (moments > diesAt) throw new Error('the process is dead');
  };
  const passing = async <T>(work: () => Promise<T>): Promise<T> => {
    moment();
    const result = await work();
    moment();
    return result;
  };
  const db = new Proxy(database.db, {
    get(target, key) {
      if (key === 'batch')
        return (statements: Parameters<typeof target.batch>[0]) => passing(() => target.batch(statements));
      moment();
      return Reflect.get(target, key);
    },
  });
  const sessions = {
    expect: () =>
      passing(async () => {
        if (refusal) throw refusal;
      }),
    view: () => passing(async () => null),
  };
  const ports = {
    db,
    sessions,
    blobs: {},
    sealer: createSealer(['a root secret'], 'tests'),
    logger: silentLogger,
    clock: { now: () => now },
  } as unknown as KeeperPorts;
  return {
    ring: (deploymentId: string, attempts: Attempts | null = null) =>
      keepSchedule(ports, { tenantId, deploymentId }, attempts),
    get moments() {
      return moments;
    },
  };
}

describe('the keeper of a schedule', () => {
  it('waits for the start of the next run, then makes it and waits for the one after it', async () => {
    const { id } = await deploy();
    const early = await live({ now: startOfRun(id, 1) - 1 }).ring(id);
    expect(early).toEqual({ nextAt: startOfRun(id, 1), attempts: null });
    expect(await runsOf(id)).toEqual([]);
    const due = await live({ now: startOfRun(id, 1) }).ring(id);
    expect(due).toEqual({ nextAt: startOfRun(id, 2), attempts: null });
    const [run, ...others] = await runsOf(id);
    expect(others).toEqual([]);
    expect(run?.trigger_context).toEqual({ type: 'schedule', scheduled_at: '2026-11-21T07:10:00.000Z' });
    const [session] = await sessionsOf(id);
    expect(session).toMatchObject({ id: run?.session_id, title: 'Report', status: 'running' });
  });

  it('makes each run once, at whatever moment its process dies', async () => {
    let survived = false;
    for (let diesAt = 0; !survived; diesAt++) {
      const { id } = await deploy({ missedRuns: 'all' });
      const now = startOfRun(id, 2);
      const process = live({ now, diesAt });
      survived = await process.ring(id).then(
        () => process.moments <= diesAt,
        () => false,
      );
      const next = await live({ now }).ring(id);
      expect(next.nextAt, `dying at moment ${diesAt}`).toBe(startOfRun(id, 3));
      const runs = await runsOf(id);
      const made = await sessionsOf(id);
      const fired = runs.map(({ trigger_context }) => JSON.stringify(trigger_context)).toSorted();
      expect(fired).toEqual([expect.stringContaining('T07:10:00'), expect.stringContaining('T07:20:00')]);
      expect(runs.map(({ session_id }) => session_id).toSorted()).toEqual(
        made.map((session) => session.id).toSorted(),
      );
      expect(diesAt).toBeLessThan(100);
    }
  }, 120_000);

  it('makes a run once when two processes are at it', async () => {
    const { id } = await deploy();
    const now = startOfRun(id, 1);
    await Promise.allSettled([live({ now }).ring(id), live({ now }).ring(id), live({ now }).ring(id)]);
    expect(await runsOf(id)).toHaveLength(1);
    expect(await sessionsOf(id)).toHaveLength(1);
  }, 240_000);

  it('tries again when a fault may pass, and gives up after six times', async () => {
    const { id } = await deploy();
    const now = startOfRun(id, 1);
    const waits: number[] = [];
    let attempts: Attempts | null = null;
    for (let tries = 0; tries < 5; tries++) {
      const kept = await live({ now, refusal: new ApiError('unavailable', 'Not now') }).ring(id, attempts);
      waits.push((kept.nextAt ?? 0) - now);
      ({ attempts } = kept);
      expect(await runsOf(id)).toEqual([]);
    }
    expect(waits).toEqual([1_000, 2_000, 4_000, 8_000, 16_000]);
    await live({ now, refusal: new ApiError('unavailable', 'Not now') }).ring(id, attempts);
    expect((await runsOf(id)).map(({ error }) => error)).toEqual([
      { type: 'unknown_error', message: 'Not now' },
    ]);
    const { paused_reason } = await mine().deployments.retrieve(id, now);
    expect(paused_reason).toEqual({ type: 'error', error: { type: 'unknown_error' } });
    expect(await live({ now }).ring(id)).toEqual({ nextAt: null, attempts: null });
  });

  it.each([
    [new ApiError('rate_limited', 'Too many'), 'session_rate_limited_error'],
    [new ApiError('invalid_request', 'No'), 'session_creation_rejected_error'],
  ])('records %o and goes on', async (refusal, type) => {
    const { id } = await deploy();
    const now = startOfRun(id, 1);
    await live({ now, refusal }).ring(id);
    expect((await runsOf(id)).map(({ error }) => error?.type)).toEqual([type]);
    expect(await live({ now }).ring(id)).toEqual({ nextAt: startOfRun(id, 2), attempts: null });
    expect((await mine().deployments.retrieve(id, now)).status).toBe('active');
  });

  it('leaves what is paused, archived or gone, and owes nothing for the time of a pause', async () => {
    const { id } = await deploy({ missedRuns: 'all' });
    const resting = { nextAt: null, attempts: null };
    await mine().deployments.pause(id, began);
    const later = startOfRun(id, 3);
    expect(await live({ now: later }).ring(id)).toEqual(resting);
    await mine().deployments.unpause(id, later);
    expect(await live({ now: later }).ring(id)).toEqual({ nextAt: startOfRun(id, 4), attempts: null });
    expect(await runsOf(id)).toEqual([]);
    await mine().deployments.archive(id, later);
    expect(await live({ now: later + 60 * MINUTE_MS }).ring(id)).toEqual(resting);
    expect(await live({ now: later }).ring('depl_none')).toEqual(resting);
  });

  it('archives a deployment whose agent is gone, and records no run', async () => {
    const { id } = await deploy();
    const now = startOfRun(id, 1);
    await live({ now, refusal: new ApiError('not_found', 'No agent', { reason: 'agent_not_found' }) }).ring(
      id,
    );
    expect(await runsOf(id)).toEqual([]);
    expect((await mine().deployments.retrieve(id, now)).archived_at).not.toBeNull();
  });

  it('skips what was missed and says so of none but the clock', async () => {
    const { id } = await deploy();
    const now = startOfRun(id, 3) + 8 * MINUTE_MS;
    expect((await live({ now }).ring(id)).nextAt).toBe(startOfRun(id, 4));
    expect(await runsOf(id)).toEqual([]);
    expect((await mine().deployments.row(id)).handledUpTo).toBe(Date.parse('2026-11-21T07:30:00Z'));
  });
});

describe('what webhooks are told of runs', () => {
  const toldOf = async (id: string) => {
    const all = await database.db.select().from(outbox);
    return all.filter(({ subject }) => subject.id === id).map(({ type }) => type);
  };

  it('is their start and their end, once each', async () => {
    const { id } = await deploy();
    await live({ now: startOfRun(id, 1) }).ring(id);
    const [run] = await runsOf(id);
    const [session] = await sessionsOf(id);
    const row = await mine().sessions.find(session?.id ?? '');
    if (!row) throw new Error('no session');
    const ended = {
      type: 'session.status_idled' as const,
      id: row.id,
      now: began,
      eventId: 'whe_1',
      ends: 'succeeded' as const,
    };
    await mine().sessions.putIndex(row.id, row, { announcements: [ended] });
    await mine().sessions.putIndex(row.id, row, { announcements: [{ ...ended, eventId: 'whe_2' }] });
    expect(await toldOf(run?.id ?? '')).toEqual(['deployment_run.started', 'deployment_run.succeeded']);
    expect(await toldOf(id)).toEqual(['deployment.created']);
  });

  it('is that they failed, and that their deployment is paused', async () => {
    const { id, environmentId } = await deploy();
    await mine().environments.delete(environmentId, began);
    await live({ now: startOfRun(id, 1) }).ring(id);
    const [run] = await runsOf(id);
    expect(run?.error?.type).toBe('environment_not_found_error');
    expect(await toldOf(run?.id ?? '')).toEqual(['deployment_run.failed']);
    expect(await toldOf(id)).toEqual(['deployment.created', 'deployment.paused']);
  });
});
