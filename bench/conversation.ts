// One session with its stream open: sends a message and times what comes back.
import type { ApiClient, StreamedEvent } from './api-client.ts';

export interface TurnTimes {
  /** Milliseconds from just before the send: its answer, the agent's last message, the session idle. */
  accepted: number;
  message: number;
  idle: number;
}

const TURN_WITHIN_MS = 30_000;

export class Conversation {
  #client: ApiClient;
  #sessionId: string;
  #listener: (event: StreamedEvent) => void = () => {};
  #close: () => void = () => {};

  constructor(client: ApiClient, sessionId: string) {
    this.#client = client;
    this.#sessionId = sessionId;
  }

  static async open(client: ApiClient, agentId: string): Promise<Conversation> {
    const conversation = new Conversation(client, await client.create('/v1/sessions', { agent: agentId }));
    conversation.#close = await client.stream(conversation.#sessionId, (event) =>
      conversation.#listener(event),
    );
    return conversation;
  }

  async turn(text: string): Promise<TurnTimes> {
    const startedAt = performance.now();
    const ended = this.#end(startedAt);
    const message = { type: 'user.message', content: [{ type: 'text', text }] };
    await this.#client.request('POST', `/v1/sessions/${this.#sessionId}/events`, { events: [message] });
    const accepted = performance.now() - startedAt;
    return { accepted, ...(await ended) };
  }

  close(): void {
    this.#close();
  }

  #end(startedAt: number): Promise<{ message: number; idle: number }> {
    return new Promise((resolve, reject) => {
      let message = Number.NaN;
      const timer = setTimeout(() => reject(new Error('no end of the turn in 30 s')), TURN_WITHIN_MS);
      this.#listener = (event) => {
        if (event.type === 'agent.message') message = event.at - startedAt;
        if (event.type === 'session.error') reject(new Error(event.data));
        if (event.type !== 'session.status_idle') return;
        clearTimeout(timer);
        resolve({ message, idle: event.at - startedAt });
      };
    });
  }
}
