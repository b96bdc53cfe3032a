// A session with a long log that is in no memory: how long its first answer takes, and what memory that takes.
import { show } from '../aims.ts';
import { Conversation } from '../conversation.ts';
import { type EngineBench, TEXT_TURN } from '../engine-bench.ts';
import { quantile } from '../statistics.ts';

const LENGTH = 100_000;
const TIMES = 3;
const MOST_MEBIBYTES = 128;

export async function measureWake(bench: EngineBench): Promise<void> {
  const long = (await bench.log(LENGTH)).sessionId;
  const short = (await bench.log(0)).sessionId;
  const first: number[] = [];
  const wakes: number[] = [];
  const shorts: number[] = [];
  const peaks: number[] = [];
  const turns: number[] = [];
  for (let index = 0; index < TIMES; index++) {
    await bench.restart();
    // The Workers' own first request is not the session's wake.
    first.push(await answered(bench, '/v1/sessions?limit=1'));
    shorts.push(await answered(bench, `/v1/sessions/${short}`));
    const before = bench.sessionsMemory();
    const peak = watchPeak(bench);
    wakes.push(await answered(bench, `/v1/sessions/${long}`));
    const conversation = await Conversation.join(bench.client, long);
    turns.push((await conversation.turn(TEXT_TURN)).idle);
    conversation.close();
    peaks.push(peak() - before);
  }
  show({ name: 'first request after a restart', value: quantile(first, 0.5), unit: 'ms' });
  show({ name: 'wake of a new session', value: quantile(shorts, 0.5), unit: 'ms' });
  show({
    name: `wake of ${LENGTH.toLocaleString('en')} events`,
    value: quantile(wakes, 0.5),
    unit: 'ms',
    aim: { most: 1_000 },
  });
  show({ name: '  its first turn', value: quantile(turns, 0.5), unit: 'ms' });
  show({
    name: '  memory at its peak, over what there was',
    value: quantile(peaks, 0.5),
    unit: 'MiB',
    aim: { most: MOST_MEBIBYTES },
  });
}

async function answered(bench: EngineBench, path: string): Promise<number> {
  const startedAt = performance.now();
  await bench.client.request('GET', path);
  return performance.now() - startedAt;
}

/** Samples until it is asked for the most. */
function watchPeak(bench: EngineBench): () => number {
  let most = bench.sessionsMemory();
  const look = () => {
    most = Math.max(most, bench.sessionsMemory());
  };
  const timer = setInterval(look, 25);
  return () => {
    clearInterval(timer);
    look();
    return most;
  };
}
