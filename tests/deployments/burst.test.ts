// Hundreds of deployments whose runs are owed at one instant, as the platform starts, and workerd killed in the middle of
// them: each makes its run, none makes two, and the platform answers meanwhile.
import type Anthropic from '@anthropic-ai/sdk';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { openControlPlane } from '../support/control-plane.ts';
import { kill } from '../support/processes.ts';
import { everyRun, fireTimes, openSchedules, reschedule, sessionsOf } from '../support/schedules.ts';
import { TestPlatform } from '../support/test-platform.ts';

const MINUTE_MS = 60_000;
const HOUR_MS = 60 * MINUTE_MS;
const MANY = 250;
const AT_ONCE = 16;
const SLOWLY = { timeout: 900_000, interval: 1_000 };
let platform: TestPlatform;
let client: Anthropic;

beforeAll(async () => {
  platform = await TestPlatform.open({ restartAfterMs: 100 });
  client = platform.connect();
}, 240_000);

afterAll(() => platform.close());

/** Deployments that fire hourly, half an hour from now; their ids. */
async function make(minute: number): Promise<string[]> {
  const deploy = await openSchedules(client);
  const ids: string[] = [];
  const fired = { expression: `${minute} * * * *`, missedRuns: 'latest' as const };
  await forEach(
    Array.from({ length: MANY }, (_, index) => `Owed ${index}`),
    async (name) => {
      ids.push(await deploy(name, fired));
    },
  );
  return ids.sort();
}

/** Does it for each of them, a few at a time. */
async function forEach(all: readonly string[], work: (one: string) => Promise<void>): Promise<void> {
  const left = [...all];
  const worker = async () => {
    for (let one = left.pop(); one !== undefined; one = left.pop()) await work(one);
  };
  await Promise.all(Array.from({ length: AT_ONCE }, worker));
}

it('each runs once, though workerd dies in the middle, and the platform answers', async () => {
  const minute = (new Date().getUTCMinutes() + 30) % 60;
  const made = await make(minute);
  await platform.stop();
  const stopped = openControlPlane(platform.state);
  stopped.prepare('UPDATE deployments SET handled_up_to = handled_up_to - ?').run(HOUR_MS);
  stopped.close();
  await platform.start();
  client = platform.connect();

  await expect.poll(async () => (await everyRun(client)).length, SLOWLY).toBeGreaterThan(MANY / 10);
  expect(kill(platform, 'workerd')).toBe(true);
  // Clocks that had looked before they owed anything would look again within five minutes: they are told to look now.
  await forEach(made, async (id) => void (await reschedule(client, id, `${minute} * * * *`)));
  await expect.poll(async () => (await everyRun(client)).length, SLOWLY).toBeGreaterThanOrEqual(MANY);

  const runs = await everyRun(client);
  expect(runs.map(({ deployment_id }) => deployment_id).sort()).toEqual(made);
  expect(runs.filter(({ error }) => error !== null)).toEqual([]);
  const due = Math.floor((Date.now() - minute * MINUTE_MS) / HOUR_MS) * HOUR_MS + minute * MINUTE_MS;
  expect(new Set(fireTimes(runs))).toEqual(new Set([due]));
  expect(await sessionsOf(client)).toEqual(runs.map(({ session_id }) => session_id).sort());
}, 1_800_000);
