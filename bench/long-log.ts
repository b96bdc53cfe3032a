// Sessions with long logs, made through the API: interrupts of an idle session, a hundred in a send. They are in the log
// and in no model's context, so what grows is the log alone.
import type { ApiClient } from './api-client.ts';
import { Conversation } from './conversation.ts';

const PER_SEND = 100;
const AT_ONCE = 4;
const SETTLED_WITHIN_MS = 60_000;

/** A new session after one turn, its log at least so long. */
export async function longLog(client: ApiClient, agent: string, length: number): Promise<Conversation> {
  const conversation = await Conversation.open(client, agent);
  await conversation.turn('[[words 4]]');
  let left = Math.ceil((length - conversation.position) / PER_SEND);
  const batch = Array.from({ length: PER_SEND }, () => ({ type: 'user.interrupt' }));
  const fill = async () => {
    while (left-- > 0) await conversation.send(batch);
  };
  await Promise.all(Array.from({ length: AT_ONCE }, fill));
  await reached(conversation, length);
  return conversation;
}

async function reached(conversation: Conversation, length: number): Promise<void> {
  for (const stop = performance.now() + SETTLED_WITHIN_MS; conversation.position < length; ) {
    if (performance.now() > stop)
      throw new Error(
        `The log stands at ${conversation.position}, not ${length}: interrupts no longer lengthen it.`,
      );
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}
