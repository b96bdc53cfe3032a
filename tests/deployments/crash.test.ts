// workerd killed around the fires of schedules, at every step: each fire time has one run and one session, and the session
// works. What fell due while nothing ran is made up for as the deployment says.
import type Anthropic from '@anthropic-ai/sdk';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { openControlPlane } from '../support/control-plane.ts';
import { Conversation, count } from '../support/conversation.ts';
import { FailpointServer } from '../support/failpoint-server.ts';
import { kill } from '../support/processes.ts';
import {
  type Deploy,
  everyRun,
  fireTimes,
  openSchedules,
  reschedule,
  sessionsOf,
} from '../support/schedules.ts';
import { TestPlatform } from '../support/test-platform.ts';

const MINUTE_MS = 60_000;
const HOUR_MS = 60 * MINUTE_MS;
/** Before the session is announced, written with its run, and begun; and after each. */
const POINTS = ['clock.expect', 'clock.batch', 'clock.view'].flatMap((name) => [
  `${name}:before`,
  `${name}:after`,
]);
let server: FailpointServer;
let platform: TestPlatform;
let client: Anthropic;
let deploy: Deploy;

beforeAll(async () => {
  server = await FailpointServer.start();
  platform = await TestPlatform.open({ vars: { FAILPOINTS: server.url }, restartAfterMs: 100 });
  await connect();
}, 240_000);

afterAll(async () => {
  await platform.close();
  server.stop();
});

async function connect(): Promise<void> {
  client = platform.connect();
  deploy = await openSchedules(client);
}

it('a fire time has one run and one session, whatever died at whichever step of it', async () => {
  const began = Date.now();
  const made = await Promise.all(
    POINTS.map(async (point) => {
      const id = await deploy(point, { expression: '* * * * *', missedRuns: 'all' });
      return { id, struck: server.strike({ point, session: id, kill: () => kill(platform, 'workerd') }) };
    }),
  );
  await Promise.all(made.map(({ struck }) => struck));
  for (const { id } of made) {
    // What was struck is made up for before it is paused.
    await expect.poll(() => everyRun(client, id).catch(() => []), { timeout: 60_000 }).not.toEqual([]);
    await client.beta.deployments.pause(id);
    const runs = await everyRun(client, id);
    const times = fireTimes(runs);
    const first = Math.ceil(began / MINUTE_MS) * MINUTE_MS;
    expect(times[0]).toBeLessThanOrEqual(first + MINUTE_MS);
    expect(times).toEqual(times.map((_, index) => (times[0] ?? 0) + index * MINUTE_MS));
    expect(runs.map(({ session_id }) => session_id).sort()).toEqual(await sessionsOf(client, id));
    for (const { session_id } of runs) {
      const events = await new Conversation(client, session_id ?? '').ended();
      expect([count(events, 'user.message'), count(events, 'agent.message')]).toEqual([1, 1]);
    }
  }
}, 600_000);

it('what fell due while nothing ran is left out, made up for once, or all of it, as its deployment says', async () => {
  const minute = (new Date().getUTCMinutes() + 30) % 60;
  const policies = ['skip', 'latest', 'all'] as const;
  const hourly = { expression: `${minute} * * * *` };
  const [skip = '', latest = '', all = ''] = await Promise.all(
    policies.map((missedRuns) => deploy(missedRuns, { ...hourly, missedRuns })),
  );
  await platform.stop();
  const stopped = openControlPlane(platform.state);
  stopped
    .prepare('UPDATE deployments SET handled_up_to = handled_up_to - ? WHERE expression = ?')
    .run(3 * HOUR_MS, hourly.expression);
  stopped.close();
  await platform.start();
  await connect();
  const due = Math.floor((Date.now() - minute * MINUTE_MS) / HOUR_MS) * HOUR_MS + minute * MINUTE_MS;
  const times = async (id: string) => fireTimes(await everyRun(client, id));
  // The clock is told to look; the schedule stays as it was.
  for (const id of [skip, latest, all]) await reschedule(client, id, hourly.expression);
  await expect.poll(() => times(all), { timeout: 60_000 }).toEqual([due - 2 * HOUR_MS, due - HOUR_MS, due]);
  await expect.poll(() => times(latest), { timeout: 60_000 }).toEqual([due]);
  await expect.poll(() => handledUpTo(skip), { timeout: 60_000 }).toBe(due);
  expect(await times(skip)).toEqual([]);
  for (const id of [skip, latest, all])
    expect(await sessionsOf(client, id)).toHaveLength((await times(id)).length);
}, 240_000);

function handledUpTo(id: string): unknown {
  const db = openControlPlane(platform.state);
  try {
    const sql = 'SELECT handled_up_to FROM deployments WHERE id = ?';
    return db.prepare(sql).get(id)?.handled_up_to;
  } finally {
    db.close();
  }
}
