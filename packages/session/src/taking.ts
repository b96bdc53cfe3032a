// Input taken by its thread: what is due with the next model call, and how it then stands on the log.
import type { ThreadContent, UserContent } from '@capstan/schema/content';
import { sizeOfContent } from './content-size.ts';
import { type Entry, made, noted, ownedBy, type Stamp, toTimestamp } from './entry.ts';
import type { Input, ThreadState } from './state.ts';

/** Within a tool loop the model reads all that came in; between replies one message is answered at a time. */
export function dueInput(thread: ThreadState): Input[] {
  const { queue, unanswered, unseen, steps } = thread;
  if ((unanswered || unseen) && steps > 0) return [...queue];
  // What the system says with a message, or with an answer that is not replied to yet, is read with it.
  const from = unanswered ? 0 : 1;
  const rest = queue.findIndex((input, at) => at >= from && !isRule(input));
  return queue.slice(0, rest < 0 ? queue.length : rest);
}

function isRule(input: Input): boolean {
  return input.kind === 'event' && input.event.type === 'system.message';
}

/** Input as it stands once the agent has it: what was queued under the same ids, now processed. */
export function take(thread: ThreadState, inputs: readonly Input[], stamp: Stamp): Entry[] {
  return inputs.flatMap((input) => {
    const spill = input.spill ? { spill: input.spill } : {};
    if (input.kind === 'event') {
      const event = { ...input.event, processed_at: toTimestamp(stamp.now) };
      return ownedBy(thread, [noted({ event }, spill)], true);
    }
    const { from, fromName, content, run } = input;
    const received = made(stamp, 'agent.thread_message_received', {
      from_session_thread_id: from,
      from_agent_name: fromName,
      content,
    });
    return ownedBy(thread, [noted(received, { ...spill, delivers: input.id, ...(run ? { run } : {}) })]);
  });
}

/** How much of a context it takes up. */
export function sizeOfInput(input: Input): number {
  const spilled = (input.spill ?? []).reduce((sum, { bytes, chars = bytes }) => sum + chars, 0);
  return sizeOfContent(contentOf(input)) + spilled;
}

export function contentOf(input: Input): readonly (UserContent | ThreadContent)[] {
  return input.kind === 'message' ? input.content : input.event.content;
}
