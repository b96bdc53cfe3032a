// The memory of the process that holds the sessions, over thousands of them with a turn each.
import { show } from '../aims.ts';
import { Conversation } from '../conversation.ts';
import { type EngineBench, TEXT_TURN } from '../engine-bench.ts';

const AT_ONCE = 10;
const STEPS = 5;
/** Objects that nobody asks anything are put out of memory after ten seconds. */
const REST_MS = 20_000;
/** MiB per thousand sessions, once the process has its size. */
const FLAT = 5;

export async function measureMemory(bench: EngineBench): Promise<void> {
  const unit = 'MiB';
  const sizes: number[] = [];
  const step = bench.sessions / STEPS;
  const startedAt = performance.now();
  for (let made = step; made <= bench.sessions; made += step) {
    let left = step;
    const work = async () => {
      while (left-- > 0) {
        const conversation = await Conversation.open(bench.client, bench.agent);
        await conversation.turn(TEXT_TURN);
        conversation.close();
      }
    };
    await Promise.all(Array.from({ length: AT_ONCE }, work));
    const size = bench.sessionsMemory();
    sizes.push(size);
    show({
      name: `memory of workerd after ${made.toLocaleString('en')} sessions`,
      value: size,
      unit,
    });
  }
  const seconds = (performance.now() - startedAt) / 1_000;
  show({ name: '  sessions made, with a turn each', value: bench.sessions / seconds, unit: '/s' });
  await new Promise((resolve) => setTimeout(resolve, REST_MS));
  show({ name: `  after ${REST_MS / 1_000} s of rest`, value: bench.sessionsMemory(), unit });
  const [, second = Number.NaN] = sizes;
  const thousands = ((STEPS - 2) * step) / 1_000;
  const growth = ((sizes.at(-1) ?? Number.NaN) - second) / thousands;
  show({
    name: `  growth per 1,000 sessions after the first ${(2 * step).toLocaleString('en')}`,
    value: growth,
    unit,
    aim: { most: FLAT },
  });
}
