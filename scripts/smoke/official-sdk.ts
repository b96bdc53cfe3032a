// The official SDK, unchanged: what its own documentation does, against this platform.
import Anthropic from '@anthropic-ai/sdk';
import { assertTurnOrder } from './event-order.ts';
import type { Target } from './plain-http.ts';
import { type Check, expect } from './report.ts';

type Event = { type: string; id?: string };

export async function officialSdk(target: Target, check: Check): Promise<void> {
  const client = new Anthropic({
    apiKey: target.apiKey,
    baseURL: target.url,
    timeout: 30_000,
    maxRetries: 0,
  });
  const environment = await check('beta.environments.create', () =>
    client.beta.environments.create({ name: 'smoke' }),
  );
  const agent = await check('beta.agents.create with the agent toolset', () =>
    client.beta.agents.create({
      name: 'SDK',
      model: 'claude-sonnet-4-6',
      system: 'You are brief.',
      tools: [{ type: 'agent_toolset_20260401' }],
    }),
  );
  const session = await check('beta.sessions.create', () =>
    client.beta.sessions.create({ agent: agent.id, environment_id: environment.id }),
  );
  const streamed = await check('events.stream, events.send, iterate to session.status_idle', async () => {
    const stream = await client.beta.sessions.events.stream(session.id);
    const events = [
      { type: 'user.message' as const, content: [{ type: 'text' as const, text: 'Run: echo smoke' }] },
    ];
    await client.beta.sessions.events.send(session.id, { events });
    const seen: Event[] = [];
    for await (const event of stream) {
      seen.push(event);
      if (event.type === 'session.error') throw new Error(JSON.stringify(event));
      if (event.type === 'session.status_idle') break;
    }
    return seen;
  });
  await check('the events come in the promised order', async () =>
    assertTurnOrder(streamed.map(({ type }) => type)),
  );
  await check('events.list, two to a page, has the ids of the stream in its order', async () => {
    const listed: Event[] = [];
    for await (const event of client.beta.sessions.events.list(session.id, { limit: 2 })) listed.push(event);
    const ids = (events: Event[]) => events.map(({ id }) => id).join(' ');
    expect(ids(listed) === ids(streamed), `list: ${ids(listed)}\n    stream: ${ids(streamed)}`);
  });
  await check('beta.sessions.retrieve shows the session idle', async () => {
    const { status } = await client.beta.sessions.retrieve(session.id);
    expect(status === 'idle', status);
  });
}
