// From the POST of an interrupt to the idle session: while the model streams, and while a command runs.
import { readdirSync, readFileSync } from 'node:fs';
import { show } from '../aims.ts';
import { Conversation } from '../conversation.ts';
import type { EngineBench } from '../engine-bench.ts';
import { quantile } from '../statistics.ts';

const AIM = { most: 100 };
/** A length of sleep that no other process of the machine has. */
const COMMAND = ['sleep', '311.7'];

export async function measureInterrupt(bench: EngineBench): Promise<void> {
  // One each: what was interrupted is still in the context, and the development model obeys the last script in it.
  const talk = await Conversation.open(bench.client, bench.agent);
  const work = await Conversation.open(bench.client, bench.agent);
  const streaming: number[] = [];
  const commands: number[] = [];
  const gone: number[] = [];
  for (let index = 0; index < bench.samples; index++) {
    const begun = talk.until(({ type }) => type === 'span.model_request_start');
    await say(talk, '[[delay 10]] [[words 2000]]');
    await begun;
    await pause(50);
    streaming.push(await interrupt(talk));
  }
  for (let index = 0; index < bench.samples; index++) {
    await say(work, `Run: ${COMMAND.join(' ')}`);
    await until(() => running() > 0);
    const startedAt = performance.now();
    commands.push(await interrupt(work));
    await until(() => running() === 0);
    gone.push(performance.now() - startedAt);
  }
  talk.close();
  work.close();
  const p50 = (name: string, times: readonly number[], aim?: { most: number }) =>
    show({ name, value: quantile(times, 0.5), unit: 'ms', ...(aim && { aim }) });
  p50('interrupt to idle, while the model streams', streaming, AIM);
  p50('interrupt to idle, while a command runs', commands, AIM);
  p50('  until the command is gone', gone);
}

function say(conversation: Conversation, text: string): Promise<void> {
  return conversation.send([{ type: 'user.message', content: [{ type: 'text', text }] }]);
}

async function interrupt(conversation: Conversation): Promise<number> {
  const startedAt = performance.now();
  const idle = conversation.until(({ type }) => type === 'session.status_idle');
  await conversation.send([{ type: 'user.interrupt' }]);
  return (await idle).at - startedAt;
}

async function until(holds: () => boolean): Promise<void> {
  for (const stop = performance.now() + 30_000; !holds(); ) {
    if (performance.now() > stop) throw new Error('the command did not begin, or did not end, in 30 s');
    await pause(5);
  }
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

/** Sandboxes are processes of this machine. */
function running(): number {
  return readdirSync('/proc').filter(
    (pid) => /^\d+$/.test(pid) && commandOf(pid) === `${COMMAND.join('\0')}\0`,
  ).length;
}

function commandOf(pid: string): string {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'utf8');
  } catch {
    return '';
  }
}
