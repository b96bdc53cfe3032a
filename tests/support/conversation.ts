// One session as a client of the official SDK sees it: says something, waits for a condition, looks at the events.
import type Anthropic from '@anthropic-ai/sdk';

export type SessionEvents = Awaited<ReturnType<typeof eventsOf>>;

/** What sessions are started from. */
export interface Ground {
  agent: string;
  environment_id: string;
}

/** An agent with every tool of the sandbox, and an environment. */
export async function prepare(client: Anthropic, model: string): Promise<Ground> {
  const agent = await client.beta.agents.create({
    name: 'Under test',
    model,
    tools: [{ type: 'agent_toolset_20260401' }],
  });
  const environment = await client.beta.environments.create({ name: 'Under test' });
  return { agent: agent.id, environment_id: environment.id };
}

const WITHIN_MS = 60_000;

export async function eventsOf(client: Anthropic, sessionId: string) {
  const events = [];
  for await (const event of client.beta.sessions.events.list(sessionId)) events.push(event);
  return events;
}

export class Conversation {
  id: string;
  #client: Anthropic;

  constructor(client: Anthropic, id: string) {
    this.#client = client;
    this.id = id;
  }

  static async begin(client: Anthropic, ground: Ground, text: string): Promise<Conversation> {
    const session = await client.beta.sessions.create(ground);
    const conversation = new Conversation(client, session.id);
    await conversation.say(text);
    return conversation;
  }

  async say(text: string): Promise<void> {
    await this.#client.beta.sessions.events.send(this.id, {
      events: [{ type: 'user.message', content: [{ type: 'text', text }] }],
    });
  }

  /** Looks until it holds, however long the platform is away meanwhile. */
  async until(holds: (events: SessionEvents) => boolean, withinMs = WITHIN_MS): Promise<SessionEvents> {
    for (const stop = Date.now() + withinMs; Date.now() < stop; ) {
      const events = await eventsOf(this.#client, this.id).catch(() => []);
      if (holds(events)) return events;
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
    throw new Error(`never came true: ${JSON.stringify(await eventsOf(this.#client, this.id), null, 1)}`);
  }

  /** Until the session has come to rest so often. */
  ended(times = 1, withinMs = WITHIN_MS): Promise<SessionEvents> {
    return this.until((events) => count(events, 'session.status_idle') >= times, withinMs);
  }
}

export function has(type: string): (events: SessionEvents) => boolean {
  return (events) => events.some((event) => event.type === type);
}

export function count(events: SessionEvents, type: string): number {
  return events.filter((event) => event.type === type).length;
}

/** The events of one type as JSON text, to look for words in. */
export function textOf(events: SessionEvents, type: string): string {
  return JSON.stringify(events.filter((event) => event.type === type));
}
