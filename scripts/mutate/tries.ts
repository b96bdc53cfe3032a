// Tries mutants inside one vitest process that has loaded every test once: for each, the tests that reach it run, those that
// noticed its neighbours first and the quick ones before the slow, until one fails.
import { appendFileSync, existsSync, readFileSync, utimesSync, writeFileSync } from 'node:fs';
import fc from 'fast-check';
import { it, type RunnerTask, type RunnerTestCase, TestRunner } from 'vitest';
import { PLAN, type Plan, type Reach, type Said } from './plan.ts';

declare global {
  var mutates: (id: number) => boolean;
}

/** Of the processor, for one test: beyond that it hangs. */
const LEAST_LIMIT_MS = 2_000;
const SLOWER = 8;
const TICK_MS = 25;
/** So many turns of the event loop in which nothing is done: it waits for what never comes. */
const IDLE_TICKS = 40;
const IDLE_MS = 40;
/** Time goes as this process uses the processor, and faster: who waits for a condition gives up sooner. */
const HURRY = 15;
/** Tests that noticed something last are asked first. */
const KEEN = 8;

interface Known {
  name: string;
  ms: number;
  reaches: ReadonlySet<number>;
  run(): Promise<void>;
}

const plan: Plan = JSON.parse(readFileSync(process.env[PLAN] ?? '', 'utf8'));
const began = Date.now();
Date.now = () => began + Math.floor(usedMs() * HURRY);
fc.configureGlobal({ seed: 20_260_101, endOnFailure: true });
setInterval(() => utimesSync(plan.report, new Date(), new Date()), 1_000).unref();

let active = plan.always ?? -1;
let reached = new Set<number>();
globalThis.mutates = (id) => {
  reached.add(id);
  return id === active;
};
for (const path of plan.tests) await import(path);
const loading = [...reached];

it('tries every mutant', async ({ task }) => {
  const tests = testsOf(task.file.tasks).filter((test) => test !== task);
  const known = await knownOf(tests);
  let keen: Known[] = [];
  for (const id of plan.tries) {
    say({ begins: id });
    const near = plan.always === undefined ? known.filter(({ reaches }) => reaches.has(id)) : known;
    const [first, then] = [
      keen.filter((one) => near.includes(one)),
      near.filter((one) => !keen.includes(one)),
    ];
    active = id;
    const by = await firstToFail([...first, ...then]);
    active = plan.always ?? -1;
    if (by !== null) keen = [by, ...keen.filter((one) => one !== by)].slice(0, KEEN);
    const missed = near.length === 0 ? 'unreached' : 'survives';
    say({ id, verdict: by === null ? missed : 'noticed', by: by?.name ?? '' });
  }
});

function say(said: Said): void {
  appendFileSync(plan.report, `${JSON.stringify(said)}\n`);
}

function testsOf(tasks: readonly RunnerTask[]): RunnerTestCase[] {
  return tasks.flatMap((task) => ('tasks' in task ? testsOf(task.tasks) : [task]));
}

/** The quick ones first. */
async function knownOf(tests: readonly RunnerTestCase[]): Promise<Known[]> {
  if (!existsSync(plan.reach)) writeFileSync(plan.reach, JSON.stringify(await measure(tests)));
  const reach: Reach = JSON.parse(readFileSync(plan.reach, 'utf8'));
  const known = reach.tests.map(({ name, ms, ids }, index) => {
    const test = tests[index];
    if (test === undefined) throw new Error(`no test ${name} any more`);
    return { name, ms, reaches: new Set(ids), run: () => runOf(test) };
  });
  const quick = known.filter(({ ms }) => ms < plan.quickMs);
  return quick.sort((one, other) => one.ms - other.ms);
}

/** Which test reaches what, with no mutant in place: all of them pass. */
async function measure(tests: readonly RunnerTestCase[]): Promise<Reach> {
  const measured: Reach = { tests: [], loading };
  for (const test of tests) {
    reached = new Set();
    const from = usedMs();
    await runOf(test);
    measured.tests.push({ name: test.fullName, ms: Math.round(usedMs() - from), ids: [...reached] });
  }
  return measured;
}

async function runOf(test: RunnerTestCase): Promise<void> {
  await TestRunner.getTestFn(test)();
}

async function firstToFail(tests: readonly Known[]): Promise<Known | null> {
  for (const test of tests) if (!(await passes(test))) return test;
  return null;
}

function passes({ run, ms }: Known): Promise<boolean> {
  const limit = usedMs() + Math.max(LEAST_LIMIT_MS, ms * SLOWER);
  return new Promise((resolve) => {
    const recent: number[] = [];
    const watch = setInterval(() => {
      const now = usedMs();
      recent.push(now);
      const idle = recent.length > IDLE_TICKS && now - (recent.shift() ?? now) < IDLE_MS;
      if (idle || now > limit) end(false);
    }, TICK_MS);
    const end = (passed: boolean) => {
      clearInterval(watch);
      resolve(passed);
    };
    run().then(
      () => end(true),
      () => end(false),
    );
  });
}

function usedMs(): number {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1_000;
}
