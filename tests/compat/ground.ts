// What the cases share: one platform, one client whose every method is watched, and the few things most of them need.
import type Anthropic from '@anthropic-ai/sdk';
import type { TestPlatform } from '../support/test-platform.ts';
import type { MethodBook } from './methods.ts';

export interface Ground {
  platform: TestPlatform;
  client: Anthropic;
  book: MethodBook;
  /** Of an agent with every tool of the sandbox. */
  agentId: string;
  environmentId: string;
  /** A server on this machine that knows nothing of what it is asked. */
  nobody: string;
}

/** Cases are declared before the platform stands. */
export type Cases = (ground: () => Ground) => void;

export const MODEL = 'claude-sonnet-4-6';

export const text = (words: string) => [{ type: 'text' as const, text: words }];

/** What the model does, as the development model is told. */
export const tool = (name: string, input: object) => `[[tool ${name} ${JSON.stringify(input)}]]`;

export async function collect<T>(list: AsyncIterable<T>): Promise<T[]> {
  const items: T[] = [];
  for await (const item of list) items.push(item);
  return items;
}

const WITHIN_MS = 60_000;

/** Looks until it is there. */
export async function until<T>(look: () => Promise<T | null | undefined | false>): Promise<T> {
  for (const stop = Date.now() + WITHIN_MS; Date.now() < stop; ) {
    const found = await look();
    if (found) return found;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  throw new Error('it never came');
}

/** The session's events once it has come to rest so often. */
export async function atRest({ client }: Ground, sessionId: string, times = 1) {
  return until(async () => {
    const events = await collect(client.beta.sessions.events.list(sessionId));
    return events.filter(({ type }) => type === 'session.status_idle').length >= times && events;
  });
}

export async function say({ client }: Ground, sessionId: string, words: string) {
  return client.beta.sessions.events.send(sessionId, {
    events: [{ type: 'user.message', content: text(words) }],
  });
}
