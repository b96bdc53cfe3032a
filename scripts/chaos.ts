// `npx -y pnpm@12.21.0 chaos [--runs 1000] [--seed N] [--at-once 16]`: scripted conversations while processes are killed at
// random failpoints. Each run is a session of its own, told and struck by its seed. Ends with 1 when anything that was
// accepted is lost or there twice, an effect came twice, a session hangs, or resuming takes too long.
import { appendFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { FAILPOINTS } from '../tests/support/failpoint-names.ts';
import type { Outcome } from '../tests/support/player.ts';
import type { Target } from '../tests/support/processes.ts';
import { Random } from '../tests/support/random.ts';
import { Storm } from '../tests/support/storm.ts';
import { tellStory } from '../tests/support/story.ts';
import { FAULTS } from '../tests/support/verdict.ts';

const RESUME_WITHIN_MS = 5_000;
/** The runtime dies most often: it is what sessions live in. */
const VICTIMS: readonly Target[] = [
  ...Array<Target>(8).fill('workerd'),
  'workers',
  'gateway',
  'gateway',
  'emulator',
  'dev-model',
  'all',
];

const { values: flags } = parseArgs({
  options: {
    runs: { type: 'string', default: '1000' },
    seed: { type: 'string', default: String(Date.now() % 1_000_000) },
    'at-once': { type: 'string', default: '16' },
    log: { type: 'string' },
  },
});
const runs = Number(flags.runs);
const seed = Number(flags.seed);
console.log(`chaos: ${runs} runs from seed ${seed}, ${flags['at-once']} at once`);

const storm = await Storm.begin();
const outcomes: Outcome[] = [];
process.once('SIGINT', () => void report().then(() => process.exit(1)));
let next = 0;
await Promise.all(Array.from({ length: Number(flags['at-once']) }, worker));
await report();

async function worker(): Promise<void> {
  while (next < runs) {
    const index = next++;
    const outcome = await run(seed + index);
    outcomes.push(outcome);
    for (const { kind, what } of outcome.faults)
      note(`run --runs 1 --seed ${seed + index}, ${outcome.session}: ${kind}: ${what}`);
    if (outcomes.length % 25 === 0) note(`${outcomes.length} runs, ${kills()} kills`);
  }
}

async function run(ofSeed: number): Promise<Outcome> {
  const random = new Random(ofSeed);
  const story = tellStory(`s${ofSeed}`, random);
  const target = random.pick(VICTIMS);
  const strike = {
    point: random.pick(FAILPOINTS),
    nth: 1 + random.below(2),
    afterMs: random.next() < 0.6 ? undefined : random.below(30),
    kill: () => storm.kill(target),
  };
  // A session also dies of the strikes of all that play beside it.
  return await storm.play(story, (session) => void storm.server.strike({ ...strike, session }));
}

function kills(): number {
  return [...storm.kills.values()].reduce((sum, count) => sum + count, 0);
}

async function report(): Promise<void> {
  await storm.end();
  const counts = FAULTS.map((kind) => {
    const count = outcomes.flatMap(({ faults }) => faults).filter((fault) => fault.kind === kind).length;
    return { kind, count };
  });
  const resumes = storm.resumes.summary();
  const struck = [...storm.kills].map(([target, count]) => `${target} ${count}`).join(', ');
  const gaveUp = outcomes.reduce((sum, outcome) => sum + outcome.givenUp, 0);
  note(
    `\n${outcomes.length} runs, ${kills()} kills (${struck}), ${storm.server.reached.size} failpoints reached`,
  );
  note(counts.map(({ kind, count }) => `${kind} ${count}`).join(', '));
  note(`turns that ended with an error instead of an answer: ${gaveUp}`);
  for (const { name, count, p50, p99, most } of resumes)
    note(`resume, ${name} (${count}): p50 ${p50} ms, p99 ${p99} ms, most ${most} ms`);
  const slow = resumes.some(({ p99 }) => p99 > RESUME_WITHIN_MS);
  process.exitCode = slow || counts.some(({ count }) => count > 0) ? 1 : 0;
}

function note(line: string): void {
  console.log(line);
  if (flags.log !== undefined) appendFileSync(flags.log, `${line}\n`);
}
