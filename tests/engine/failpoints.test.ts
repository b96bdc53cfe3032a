// Every failpoint, struck at least once while eight sessions are at work: whatever dies wherever, nothing that was
// accepted is lost or there twice, no command runs twice, and every session comes to rest by itself.
import { afterAll, beforeAll, expect, it } from 'vitest';
import { CRITICAL, FAILPOINTS } from '../support/failpoint-names.ts';
import { TARGETS, type Target } from '../support/processes.ts';
import { Random } from '../support/random.ts';
import { Storm } from '../support/storm.ts';
import { SHORT_SCENES, tellStory } from '../support/story.ts';
import type { Fault } from '../support/verdict.ts';

const SESSIONS = 8;
/** Strikes waited for at the same time: the rare ones do not hold the others up. */
const WAITING = 8;
/** About three minutes on a machine of its own. */
const STRIKES_WITHIN_MS = 1_500_000;

let storm: Storm;
beforeAll(async () => {
  storm = await Storm.begin();
}, 240_000);
afterAll(() => storm.end());

interface Plan {
  point: string;
  target: Target;
  afterMs?: number;
}

/** At each point the runtime dies; at the critical ones also any process, a moment later. */
function planned(): Plan[] {
  const random = new Random(1);
  const again = CRITICAL.map((point) => ({ point, target: random.pick(TARGETS), afterMs: random.below(20) }));
  return [...FAILPOINTS.map((point): Plan => ({ point, target: 'workerd' })), ...again];
}

it('a process killed at any of them costs nothing', { timeout: 2_000_000 }, async () => {
  const plans = planned();
  const listed = new Set(plans.map(({ point }) => point));
  const known = new Set(listed);
  // What is reached only after another process has died may not be reached again: it is struck if it is, and not waited for.
  const unlisted = storm.server.onReach(({ point }) => {
    if (known.has(point)) return;
    known.add(point);
    void storm.server.strike({ point, kill: () => storm.kill('workerd') }).catch(() => {});
  });
  const faults: Fault[] = [];
  const deadline = performance.now() + STRIKES_WITHIN_MS;
  let told = 0;

  async function strikeOn(): Promise<void> {
    for (let plan = plans.shift(); plan !== undefined; plan = plans.shift()) {
      const { target, ...at } = plan;
      await storm.server.strike({ ...at, kill: () => storm.kill(target) });
      await storm.server.nextAppend(null, 5_000);
    }
  }
  async function tellOn(striking: { done: boolean }): Promise<void> {
    while (!striking.done && performance.now() < deadline) {
      const index = told++;
      const kinds = [0, 3].map((step) => SHORT_SCENES[(index + step) % SHORT_SCENES.length] ?? 'text');
      faults.push(...(await storm.play(tellStory(`f${index}`, new Random(index), kinds))).faults);
    }
  }

  const striking = { done: false };
  const strikes = Promise.all(Array.from({ length: WAITING }, strikeOn)).then(() => {
    striking.done = true;
    unlisted();
  });
  await Promise.all(Array.from({ length: SESSIONS }, () => tellOn(striking)));
  const waiting = storm.server.waiting().filter((point) => listed.has(point));
  expect({ faults, unstruck: [...plans, ...waiting] }).toEqual({ faults: [], unstruck: [] });
  await strikes;
});

it('a session that was at work goes on by itself, soon', () => {
  // On a machine of its own it is five seconds, which the storm of `pnpm chaos` holds it to. A busy one takes longer to
  // start what died; what waits for somebody to ask waits longer than this.
  for (const { name, p99 } of storm.resumes.summary()) expect(p99, name).toBeLessThanOrEqual(60_000);
});
