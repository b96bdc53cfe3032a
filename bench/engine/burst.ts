// Turns of many sessions at the same moment.
import { show } from '../aims.ts';
import { Conversation } from '../conversation.ts';
import { type EngineBench, TEXT_TURN } from '../engine-bench.ts';
import { quantile } from '../statistics.ts';

const SESSIONS = 200;
const TIMES = 3;

export async function measureBurst(bench: EngineBench): Promise<void> {
  const conversations: Conversation[] = [];
  for (let index = 0; index < SESSIONS; index++)
    conversations.push(await Conversation.open(bench.client, bench.agent));
  const rates: number[] = [];
  let failed = 0;
  for (let index = 0; index < TIMES; index++) {
    const startedAt = performance.now();
    const turns = await Promise.allSettled(conversations.map((conversation) => conversation.turn(TEXT_TURN)));
    rates.push((SESSIONS * 1_000) / (performance.now() - startedAt));
    failed += turns.filter(({ status }) => status === 'rejected').length;
  }
  for (const conversation of conversations) conversation.close();
  const unit = 'turns/s';
  show({ name: `${SESSIONS} turns at once, in new sessions`, value: rates[0] ?? 0, unit });
  show({ name: `${SESSIONS} turns at once`, value: quantile(rates, 0.5), unit, aim: { least: 80 } });
  show({ name: `  of ${SESSIONS * TIMES} failed`, value: failed, unit: '', aim: { most: 0 } });
}
