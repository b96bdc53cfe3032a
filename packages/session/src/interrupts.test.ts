// Interrupts, in every state of a session and its threads.
import type { EventParam } from '@capstan/schema/events/user-events';
import { describe, expect, it } from 'vitest';
import { ModelFailure } from './harness.ts';
import { outcome, say, use } from './scripted-harness.ts';
import { Crew, message, PRIMARY, wordsOf } from './testing/crew.ts';
import { quiesce, until } from './testing.ts';

const all: EventParam = { type: 'user.interrupt' };
const only = (thread: string): EventParam => ({ type: 'user.interrupt', session_thread_id: thread });
const busy = () => new ModelFailure('model_overloaded_error', 'busy', { retryable: true });

describe('an interrupt of all', () => {
  it('stops every thread wherever it stands, and the session rests', async () => {
    const crew = await Crew.open();
    const [a = '', b = '', c = '', d = ''] = await crew.delegated(
      ['scout', 'calls a model'],
      ['scout', 'runs a tool'],
      ['scribe', 'asks'],
      ['scribe', 'waits to try again'],
    );
    const model = await crew.model(a);
    const ran = await crew.uses(b, 'bash');
    const tool = await crew.tool(ran);
    const ask = await crew.uses(c, 'write');
    (await crew.model(d)).fail(busy());
    await until(() => crew.status(d) === 'rescheduling' && crew.status(c) === 'idle');
    const own = await crew.model(PRIMARY);
    const seen = (await crew.events()).length;
    await crew.send(all);
    expect(crew.runtime.threads.map(({ status }) => status)).toEqual(Array(5).fill('idle'));
    expect([model, tool, own].every(({ signal }) => signal.aborted)).toBe(true);
    expect(crew.world.harness.cancelled).toEqual([ran]);
    const after = (await crew.events()).slice(seen);
    expect(after[0]?.type).toBe('user.interrupt');
    expect(after.slice(-2).map(({ type }) => type)).toEqual(['session.usage', 'session.status_idle']);
    expect(after.at(-1)).toMatchObject({ stop_reason: { type: 'end_turn' } });
    for (const thread of [PRIMARY, a, b, c, d]) {
      const idle = after.findLast(
        (event) => event.type === 'session.thread_status_idle' && event.session_thread_id === thread,
      );
      expect(idle).toMatchObject({ stop_reason: { type: 'end_turn' } });
    }
    const results = [...(await crew.events(b)), ...(await crew.events(c))].flatMap((event) =>
      event.type === 'agent.tool_result' ? [event] : [],
    );
    expect(results.map((event) => event.tool_use_id)).toEqual([ran, ask]);
    expect(results.every((event) => event.is_error)).toBe(true);
    model.settle([say('late')]);
    tool.settle(outcome('late'));
    await quiesce();
    expect(crew.world.harness.waitingModels).toEqual([]);
    expect(crew.runtime.view.status).toBe('idle');
    expect(crew.world.alarmAt).toBeNull();
    await expect(
      crew.send({ type: 'user.tool_confirmation', tool_use_id: ask, result: 'allow' }),
    ).rejects.toMatchObject({ code: 'invalid_request' });
  });

  it('tells the coordinator with the next message which threads it stopped', async () => {
    const crew = await Crew.open();
    const [scout = ''] = await crew.delegated(['scout', 'look']);
    await crew.model(scout);
    await crew.model(PRIMARY);
    await crew.send(all);
    await quiesce();
    expect(crew.asks(PRIMARY)).toBe(false);
    await crew.send(message('what now'));
    const next = await crew.model(PRIMARY);
    const [told, said] = next.input.slice(-2);
    expect(wordsOf(told ? [told] : [])).toMatch(`Message from scout (thread ${scout}):`);
    expect(wordsOf(told ? [told] : [])).toContain('interrupted');
    expect(wordsOf(said ? [said] : [])).toContain('what now');
  });

  it('does so when only its threads were at work: it starts nothing', async () => {
    const crew = await Crew.open();
    const [scout = ''] = await crew.delegated(['scout', 'look']);
    await crew.says(PRIMARY, 'I wait');
    await until(() => crew.status(PRIMARY) === 'idle');
    await crew.model(scout);
    await crew.send(all);
    await quiesce();
    expect(crew.runtime.view.status).toBe('idle');
    expect(crew.asks(PRIMARY)).toBe(false);
    expect((await crew.stops()).at(-1)).toEqual({ type: 'end_turn' });
    await crew.send(message('what now'));
    expect(wordsOf((await crew.model(PRIMARY)).input)).toContain('interrupted');
  });

  it('lets what was said between threads start nothing, but be read', async () => {
    const crew = await Crew.open();
    const [scout = ''] = await crew.delegated(['scout', 'look']);
    await crew.says(scout, 'a river');
    await until(() => crew.status(scout) === 'idle');
    await crew.model(PRIMARY);
    await crew.send(all);
    await quiesce();
    expect(crew.runtime.view.status).toBe('idle');
    await crew.send(message('so?'));
    const next = await crew.model(PRIMARY);
    expect(wordsOf(next.input)).toContain('a river');
    expect(next.input.filter(({ type }) => type === 'user')).toHaveLength(3);
  });

  it('lets queued messages start the next turn, and one that comes with it', async () => {
    const crew = await Crew.open();
    await crew.send(message('first'));
    const first = await crew.model(PRIMARY);
    await crew.send(message('second'));
    await crew.send(all, message('third'));
    expect(first.signal.aborted).toBe(true);
    const second = await crew.model(PRIMARY);
    expect(wordsOf(second.input.slice(-1))).toContain('second');
    expect(wordsOf(second.input)).not.toContain('third');
    second.settle([say('ok')]);
    await until(() => second.done && crew.asks(PRIMARY));
    expect(wordsOf((await crew.model(PRIMARY)).input.slice(-1))).toContain('third');
    const types = await crew.types();
    const at = types.indexOf('user.interrupt');
    expect(types.slice(at, at + 5)).toEqual([
      'user.interrupt',
      'span.model_request_end',
      'session.thread_status_idle',
      'session.usage',
      'session.status_idle',
    ]);
  });

  it('while it waits to try again ends the wait', async () => {
    const crew = await Crew.open();
    await crew.send(message('go'));
    (await crew.model(PRIMARY)).fail(busy());
    await until(() => crew.runtime.view.status === 'rescheduling');
    await crew.send(all);
    expect(crew.runtime.view.status).toBe('idle');
    crew.world.now += 3_600_000;
    await crew.runtime.wake();
    await quiesce();
    expect(crew.world.harness.waitingModels).toEqual([]);
    expect(await crew.stops()).toEqual([{ type: 'end_turn' }]);
  });

  it('of a session at rest is kept and changes nothing', async () => {
    const crew = await Crew.open();
    const [scout = ''] = await crew.delegated(['scout', 'look']);
    await crew.says(scout, 'seen');
    await crew.says(PRIMARY, 'I wait');
    await crew.says(PRIMARY, 'good');
    await crew.rests();
    const before = await crew.types();
    await crew.send(all);
    expect(await crew.types()).toEqual([...before, 'user.interrupt']);
  });
});

describe('an interrupt of one thread', () => {
  it('stops that thread alone, and its coordinator is told', async () => {
    const crew = await Crew.open();
    const [scout = '', scribe = ''] = await crew.delegated(['scout', 'a'], ['scribe', 'b']);
    const stopped = await crew.model(scout);
    const other = await crew.model(scribe);
    await crew.says(PRIMARY, 'I wait');
    await until(() => crew.status(PRIMARY) === 'idle');
    const { events } = await crew.send(only(scout));
    expect(events[0]).toMatchObject({ type: 'user.interrupt', session_thread_id: scout });
    expect([stopped.signal.aborted, other.signal.aborted]).toEqual([true, false]);
    expect(crew.status(scout)).toBe('idle');
    const types = await crew.types(scout);
    expect(types.slice(-4)).toEqual([
      'user.interrupt',
      'span.model_request_end',
      'agent.thread_message_sent',
      'session.thread_status_idle',
    ]);
    expect(wordsOf((await crew.model(PRIMARY)).input.slice(-1))).toContain('interrupted');
    expect(await crew.types(scribe)).not.toContain('user.interrupt');
    expect(await crew.stops()).toEqual([]);
  });

  it('in a tool cancels what it does; in an ask closes it', async () => {
    const crew = await Crew.open();
    const [scout = '', scribe = ''] = await crew.delegated(['scout', 'a'], ['scribe', 'b']);
    const ran = await crew.uses(scout, 'bash');
    await crew.tool(ran);
    const ask = await crew.uses(scribe, 'write');
    await until(() => crew.status(scribe) === 'idle');
    await crew.send(only(scout), only(scribe));
    expect(crew.world.harness.cancelled).toEqual([ran]);
    for (const [thread, call] of [
      [scout, ran],
      [scribe, ask],
    ] as const) {
      const own = await crew.events(thread);
      const result = own.find((event) => event.type === 'agent.tool_result');
      expect(result).toMatchObject({ tool_use_id: call, is_error: true });
      expect(own.at(-1)).toMatchObject({ stop_reason: { type: 'end_turn' } });
    }
  });

  it('closes what it asked its client, in the name of the thread', async () => {
    const crew = await Crew.open();
    const [scout = ''] = await crew.delegated(['scout', 'look']);
    const ticket = await crew.uses(scout, 'ticket');
    await until(() => crew.status(scout) === 'idle');
    await crew.send(only(scout));
    const closed = (await crew.events()).find(({ type }) => type === 'user.custom_tool_result');
    expect(closed).toMatchObject({ custom_tool_use_id: ticket, is_error: true, session_thread_id: scout });
    expect(wordsOf((await crew.model(PRIMARY)).input)).not.toContain(ticket);
  });

  it('leaves its own queue: the next message starts its next turn', async () => {
    const crew = await Crew.open();
    const [scout = ''] = await crew.delegated(['scout', 'look']);
    await crew.model(scout);
    await crew.send(message('left, please', scout));
    await crew.send(only(scout));
    const next = await crew.model(scout);
    expect(wordsOf(next.input.slice(-1))).toContain('left, please');
  });

  it('of the primary one leaves the others at work', async () => {
    const crew = await Crew.open();
    const [scout = ''] = await crew.delegated(['scout', 'look']);
    const own = await crew.model(PRIMARY);
    const other = await crew.model(scout);
    await crew.send(only(PRIMARY));
    expect([own.signal.aborted, other.signal.aborted]).toEqual([true, false]);
    expect(crew.runtime.view.status).toBe('running');
    expect(await crew.stops()).toEqual([]);
    await crew.says(scout, 'seen');
    expect(wordsOf((await crew.model(PRIMARY)).input.slice(-1))).toContain('seen');
  });

  it('that rests changes nothing, and tells nobody', async () => {
    const crew = await Crew.open();
    const [scout = ''] = await crew.delegated(['scout', 'look']);
    await crew.says(scout, 'seen');
    await crew.says(PRIMARY, 'I wait');
    await crew.says(PRIMARY, 'good');
    await crew.rests();
    const before = await crew.types();
    await crew.send(only(scout));
    expect(await crew.types()).toEqual([...before, 'user.interrupt']);
    expect((await crew.types(scout)).at(-1)).toBe('user.interrupt');
    await quiesce();
    expect(crew.asks(PRIMARY)).toBe(false);
  });

  it('that has ended, or is not there, is refused', async () => {
    const crew = await Crew.open();
    const [scout = ''] = await crew.delegated(['scout', 'look']);
    await crew.says(scout, 'seen');
    await until(() => crew.status(scout) === 'idle');
    await crew.runtime.archiveThread(scout);
    for (const thread of [scout, 'sthr_no'])
      await expect(crew.send(only(thread))).rejects.toMatchObject({
        code: 'invalid_request',
        message: expect.stringMatching(/^events\.0\.session_thread_id: /),
      });
  });
});

describe('a turn that was interrupted', () => {
  it('is gone for the next process, too', async () => {
    const crew = await Crew.open();
    const [scout = ''] = await crew.delegated(['scout', 'look']);
    (await crew.model(scout)).settle([use('bash'), use('read')]);
    await until(() => crew.world.harness.waitingTools.length === 2);
    await crew.send(all);
    await crew.restart();
    await quiesce();
    expect(crew.runtime.view.status).toBe('idle');
    expect(crew.world.harness.recovered).toEqual([]);
    const types = await crew.types(scout);
    expect(types.filter((type) => type === 'agent.tool_result')).toHaveLength(2);
  });
});
