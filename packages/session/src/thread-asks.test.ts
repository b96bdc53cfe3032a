// What a thread asks of people: shown by the session, answered there, and brought back to the thread that asked.
import type { EventParam } from '@capstan/schema/events/user-events';
import { describe, expect, it } from 'vitest';
import { outcome, say, use } from './scripted-harness.ts';
import { Crew, message, PRIMARY, wordsOf } from './testing/crew.ts';
import { until } from './testing.ts';

const allow = (id: string): EventParam => ({
  type: 'user.tool_confirmation',
  tool_use_id: id,
  result: 'allow',
});
const deny = (id: string, why: string): EventParam => ({
  ...{ type: 'user.tool_confirmation', tool_use_id: id, result: 'deny', deny_message: why },
});
const answer = (id: string, text: string): EventParam => ({
  type: 'user.custom_tool_result',
  custom_tool_use_id: id,
  content: [{ type: 'text', text }],
});

/** A scout that has asked to write, while its coordinator waits. */
async function asked() {
  const crew = await Crew.open();
  const [scout = ''] = await crew.delegated(['scout', 'look']);
  const ask = await crew.uses(scout, 'write', { path: 'a' });
  await crew.says(PRIMARY, 'I wait');
  await crew.rests();
  return { crew, scout, ask };
}

describe('an ask of a thread', () => {
  it('is shown by the session with its thread, and the session waits for it', async () => {
    const { crew, scout, ask } = await asked();
    const shown = (await crew.events()).find(({ id }) => id === ask);
    expect(shown).toMatchObject({
      type: 'agent.tool_use',
      name: 'write',
      evaluated_permission: 'ask',
      session_thread_id: scout,
      input: { path: 'a' },
    });
    const requires = { type: 'requires_action', event_ids: [ask] };
    expect(await crew.stops()).toEqual([requires]);
    expect((await crew.events(scout)).at(-1)).toMatchObject({
      type: 'session.thread_status_idle',
      session_thread_id: scout,
      stop_reason: requires,
    });
    expect(crew.status(scout)).toBe('idle');
    expect((await crew.types(scout)).includes('session.status_idle')).toBe(false);
  });

  it('is answered on the session: the thread goes on, its coordinator does not', async () => {
    const { crew, scout, ask } = await asked();
    const { events } = await crew.send(allow(ask));
    expect(events[0]).toMatchObject({ session_thread_id: scout });
    expect(crew.status(scout)).toBe('running');
    (await crew.tool(ask)).settle(outcome('written'));
    const next = await crew.model(scout);
    expect(wordsOf(next.input.slice(-1))).toContain('written');
    expect(crew.status(PRIMARY)).toBe('idle');
    const answered = ['user.tool_confirmation', 'agent.tool_result'];
    expect((await crew.types()).filter((type) => answered.includes(type))).toEqual(answered);
    expect((await crew.types(scout)).filter((type) => answered.includes(type))).toEqual(answered);
    next.settle([say('done')]);
    const parent = await crew.model(PRIMARY);
    expect(wordsOf(parent.input)).not.toContain('written');
    parent.settle([say('good')]);
    await crew.rests();
    expect((await crew.stops()).at(-1)).toEqual({ type: 'end_turn' });
  });

  it('that is denied comes back to the thread with the reason', async () => {
    const { crew, scout, ask } = await asked();
    await crew.send(deny(ask, 'not there'));
    const next = await crew.model(scout);
    expect(next.input.at(-1)).toMatchObject({ type: 'tool_result', callId: ask, isError: true });
    expect(wordsOf(next.input.slice(-1))).toContain('not there');
    expect(crew.world.harness.performed).toEqual([]);
    expect(crew.asks(PRIMARY)).toBe(false);
  });

  it('for a result of a custom tool is answered by the client', async () => {
    const crew = await Crew.open();
    const [scout = ''] = await crew.delegated(['scout', 'look']);
    const ticket = await crew.uses(scout, 'ticket');
    await crew.says(PRIMARY, 'I wait');
    await crew.rests();
    expect((await crew.events()).find(({ id }) => id === ticket)).toMatchObject({ session_thread_id: scout });
    const { events } = await crew.send(answer(ticket, 'number 7'));
    expect(events[0]).toMatchObject({ session_thread_id: scout, processed_at: expect.any(String) });
    expect(wordsOf((await crew.model(scout)).input.slice(-1))).toContain('number 7');
    const results = (await crew.events()).filter(({ type }) => type === 'user.custom_tool_result');
    expect(results).toHaveLength(1);
  });

  it('is listed with those of all other threads, and what is left is said again after each answer', async () => {
    const crew = await Crew.open();
    const [scout = '', scribe = ''] = await crew.delegated(['scout', 'a'], ['scribe', 'b']);
    (await crew.model(scout)).settle([use('write', { path: 'a' }), use('ticket')]);
    await until(() => crew.status(scout) === 'idle');
    const third = await crew.uses(scribe, 'write', { path: 'b' });
    const own = await crew.uses(PRIMARY, 'ticket');
    await crew.rests();
    const used = (await crew.events(scout)).filter(({ type }) => type.endsWith('tool_use'));
    const [first = '', second = ''] = used.map(({ id }) => id);
    const left = async () => {
      const stop = (await crew.stops()).at(-1);
      return stop?.type === 'requires_action' ? stop.event_ids : stop;
    };
    expect(await left()).toEqual([own, first, second, third]);
    await crew.send(answer(second, 'x'));
    expect(await left()).toEqual([own, first, third]);
    expect((await crew.events(scout)).at(-1)).toMatchObject({
      stop_reason: { type: 'requires_action', event_ids: [first] },
    });
    const before = (await crew.stops()).length;
    await crew.send(allow(third));
    expect(crew.runtime.view.status).toBe('running');
    expect((await crew.stops()).length).toBe(before);
    (await crew.tool(third)).settle(outcome('b'));
    await crew.says(scribe, 'written');
    await crew.rests();
    expect(await left()).toEqual([own, first]);
    await crew.send(allow(first), answer(own, 'y'));
    (await crew.tool(first)).settle(outcome('a'));
    await until(() => crew.asks(PRIMARY) && crew.asks(scout));
  });

  it('is asked while others work: the session waits for it once they rest', async () => {
    const crew = await Crew.open();
    const [scout = ''] = await crew.delegated(['scout', 'look']);
    const ask = await crew.uses(scout, 'write');
    await until(() => crew.status(scout) === 'idle');
    expect(crew.runtime.view.status).toBe('running');
    expect(await crew.stops()).toEqual([]);
    await crew.send(allow(ask));
    (await crew.tool(ask)).settle(outcome('ok'));
    await crew.says(scout, 'done');
    await until(() => crew.status(scout) === 'idle');
    expect((await crew.types()).filter((type) => type === 'session.status_running')).toHaveLength(1);
  });

  it('cannot be answered twice, nor with the wrong kind of answer', async () => {
    const { crew, ask } = await asked();
    const refused = { code: 'invalid_request' };
    await expect(crew.send(answer(ask, 'x'))).rejects.toMatchObject(refused);
    await crew.send(allow(ask));
    await expect(crew.send(allow(ask))).rejects.toMatchObject(refused);
    await crew.tool(ask);
    expect(crew.world.harness.performed).toEqual([ask]);
  });

  it('outlives the process, hours later', async () => {
    const { crew, scout, ask } = await asked();
    crew.world.now += 7 * 3_600_000;
    await crew.restart();
    expect(crew.runtime.view.status).toBe('idle');
    await crew.send(allow(ask));
    (await crew.tool(ask)).settle(outcome('written'));
    expect(wordsOf((await crew.model(scout)).input)).toContain('written');
  });

  it('goes away when its thread is archived: no answer is taken, and its coordinator is told', async () => {
    const { crew, scout, ask } = await asked();
    await crew.runtime.archiveThread(scout);
    await expect(crew.send(allow(ask))).rejects.toMatchObject({ code: 'invalid_request' });
    const result = (await crew.events()).find(({ type }) => type === 'agent.tool_result');
    expect(result).toMatchObject({ tool_use_id: ask, is_error: true });
    const parent = await crew.model(PRIMARY);
    expect(wordsOf(parent.input.slice(-1))).toContain('archived');
    parent.settle([say('a pity')]);
    await crew.rests();
    expect((await crew.stops()).at(-1)).toEqual({ type: 'end_turn' });
  });
});

describe('a message to a thread that has asked', () => {
  it('is kept until the ask is decided', async () => {
    const { crew, scout, ask } = await asked();
    const { events } = await crew.send(message('hurry', scout));
    expect(events[0]?.processed_at).toBeNull();
    expect(crew.runtime.view.status).toBe('idle');
    await crew.send(deny(ask, 'no'));
    const first = await crew.model(scout);
    first.settle([say('as you wish')]);
    await until(() => first.done && crew.asks(scout));
    expect(wordsOf((await crew.model(scout)).input.slice(-1))).toContain('hurry');
  });

  it('is processed when the thread is archived instead', async () => {
    const { crew, scout } = await asked();
    const { events } = await crew.send(message('hurry', scout));
    await crew.runtime.archiveThread(scout);
    const [shown] = (await crew.events(scout)).filter(({ id }) => id === events[0]?.id);
    expect(shown?.processed_at).not.toBeNull();
  });
});
