// The tools of a step, all at once. A use is in the log before it is performed, its result after (R6); a call that a
// dead process had begun is recovered, and when nobody can know what became of it, its result says so.
import { isApiError } from '@capstan/schema/error';
import type { ToolCall, ToolOutcome } from './harness.ts';
import type { OpenCall } from './state.ts';
import type { Desk, Turn } from './turn.ts';

const UNKNOWN = failed(
  'Outcome unknown: the process that ran this call stopped before its result was written down, so it may or may not ' +
    'have taken effect. Check before you run it again.',
);

export async function performCalls(turn: Turn, desk: Desk, calls: readonly OpenCall[]): Promise<void> {
  await Promise.all(calls.map((call) => perform(turn, desk, call)));
}

async function perform(turn: Turn, desk: Desk, open: OpenCall): Promise<void> {
  const call = toToolCall(desk, open);
  const outcome = await unlessStopped(outcomeOf(turn, desk, { call, begun: open.begun }), turn.signal);
  if (outcome === null) {
    if (turn.signal.reason === 'stopped') await cancelCall(desk, open);
    return;
  }
  await keep(turn, desk, { callId: open.id, outcome });
}

async function outcomeOf(
  turn: Turn,
  desk: Desk,
  { call, begun }: { call: ToolCall; begun: boolean },
): Promise<ToolOutcome> {
  try {
    if (!begun) return await desk.harness.perform(call, turn.signal);
    return (await desk.harness.recover(call, turn.signal)) ?? UNKNOWN;
  } catch (error) {
    // Nobody waits for what a stopped call says, and being stopped is no failure.
    if (!turn.signal.aborted)
      desk.logger.error('tool.failed', { tool: call.name, effect_id: call.effectId }, error);
    return failed('The tool failed inside the platform; the cause is in the server log.');
  }
}

/** A result too long to keep becomes one that says so: a call never stays open. */
async function keep(turn: Turn, desk: Desk, result: { callId: string; outcome: ToolOutcome }): Promise<void> {
  try {
    await desk.submit(turn.id, { kind: 'tool_result', ...result });
  } catch (error) {
    if (!isApiError(error) || error.code !== 'too_large') throw error;
    const outcome = failed('The result of this call is too long to keep. Ask for less of it at a time.');
    await desk.submit(turn.id, { kind: 'tool_result', callId: result.callId, outcome });
  }
}

/** Stops what a call is doing. Never rejects: what cannot be stopped ends at its own limit. */
export async function cancelCall(desk: Desk, open: OpenCall): Promise<void> {
  const call = toToolCall(desk, open);
  try {
    await desk.harness.cancel(call);
  } catch (error) {
    desk.logger.error('tool.cancel_failed', { tool: call.name, effect_id: call.effectId }, error);
  }
}

/** What the work brings, or null as soon as the signal is aborted. Leaves nothing on the signal: a turn has many calls. */
function unlessStopped<T>(work: Promise<T>, signal: AbortSignal): Promise<T | null> {
  return new Promise((resolve, reject) => {
    const stop = () => resolve(null);
    if (signal.aborted) stop();
    signal.addEventListener('abort', stop, { once: true });
    work.then(resolve, reject).finally(() => signal.removeEventListener('abort', stop));
  });
}

function toToolCall(desk: Desk, { id, name, input }: OpenCall): ToolCall {
  return { effectId: id, name, input, agent: desk.spec.agent };
}

function failed(text: string): ToolOutcome {
  return { content: [{ type: 'text', text }], isError: true };
}
