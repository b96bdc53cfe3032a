// The tools of a step, all at once. A use is in the log before it is performed, its result after (R6); a call that a
// dead process had begun is recovered, and when nobody can know what became of it, its result says so.
import { isApiError } from '@capstan/schema/error';
import type { ToolCall, ToolOutcome } from './harness.ts';
import { inputHash } from './input-hash.ts';
import type { OpenCall } from './state.ts';
import { agentOf, primaryOf, threadOfCall } from './thread.ts';
import type { Desk, Turn } from './turn.ts';

const UNKNOWN = failed(
  'Outcome unknown: the process that ran this call stopped before its result was written down, so it may or may not ' +
    'have taken effect. Check before you run it again.',
);

const GONE = failed('Not run: the input of this call is no longer stored. Make the call again.');

const CHANGED = failed('Not run: the call is not the one that was approved.');

export async function performCalls(turn: Turn, desk: Desk, calls: readonly OpenCall[]): Promise<void> {
  await Promise.all(calls.map((call) => perform(turn, desk, call)));
}

async function perform(turn: Turn, desk: Desk, open: OpenCall): Promise<void> {
  const outcome = await unlessStopped(outcomeOf(turn, desk, open), turn.signal);
  // What a stopped call still does is owed to be stopped, by the log (machine.ts): nothing is left to do here.
  if (outcome !== null) await keep(turn, desk, { callId: open.id, outcome });
}

async function outcomeOf(turn: Turn, desk: Desk, open: OpenCall): Promise<ToolOutcome> {
  try {
    const input = await desk.inputOf(open);
    if (input === null) return open.begun ? UNKNOWN : GONE;
    const call = toToolCall(desk, open, input);
    // Defence in depth: the log cannot change, and what was approved is what is performed.
    if (open.hash !== undefined && open.hash !== (await inputHash(call.input))) return CHANGED;
    // Stopped before it was begun: on the log it is over, so it is not begun any more.
    turn.signal.throwIfAborted();
    if (!open.begun) return await desk.harness.perform(call, turn.signal);
    return (await desk.harness.recover(call, turn.signal)) ?? UNKNOWN;
  } catch (error) {
    // Nobody waits for what a stopped call says, and being stopped is no failure.
    if (!turn.signal.aborted)
      desk.logger.error('tool.failed', { tool: open.name, effect_id: open.id }, error);
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

/** What the work brings, or null as soon as the signal is aborted. Leaves nothing on the signal: a turn has many calls. */
function unlessStopped<T>(work: Promise<T>, signal: AbortSignal): Promise<T | null> {
  return new Promise((resolve, reject) => {
    const stop = () => resolve(null);
    if (signal.aborted) stop();
    signal.addEventListener('abort', stop, { once: true });
    work.then(resolve, reject).finally(() => signal.removeEventListener('abort', stop));
  });
}

function toToolCall(desk: Desk, open: OpenCall, input: ToolCall['input']): ToolCall {
  const thread = threadOfCall(desk.state(), open.id);
  return {
    effectId: open.id,
    name: open.name,
    ...(open.server === undefined ? {} : { server: open.server }),
    input,
    context: async () => {
      const placed = thread === null ? [] : await desk.context(thread.id).items();
      return placed.map(({ item }) => item);
    },
    agent: agentOf({ spec: desk.spec, state: desk.state() }, thread ?? primaryOf(desk.state())),
    shell: shellOf(desk, open),
  };
}

/** Each thread has a shell of its own in the sandbox they share. */
export function shellOf(desk: Pick<Desk, 'state'>, { id }: { id: string }): string {
  const { threads } = desk.state();
  const place = threads.findIndex(({ calls }) => calls.some((call) => call.id === id));
  return place <= 0 ? 'main' : `thread-${place}`;
}

function failed(text: string): ToolOutcome {
  return { content: [{ type: 'text', text }], isError: true };
}
