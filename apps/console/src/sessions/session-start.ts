// A new session with its first message. When the message did not get through, trying again goes on with the session
// that was made: it does not make another.
import type { Client } from '@capstan/client/client';
import type { Session } from '@capstan/schema/sessions';

export interface Beginning {
  agentId: string;
  title: string;
  message: string;
}

export class SessionStart {
  #client: Pick<Client, 'sessions' | 'events'>;
  #made: { of: string; session: Session } | null = null;

  constructor(client: Pick<Client, 'sessions' | 'events'>) {
    this.#client = client;
  }

  async begin({ agentId, title, message }: Beginning): Promise<Session> {
    const session = await this.#create(agentId, title || firstLine(message));
    if (message !== '') {
      const content = [{ type: 'text' as const, text: message }];
      await this.#client.events.send({
        params: { session_id: session.id },
        body: { events: [{ type: 'user.message', content }] },
      });
    }
    this.#made = null;
    return session;
  }

  async #create(agent: string, title: string | null): Promise<Session> {
    const of = JSON.stringify([agent, title]);
    if (this.#made?.of === of) return this.#made.session;
    const session = await this.#client.sessions.create({ body: { agent, title } });
    this.#made = { of, session };
    return session;
  }
}

/** A message names its session when the person does not. */
function firstLine(message: string): string | null {
  const line = message.split('\n', 1)[0]?.trim() ?? '';
  return line === '' ? null : line.slice(0, 80);
}
