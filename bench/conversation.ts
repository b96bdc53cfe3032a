// One session with its stream open: sends a message and times what comes back.
import type { ApiClient, StreamedEvent } from './api-client.ts';

export interface TurnTimes {
  /** Milliseconds from just before the send: its answer, the session running, the agent's last message, the session idle. */
  accepted: number;
  running: number;
  message: number;
  idle: number;
}

const TURN_WITHIN_MS = 30_000;

export class Conversation {
  sessionId: string;
  /** The last position of the log that was streamed. */
  position = 0;
  #client: ApiClient;
  #listener: (event: StreamedEvent) => void = () => {};
  #close: () => void = () => {};

  constructor(client: ApiClient, sessionId: string) {
    this.#client = client;
    this.sessionId = sessionId;
  }

  static async open(client: ApiClient, agentId: string): Promise<Conversation> {
    return Conversation.join(client, await client.create('/v1/sessions', { agent: agentId }));
  }

  /** Of a session that is there already. */
  static async join(client: ApiClient, sessionId: string): Promise<Conversation> {
    const conversation = new Conversation(client, sessionId);
    conversation.#close = await client.stream(sessionId, (event) => {
      conversation.position = event.position ?? conversation.position;
      conversation.#listener(event);
    });
    return conversation;
  }

  async turn(text: string): Promise<TurnTimes> {
    const startedAt = performance.now();
    const ended = this.#end(startedAt);
    await this.send([{ type: 'user.message', content: [{ type: 'text', text }] }]);
    const accepted = performance.now() - startedAt;
    return { accepted, ...(await ended) };
  }

  async send(events: readonly object[]): Promise<void> {
    await this.#client.request('POST', `/v1/sessions/${this.sessionId}/events`, { events });
  }

  /** Resolves with the first event it holds for, of those that come from now on. */
  until(holds: (event: StreamedEvent) => boolean): Promise<StreamedEvent> {
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => reject(new Error('not seen in 30 s')), TURN_WITHIN_MS);
      this.#listener = (event) => {
        if (!holds(event)) return;
        clearTimeout(timer);
        resolve(event);
      };
    });
  }

  close(): void {
    this.#close();
  }

  #end(startedAt: number): Promise<Omit<TurnTimes, 'accepted'>> {
    return new Promise((resolve, reject) => {
      let running = Number.NaN;
      let message = Number.NaN;
      const timer = setTimeout(() => reject(new Error('no end of the turn in 30 s')), TURN_WITHIN_MS);
      this.#listener = (event) => {
        if (event.type === 'session.status_running') running = event.at - startedAt;
        if (event.type === 'agent.message') message = event.at - startedAt;
        if (event.type === 'session.error') reject(new Error(event.data));
        if (event.type !== 'session.status_idle') return;
        clearTimeout(timer);
        resolve({ running, message, idle: event.at - startedAt });
      };
    });
  }
}
