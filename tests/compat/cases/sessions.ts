import { toFile } from '@anthropic-ai/sdk';
import { betaTool } from '@anthropic-ai/sdk/helpers/beta/json-schema';
import { accumulateManagedAgentsEvent } from '@anthropic-ai/sdk/lib/sessions/accumulate';
import { describe, expect, it } from 'vitest';
import { atRest, type Cases, collect, type Ground, MODEL, say, text, tool } from '../ground.ts';

export const sessionCases: Cases = (ground) => {
  describe('beta.sessions', () => {
    definition(ground);
    overrides(ground);
    conversation(ground);
    threads(ground);
    mounts(ground);
    runner(ground);
    beginnings(ground);
  });
};

function begin({ client, agentId, environmentId }: Ground) {
  return client.beta.sessions.create({ agent: agentId, environment_id: environmentId });
}

const definition: Cases = (ground) => {
  it('are created, changed, listed, archived and deleted', async () => {
    const { client, agentId, environmentId } = ground();
    const { sessions } = client.beta;
    const made = await sessions.create({
      agent: { type: 'agent', id: agentId },
      environment_id: environmentId,
      title: 'One',
    });
    expect(made).toMatchObject({
      type: 'session',
      status: 'idle',
      title: 'One',
      agent: { id: agentId, version: 1, multiagent: null },
      resources: [],
      vault_ids: [],
      budget: null,
      outcome_evaluations: [],
      archived_at: null,
    });
    const changed = await sessions.update(made.id, { title: 'Two', metadata: { a: '1' } });
    expect(changed).toMatchObject({ title: 'Two', metadata: { a: '1' } });
    expect(await sessions.retrieve(made.id)).toMatchObject({ id: made.id, title: 'Two' });
    const page = await sessions.list({ agent_id: agentId, statuses: ['idle'], order: 'asc', limit: 1 });
    expect(page.data).toHaveLength(1);
    expect((await collect(sessions.list({ agent_id: agentId }))).map(({ id }) => id)).toContain(made.id);
    expect(await sessions.archive(made.id)).toMatchObject({ status: 'terminated' });
    await expect(say(ground(), made.id, 'late')).rejects.toMatchObject({ status: 409 });
    expect(await sessions.delete(made.id)).toMatchObject({ id: made.id, type: 'session_deleted' });
    await expect(sessions.retrieve(made.id)).rejects.toMatchObject({ status: 404 });
  });
};

const overrides: Cases = (ground) => {
  it('start from an agent with other settings for this session', async () => {
    const { client, agentId, environmentId } = ground();
    const made = await client.beta.sessions.create({
      agent: { type: 'agent_with_overrides', id: agentId, system: 'Only here.', tools: [] },
      environment_id: environmentId,
    });
    expect(made.agent).toMatchObject({ id: agentId, version: 1, system: 'Only here.', tools: [] });
    expect((await client.beta.agents.retrieve(agentId)).system).toBeNull();
  });
};

const conversation: Cases = (ground) => {
  it('say what was said, live and afterwards, with the deltas adding up to it', async () => {
    const { client, book } = ground();
    const session = await begin(ground());
    const stream = await client.beta.sessions.events.stream(session.id, {
      event_deltas: ['agent.message'],
    });
    const sent = await say(ground(), session.id, '[[words 12]]');
    expect(sent.data?.[0]).toMatchObject({ type: 'user.message', id: expect.stringMatching(/^sevt_/) });
    let preview: ReturnType<typeof accumulateManagedAgentsEvent> | null = null;
    let pieces = 0;
    const live = [];
    for await (const event of stream) {
      if (event.type === 'event_start' || event.type === 'event_delta' || event.type === 'agent.message') {
        preview = accumulateManagedAgentsEvent(preview ?? undefined, event);
        pieces += 1;
      }
      live.push(event);
      if (event.type === 'session.status_idle') break;
    }
    book.worked('beta.sessions.events.stream');
    expect(pieces).toBeGreaterThan(2);
    const events = await atRest(ground(), session.id);
    const message = events.find(({ type }) => type === 'agent.message');
    expect(JSON.stringify(message)).toContain('w12');
    const persisted = live.filter((event) => 'id' in event).map((event) => ('id' in event ? event.id : ''));
    expect(persisted).toEqual(expect.arrayContaining(events.map(({ id }) => id)));
    const only = await collect(
      client.beta.sessions.events.list(session.id, { types: ['agent.message'], limit: 1 }),
    );
    expect(only.map(({ type }) => type)).toEqual(['agent.message']);
  });
};

const threads: Cases = (ground) => {
  it('have threads with events of their own', async () => {
    const { client, book, environmentId } = ground();
    const worker = await client.beta.agents.create({ name: 'Helper', model: MODEL });
    const lead = await client.beta.agents.create({
      name: 'Lead',
      model: MODEL,
      multiagent: { type: 'coordinator', agents: [worker.id] },
    });
    const session = await client.beta.sessions.create({ agent: lead.id, environment_id: environmentId });
    await say(ground(), session.id, tool('delegate', { agent: 'Helper', message: 'say hi' }));
    await atRest(ground(), session.id);
    const { threads } = client.beta.sessions;
    const [, child] = await collect(threads.list(session.id));
    if (child === undefined) throw new Error('no thread was started');
    expect(await threads.retrieve(child.id, { session_id: session.id })).toMatchObject({
      agent: { name: 'Helper' },
    });
    const events = await collect(threads.events.list(child.id, { session_id: session.id }));
    expect(events.length).toBeGreaterThan(1);
    const stream = await threads.events.stream(child.id, { session_id: session.id });
    stream.controller.abort();
    book.worked('beta.sessions.threads.events.stream');
    expect((await threads.archive(child.id, { session_id: session.id })).archived_at).not.toBeNull();
  });
};

const mounts: Cases = (ground) => {
  it('have files mounted, added and taken away, and the tokens of repositories replaced', async () => {
    const { client, agentId, environmentId } = ground();
    const { resources } = client.beta.sessions;
    const file = await client.beta.files.upload({ file: await toFile(Buffer.from('a,b'), 'table.csv') });
    const session = await client.beta.sessions.create({
      agent: agentId,
      environment_id: environmentId,
      resources: [
        { type: 'file', file_id: file.id },
        { type: 'github_repository', url: 'https://github.com/o/r', authorization_token: 'ghp_first' },
      ],
    });
    const [, repository] = await collect(resources.list(session.id));
    if (repository?.type !== 'github_repository') throw new Error('no repository');
    const in_session = { session_id: session.id };
    await resources.update(repository.id, { ...in_session, authorization_token: 'ghp_second' });
    expect(await resources.retrieve(repository.id, in_session)).toMatchObject({
      url: 'https://github.com/o/r',
    });
    expect(JSON.stringify(await resources.retrieve(repository.id, in_session))).not.toContain('ghp_');
    const added = await resources.add(session.id, {
      type: 'file',
      file_id: file.id,
      mount_path: '/mnt/session/uploads/b.csv',
    });
    expect(await resources.delete(added.id, in_session)).toMatchObject({
      type: 'session_resource_deleted',
    });
  });
};

const runner: Cases = (ground) => {
  it('let the tool runner answer custom tools', async () => {
    const { client, book, environmentId } = ground();
    const look = betaTool({
      name: 'look_up',
      description: 'Looks something up.',
      inputSchema: { type: 'object', properties: { place: { type: 'number' } }, required: ['place'] },
      run: ({ place }) => `it is place ${place}`,
    });
    const input_schema = { type: 'object' as const, properties: { place: { type: 'number' } } };
    const tools = [{ type: 'custom' as const, name: 'look_up', description: 'Looks up.', input_schema }];
    const agent = await client.beta.agents.create({ name: 'Asker', model: MODEL, tools });
    const session = await client.beta.sessions.create({ agent: agent.id, environment_id: environmentId });
    const runner = client.beta.sessions.events.toolRunner(session.id, { tools: [look], maxIdleMs: 200 });
    await say(ground(), session.id, tool('look_up', { place: 7 }));
    const calls = await collect(runner);
    expect(calls).toHaveLength(1);
    const events = await atRest(ground(), session.id, 2);
    expect(JSON.stringify(events)).toContain('it is place 7');
    book.worked('beta.sessions.events.toolRunner');
  });
};

const beginnings: Cases = (ground) => {
  it('begin with events that were sent at their creation', async () => {
    const { client, agentId, environmentId } = ground();
    const session = await client.beta.sessions.create({
      agent: agentId,
      environment_id: environmentId,
      initial_events: [{ type: 'user.message', content: text('[[say at once]]') }],
      budget: { type: 'limit', max_list_cost: { amount: '500', currency: 'USD' } },
    });
    expect(session.budget).toEqual({ type: 'limit', max_list_cost: { amount: '500', currency: 'USD' } });
    expect(JSON.stringify(await atRest(ground(), session.id))).toContain('at once');
  });
};
