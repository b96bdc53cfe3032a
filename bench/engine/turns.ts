// A text turn at growing lengths of the log: when the send is answered, when the session runs, and what the engine adds
// to the time the model takes by itself.
import { show } from '../aims.ts';
import type { TurnTimes } from '../conversation.ts';
import { type EngineBench, TEXT_TURN } from '../engine-bench.ts';
import { quantile } from '../statistics.ts';

const LENGTHS = [0, 1_000, 10_000, 100_000];

export async function measureTurns(bench: EngineBench): Promise<void> {
  const model = quantile(await modelAlone(bench), 0.5);
  show({ name: 'text turn: the model alone', value: model, unit: 'ms' });
  for (const length of LENGTHS) {
    const conversation = await bench.log(length);
    await conversation.turn(TEXT_TURN);
    const times: TurnTimes[] = [];
    for (let index = 0; index < bench.samples; index++) times.push(await conversation.turn(TEXT_TURN));
    const p50 = (part: keyof TurnTimes) =>
      quantile(
        times.map((turn) => turn[part]),
        0.5,
      );
    const at = `at ${length.toLocaleString('en')} events`;
    show({ name: `POST answered, ${at}`, value: p50('accepted'), unit: 'ms', aim: { most: 8 } });
    show({ name: `POST to status_running, ${at}`, value: p50('running'), unit: 'ms', aim: { most: 12 } });
    show({ name: `text turn, ${at}`, value: p50('idle'), unit: 'ms' });
    show({ name: `  over the model’s time`, value: p50('idle') - model, unit: 'ms', aim: { most: 10 } });
  }
}

/** The same words asked of the model directly, the conversation growing as it does in a session. */
async function modelAlone(bench: EngineBench): Promise<number[]> {
  const url = `${bench.modelUrl()}/v1/chat/completions`;
  const messages: object[] = [{ role: 'user', content: TEXT_TURN }];
  const times: number[] = [];
  for (let index = 0; index < bench.samples; index++) {
    const startedAt = performance.now();
    const body = JSON.stringify({ model: 'claude-sonnet-4-6', stream: true, messages });
    const answer = await fetch(url, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body,
    });
    await answer.text();
    times.push(performance.now() - startedAt);
    messages.push({ role: 'assistant', content: 'w1 w2 w3 w4' }, { role: 'user', content: TEXT_TURN });
  }
  return times;
}
