// An advisor is asked in a thread of its own that ends with its answer; and agents that one writes itself work like others.
import type { AgentSnapshot } from '@capstan/schema/agents';
import { describe, expect, it } from 'vitest';
import { MAX_CHILDREN } from './delegation.ts';
import { say, use } from './scripted-harness.ts';
import { Crew, PRIMARY } from './testing/crew.ts';
import { quiesce, until } from './testing.ts';

const advisor = { type: 'advisor' as const, model: 'wise-model' };
const advised: Pick<AgentSnapshot, 'multiagent'> = {
  multiagent: { type: 'coordinator', agents: [advisor] },
};
const writing: Pick<AgentSnapshot, 'multiagent'> = {
  multiagent: {
    type: 'multiagent_20261001',
    advisor: { type: 'disabled' },
    subagents: { type: 'enabled', inline_agents: { type: 'enabled' }, predefined_agents: [] },
    workflows: { type: 'disabled' },
  },
};
const ask = (question: string) => use('consult_advisor', { question });
const message = (text: string) => ({
  type: 'user.message' as const,
  content: [{ type: 'text' as const, text }],
});

/** A consultation under way. */
async function asked() {
  const crew = await Crew.open(advised);
  await crew.send(message('go'));
  (await crew.model(PRIMARY)).settle([ask('What now?')]);
  await until(() => crew.children().length === 1);
  const [thread = ''] = crew.children();
  return { crew, thread };
}

const typesOf = async (crew: Crew, thread: string) => {
  const events = await crew.world.events();
  return events.flatMap((event) => {
    const about = 'session_thread_id' in event && event.session_thread_id === thread;
    const said = 'from_session_thread_id' in event && event.from_session_thread_id === thread;
    return about || said ? [event.type] : [];
  });
};

describe('a consultation', () => {
  it('is one call of the advisor, without tools, that sees the question alone', async () => {
    const { crew, thread } = await asked();
    const { call } = await crew.model(thread);
    expect(call.agent).toMatchObject({ name: 'anthropic.advisor', model: { id: 'wise-model' }, tools: [] });
    expect(call.tools).toEqual([]);
    expect(JSON.stringify(call.context)).toContain('What now?');
    expect(JSON.stringify(call.context)).not.toContain('"go"');
    const shown = crew.runtime.threads.find(({ id }) => id === thread);
    expect(shown?.agent).toEqual(advisor);
  });

  it('is over with its answer, which the agent reads', async () => {
    const { crew, thread } = await asked();
    (await crew.model(PRIMARY)).settle([say('I wait.')]);
    (await crew.model(thread)).settle([say('Sleep on it.')]);
    const next = await crew.model(PRIMARY);
    expect(JSON.stringify(next.input)).toContain('Sleep on it.');
    expect(JSON.stringify(next.input)).toContain('What now?');
    next.settle([say('done')]);
    await until(() => crew.runtime.view.status === 'idle');
    expect(crew.runtime.threads.at(-1)).toMatchObject({ id: thread, status: 'terminated' });
    expect(await typesOf(crew, thread)).toEqual([
      'session.thread_created',
      'session.thread_status_running',
      'session.thread_status_idle',
      'session.thread_status_terminated',
      'agent.thread_message_received',
    ]);
    const names = (await crew.world.events()).flatMap((event) =>
      'agent_name' in event && event.session_thread_id === thread ? [event.agent_name] : [],
    );
    expect(new Set(names)).toEqual(new Set(['anthropic.advisor']));
    const types = (await crew.world.events()).map(({ type }) => type);
    expect(types).not.toContain('agent.tool_use');
  });

  it('survives a restart, and takes no other message', async () => {
    const { crew, thread } = await asked();
    await crew.restart();
    (await crew.model(PRIMARY)).settle([use('delegate', { thread_id: thread, message: 'more' })]);
    const refused = await crew.model(PRIMARY);
    expect(refused.input.at(-1)).toMatchObject({ isError: true });
    refused.settle([say('I wait.')]);
    (await crew.model(thread)).settle([say('Sleep on it.')]);
    (await crew.model(PRIMARY)).settle([say('done')]);
    await until(() => crew.runtime.view.status === 'idle');
    expect(crew.runtime.threads.at(-1)).toMatchObject({ status: 'terminated' });
  });

  it('takes none of the places that threads have', async () => {
    const crew = await Crew.open(advised);
    await crew.send(message('go'));
    const questions = Array.from({ length: MAX_CHILDREN + 1 }, (_, index) => ask(`Question ${index}`));
    (await crew.model(PRIMARY)).settle(questions);
    await until(() => crew.children().length === MAX_CHILDREN + 1);
    await quiesce();
    expect(crew.runtime.threads).toHaveLength(MAX_CHILDREN + 2);
  });

  it('is over when it is interrupted', async () => {
    const { crew, thread } = await asked();
    await crew.model(thread);
    await crew.send({ type: 'user.interrupt', session_thread_id: thread });
    expect(crew.runtime.threads.at(-1)).toMatchObject({ id: thread, status: 'terminated' });
  });
});

describe('an agent that another writes', () => {
  const words = { name: 'Poet', description: 'Writes verse', system: 'You write verse.' };

  it('works with the tools and the model of its author, in its own words, also after a restart', async () => {
    const crew = await Crew.open(writing);
    await crew.send(message('go'));
    const first = await crew.model(PRIMARY);
    expect(first.call.tools.map(({ name }) => name)).toEqual(['delegate']);
    first.settle([use('delegate', { new_agent: words, message: 'A haiku' })]);
    await until(() => crew.children().length === 1);
    await crew.restart();
    const [thread = ''] = crew.children();
    const { agent } = (await crew.model(thread)).call;
    const { model, tools } = crew.world.spec.agent;
    expect(agent).toMatchObject({ ...words, model, tools });
    const shown = crew.runtime.threads.at(-1)?.agent;
    expect(shown).toMatchObject({ type: 'inline', ...words, tools });
    expect(shown).not.toHaveProperty('id');
    const [created] = (await crew.world.events()).filter(({ type }) => type === 'session.thread_created');
    expect(created).toMatchObject({ agent_name: 'Poet' });
  });

  it('is refused where nobody may write one', async () => {
    const crew = await Crew.open();
    await crew.send(message('go'));
    (await crew.model(PRIMARY)).settle([use('delegate', { new_agent: words, message: 'A haiku' })]);
    const next = await crew.model(PRIMARY);
    expect(next.input.at(-1)).toMatchObject({ isError: true });
    expect(crew.children()).toEqual([]);
  });
});
