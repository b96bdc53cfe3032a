import Anthropic from '@anthropic-ai/sdk';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openTalker, type Talker } from './testing/talker.ts';
import { openWorld, type World } from './testing/world.ts';

let talker: Talker;
let world: World;
let client: Anthropic;

beforeAll(async () => {
  talker = await openTalker();
  world = await openWorld({ modelUrl: talker.url });
  client = new Anthropic({ apiKey: world.key, baseURL: world.url, maxRetries: 2 });
});
afterAll(async () => {
  await world.close();
  talker.close();
});

const look = {
  type: 'custom' as const,
  name: 'look',
  description: 'Looks',
  input_schema: { type: 'object' as const },
};
const say = (text: string) => ({
  events: [{ type: 'user.message' as const, content: [{ type: 'text' as const, text }] }],
});

describe('a deployed session', () => {
  it('is given other tools while it rests, and keeps them when its process ends', async () => {
    const environment = await client.beta.environments.create({ name: 'Open' });
    const agent = await client.beta.agents.create({ name: 'Scribe', model: 'some-model' });
    const { id } = await client.beta.sessions.create({ agent: agent.id, environment_id: environment.id });
    const status = async () => (await client.beta.sessions.retrieve(id)).status;
    talker.holdAfter(1);
    await client.beta.sessions.events.send(id, say('3'));
    await expect.poll(status).toBe('running');
    const refused = { status: 400, apiMessage: expect.stringMatching(/^agent: the session is running/) };
    await expect(client.beta.sessions.update(id, { agent: { tools: [look] } })).rejects.toMatchObject(
      refused,
    );
    await expect(client.beta.sessions.archive(id)).rejects.toMatchObject({ status: 400 });
    await expect(client.beta.sessions.delete(id)).rejects.toMatchObject({ status: 400 });
    talker.letGo();
    await expect.poll(status).toBe('idle');
    const updated = await client.beta.sessions.update(id, { title: 'Tools', agent: { tools: [look] } });
    expect(updated).toMatchObject({ title: 'Tools', agent: { tools: [look] } });
    await world.evict(id);
    expect((await client.beta.sessions.retrieve(id)).agent.tools).toEqual([look]);
    const { data } = await client.beta.sessions.events.list(id, { types: ['session.updated'] });
    expect(data).toMatchObject([{ type: 'session.updated', title: 'Tools', agent: updated.agent }]);
    const listed = await client.beta.sessions.list({ agent_id: agent.id });
    expect(listed.data[0]?.agent.tools).toEqual([look]);
    expect(listed.data[0]?.usage).toMatchObject({ list_cost: null, cache_creation: {} });

    expect(await client.beta.sessions.archive(id)).toMatchObject({ status: 'terminated' });
    const late = client.beta.sessions.update(id, { title: 'Late' }, { maxRetries: 2 });
    await expect(late).rejects.toMatchObject({ status: 409 });
    const headers = { 'x-api-key': world.key };
    const body = JSON.stringify({ title: 'Late' });
    const answer = await world.fetch(`/v1/sessions/${id}`, { method: 'POST', headers, body });
    expect(answer.headers.get('x-should-retry')).toBe('false');
  });
});
