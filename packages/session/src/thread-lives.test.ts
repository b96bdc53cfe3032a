// How threads end and go on: failures, processes that die, archives, and the end of their session.
import { describe, expect, it } from 'vitest';
import { announcementsOf } from './announcements.ts';
import { ModelFailure } from './harness.ts';
import { readEntries } from './log-reader.ts';
import { outcome, say } from './scripted-harness.ts';
import { FrameReader } from './sse-testing.ts';
import { Crew, message, PRIMARY, wordsOf } from './testing/crew.ts';
import { quiesce, until } from './testing.ts';

const failure = (retryable: boolean) => new ModelFailure('model_overloaded_error', 'too busy', { retryable });

/** All that a reader was told. */
const told = ({ frames }: FrameReader) => JSON.stringify(frames);

/** A coordinator at rest, and a scout at work. */
async function atWork() {
  const crew = await Crew.open();
  const [scout = ''] = await crew.delegated(['scout', 'look']);
  await crew.says(PRIMARY, 'I wait');
  await until(() => crew.status(PRIMARY) === 'idle');
  return { crew, scout };
}

/** Both at rest: the coordinator has had the answer. */
async function answered() {
  const { crew, scout } = await atWork();
  await crew.says(scout, 'seen');
  await crew.says(PRIMARY, 'good');
  await crew.rests();
  return { crew, scout };
}

describe('a thread whose model fails', () => {
  it('for good is terminated, and its coordinator is told why', async () => {
    const { crew, scout } = await atWork();
    (await crew.model(scout)).fail(failure(false));
    const parent = await crew.model(PRIMARY);
    expect(wordsOf(parent.input.slice(-1))).toContain('too busy');
    expect(crew.thread(scout)).toMatchObject({ status: 'terminated', archivedAt: null });
    expect(crew.thread(scout).usage).not.toBeNull();
    expect((await crew.types(scout)).slice(-4)).toEqual([
      'span.model_request_end',
      'session.error',
      'agent.thread_message_sent',
      'session.thread_status_terminated',
    ]);
    const shown = await crew.events();
    const ended = shown.find(({ type }) => type === 'session.thread_status_terminated');
    expect(ended).toMatchObject({ session_thread_id: scout, agent_name: 'scout' });
    const error = shown.find(({ type }) => type === 'session.error');
    expect(error).toMatchObject({ error: { retry_status: { type: 'exhausted' } } });
    parent.settle([say('a pity')]);
    await crew.rests();
    expect(await crew.stops()).toEqual([{ type: 'end_turn' }]);
    await expect(crew.send(message('hello', scout))).rejects.toMatchObject({ code: 'invalid_request' });
  });

  it('for now tries again by itself, while the others go on', async () => {
    const crew = await Crew.open();
    const [scout = '', scribe = ''] = await crew.delegated(['scout', 'a'], ['scribe', 'b']);
    (await crew.model(scout)).fail(failure(true));
    await until(() => crew.status(scout) === 'rescheduling');
    expect(crew.runtime.view.status).toBe('running');
    await crew.says(scribe, 'written');
    const first = await crew.model(PRIMARY);
    first.settle([say('I wait')]);
    await until(() => first.done && crew.asks(PRIMARY));
    await crew.says(PRIMARY, 'good');
    await until(() => crew.runtime.view.status === 'rescheduling');
    const own = (await crew.types()).filter((type) => type.endsWith('rescheduled'));
    expect(own).toEqual(['session.thread_status_rescheduled', 'session.status_rescheduled']);
    await crew.world.ring(crew.runtime);
    expect(crew.runtime.view.status).toBe('running');
    await crew.says(scout, 'seen');
    await crew.says(PRIMARY, 'good');
    await crew.rests();
    const statuses = (await crew.types()).filter((type) => type.startsWith('session.status_'));
    expect(statuses).toEqual([
      'session.status_running',
      'session.status_rescheduled',
      'session.status_running',
      'session.status_idle',
    ]);
  });

  it('again and again is given up after five tries', async () => {
    const { crew, scout } = await atWork();
    for (let tries = 1; tries < 5; tries++) {
      (await crew.model(scout)).fail(failure(true));
      await until(() => crew.status(scout) === 'rescheduling');
      while (crew.status(scout) === 'rescheduling') await crew.world.ring(crew.runtime);
    }
    (await crew.model(scout)).fail(failure(true));
    await until(() => crew.status(scout) === 'terminated');
    expect(wordsOf((await crew.model(PRIMARY)).input.slice(-1))).toContain('takes no more messages');
  });

  it('frees its place, and its messages are taken', async () => {
    const crew = await Crew.open();
    const agents = Array.from({ length: 25 }, (): [string, string] => ['scout', 'look']);
    const [first = ''] = await crew.delegated(...agents);
    const call = await crew.model(first);
    const { events } = await crew.send(message('and?', first));
    call.fail(failure(false));
    await until(() => crew.status(first) === 'terminated');
    const [shown] = (await crew.events()).filter(({ id }) => id === events[0]?.id);
    expect(shown?.processed_at).not.toBeNull();
    await crew.handsOn(['scribe', 'write']);
    expect(crew.children()).toHaveLength(26);
  });

  it('for good, as the last at work, leaves what the coordinator asks for', async () => {
    const crew = await Crew.open();
    const [scout = ''] = await crew.delegated(['scout', 'look']);
    const ticket = await crew.uses(PRIMARY, 'ticket');
    await until(() => crew.status(PRIMARY) === 'idle');
    (await crew.model(scout)).fail(failure(false));
    await crew.rests();
    expect((await crew.types()).slice(-3)).toEqual([
      'session.thread_status_terminated',
      'session.usage',
      'session.status_idle',
    ]);
    expect(await crew.stops()).toEqual([{ type: 'requires_action', event_ids: [ticket] }]);
  });

  it('in the midst of its tools reads what came in before it tries again', async () => {
    const { crew, scout } = await atWork();
    (await crew.tool(await crew.uses(scout, 'bash'))).settle(outcome('dark'));
    (await crew.model(scout)).fail(failure(true));
    await until(() => crew.status(scout) === 'rescheduling');
    await crew.send(message('look left', scout));
    await crew.world.ring(crew.runtime);
    const { input } = await crew.model(scout);
    expect(input.map(({ type }) => type)).toEqual(['user', 'tool_call', 'tool_result', 'user']);
  });

  it('while its coordinator has failed for good before leaves the session usable', async () => {
    const crew = await Crew.open();
    const [scout = ''] = await crew.delegated(['scout', 'look']);
    (await crew.model(PRIMARY)).fail(failure(false));
    await until(() => crew.status(PRIMARY) === 'idle');
    expect(crew.runtime.view.status).toBe('running');
    await crew.says(scout, 'seen');
    const next = await crew.model(PRIMARY);
    expect(wordsOf(next.input.slice(-1))).toContain('seen');
    next.settle([say('good')]);
    await crew.rests();
    expect(await crew.stops()).toEqual([{ type: 'end_turn' }]);
  });
});

describe('a process that dies', () => {
  it('in the midst of several turns: each thread goes on from where it was', async () => {
    const crew = await Crew.open();
    const [a = '', b = '', c = ''] = await crew.delegated(['scout', 'a'], ['scout', 'b'], ['scribe', 'c']);
    const spoken = await crew.model(a);
    const ran = await crew.uses(b, 'bash');
    await crew.tool(ran);
    const ask = await crew.uses(c, 'write');
    await crew.model(PRIMARY);
    await until(() => crew.status(c) === 'idle');
    crew.world.harness.outcomes.set(ran, outcome('found after all'));
    await crew.restart();
    expect(wordsOf((await crew.model(a)).input)).toContain('"a"');
    expect(wordsOf((await crew.model(b)).input.slice(-1))).toContain('found after all');
    expect(crew.status(c)).toBe('idle');
    expect(wordsOf((await crew.model(PRIMARY)).input)).toContain('Sent to scribe');
    expect(crew.world.harness.performed).toEqual([ran]);
    spoken.settle([say('a zombie speaks')]);
    await quiesce();
    for (const thread of [a, b]) await crew.says(thread, `of ${thread}`);
    await crew.send({ type: 'user.tool_confirmation', tool_use_id: ask, result: 'allow' });
    (await crew.tool(ask)).settle(outcome('ok'));
    await crew.says(c, 'written');
    await until(() => [a, b, c].every((thread) => crew.status(thread) === 'idle'));
    while (crew.runtime.view.status === 'running') {
      if (crew.asks(PRIMARY)) await crew.says(PRIMARY, 'noted');
      await quiesce();
    }
    const words = JSON.stringify(await crew.world.events());
    expect(words).not.toContain('zombie');
    const received = (await crew.events()).filter(({ type }) => type === 'agent.thread_message_received');
    expect(received).toHaveLength(3);
  });

  it('between an answer and its reading: the coordinator is given it once', async () => {
    const { crew, scout } = await atWork();
    await crew.says(scout, 'seen');
    await crew.model(PRIMARY);
    await crew.restart();
    const next = await crew.model(PRIMARY);
    expect(next.input.filter((item) => wordsOf([item]).includes('seen'))).toHaveLength(1);
    next.settle([say('good')]);
    await crew.rests();
    expect(crew.thread(scout).status).toBe('idle');
  });

  it('keeps what a thread was seen to write', async () => {
    const { crew, scout } = await atWork();
    const child = new FrameReader(crew.runtime.stream({ thread: scout, deltas: ['agent.message'] }));
    const following = child.follow();
    crew.world.harness.deltas = ['a riv', 'er'];
    await crew.send({ type: 'user.interrupt', session_thread_id: scout }, message('again', scout));
    await until(() => told(child).includes('"er"'));
    await crew.restart();
    const next = await crew.model(scout);
    expect(wordsOf(next.input)).toContain('a river');
    expect(wordsOf(next.input.slice(-1))).toContain('broke off');
    await child.cancel();
    await following;
  });
});

describe('archiving a thread', () => {
  it('is refused while it works, for the primary one, and for one that is not there', async () => {
    const { crew, scout } = await atWork();
    await expect(crew.runtime.archiveThread(scout)).rejects.toMatchObject({
      code: 'invalid_request',
      message: expect.stringContaining('running'),
    });
    (await crew.model(scout)).fail(failure(true));
    await until(() => crew.status(scout) === 'rescheduling');
    await expect(crew.runtime.archiveThread(scout)).rejects.toMatchObject({
      code: 'invalid_request',
      message: expect.stringContaining('rescheduling'),
    });
    await expect(crew.runtime.archiveThread(PRIMARY)).rejects.toMatchObject({ code: 'invalid_request' });
    await expect(crew.runtime.archiveThread('sthr_no')).rejects.toMatchObject({ code: 'not_found' });
  });

  it('ends it: its history stays, it takes nothing more, and a second time changes nothing', async () => {
    const { crew, scout } = await answered();
    crew.world.now += 1_000;
    const archived = await crew.runtime.archiveThread(scout);
    expect(archived).toMatchObject({
      id: scout,
      status: 'terminated',
      archivedAt: crew.world.now,
      updatedAt: crew.world.now,
      usage: { input_tokens: 10 },
    });
    const before = await crew.world.types();
    expect(before.at(-1)).toBe('session.thread_status_terminated');
    crew.world.now += 1_000;
    expect(await crew.runtime.archiveThread(scout)).toEqual(archived);
    expect(await crew.world.types()).toEqual(before);
    expect((await crew.types(scout)).at(-1)).toBe('session.thread_status_terminated');
    expect((await crew.types()).at(-1)).toBe('session.thread_status_terminated');
    expect(crew.runtime.view.status).toBe('idle');
    await quiesce();
    expect(crew.asks(PRIMARY)).toBe(false);
  });

  it('marks one that had failed, too', async () => {
    const { crew, scout } = await atWork();
    (await crew.model(scout)).fail(failure(false));
    await until(() => crew.status(scout) === 'terminated');
    const { archivedAt } = await crew.runtime.archiveThread(scout);
    expect(archivedAt).toBe(crew.world.now);
    const told: number[] = [];
    for await (const entry of readEntries(crew.world.log, 0)) {
      if (entry.event.type !== 'session.thread_status_terminated') continue;
      told.push(announcementsOf(entry, 'sesn_1').length);
    }
    expect(told).toEqual([1, 0]);
    expect(wordsOf((await crew.model(PRIMARY)).input)).not.toContain('archived');
  });

  it('ends one that its budget has stopped: it waits for nothing more', async () => {
    const crew = await Crew.open();
    const [scout = '', scribe = ''] = await crew.delegated(['scout', 'a'], ['scribe', 'b']);
    await crew.says(PRIMARY, 'I wait');
    const tool = await crew.tool(await crew.uses(scout, 'bash'));
    await crew.model(scribe);
    await crew.runtime.update({ budget: { type: 'limit', max_tokens: 300 } });
    tool.settle(outcome('dark'));
    await until(() => crew.status(scout) === 'idle');
    await crew.runtime.archiveThread(scout);
    const own = await crew.types(scout);
    await crew.send({ type: 'user.interrupt' });
    expect(await crew.types(scout)).toEqual(own);
    expect(crew.runtime.threads.map(({ status }) => status)).toEqual(['idle', 'terminated', 'idle']);
    await crew.runtime.update({ budget: null });
    await crew.send(message('what now'));
    const words = wordsOf((await crew.model(PRIMARY)).input);
    expect(words).toContain('archived before it had an answer');
    expect(words).toContain('interrupted');
  });

  it('ends its stream after the event that says so, and no other', async () => {
    const { crew, scout } = await answered();
    const child = new FrameReader(crew.runtime.stream({ thread: scout }));
    const whole = new FrameReader(crew.runtime.stream({}));
    const following = child.follow();
    let open = true;
    const rest = whole.follow().finally(() => {
      open = false;
    });
    await crew.runtime.archiveThread(scout);
    await following;
    expect(child.frames.at(-1)?.event).toBe('session.thread_status_terminated');
    await quiesce();
    expect(open).toBe(true);
    crew.runtime.hub.close();
    await rest;
  });
});

describe('the end of a session', () => {
  it('by archive ends all its threads first, and what they were asked', async () => {
    const { crew, scout } = await atWork();
    const ask = await crew.uses(scout, 'write');
    await crew.rests();
    await crew.send(message('and?'));
    const parent = await crew.model(PRIMARY);
    await expect(crew.runtime.archive()).rejects.toMatchObject({ code: 'invalid_request' });
    parent.settle([say('nothing yet')]);
    await crew.rests();
    const seen = (await crew.events()).length;
    await crew.runtime.archive();
    expect((await crew.types()).slice(seen)).toEqual([
      'session.thread_status_terminated',
      'agent.tool_result',
      'session.thread_status_terminated',
      'session.status_terminated',
    ]);
    for (const { status, archivedAt } of crew.runtime.threads)
      expect([status, archivedAt]).toEqual(['terminated', crew.world.now]);
    const confirmation = {
      type: 'user.tool_confirmation' as const,
      tool_use_id: ask,
      result: 'allow' as const,
    };
    await expect(crew.send(confirmation)).rejects.toMatchObject({ code: 'conflict' });
    expect(await crew.types(scout)).toContain('agent.tool_result');
  });

  it('by deletion is refused while a thread works; then nothing of them is found', async () => {
    const { crew, scout } = await atWork();
    await expect(crew.runtime.delete()).rejects.toMatchObject({ code: 'invalid_request' });
    await crew.says(scout, 'seen');
    await crew.says(PRIMARY, 'good');
    await crew.rests();
    const child = new FrameReader(crew.runtime.stream({ thread: scout }));
    const following = child.follow();
    await crew.runtime.delete();
    await following;
    await until(() => crew.world.erased);
    expect(() => crew.runtime.threads).toThrow(expect.objectContaining({ code: 'not_found' }));
    await expect(crew.runtime.archiveThread(scout)).rejects.toMatchObject({ code: 'not_found' });
    await expect(crew.runtime.events({ limit: 1, order: 'asc', thread: scout })).rejects.toMatchObject({
      code: 'not_found',
    });
  });
});

describe('the streams of a session', () => {
  it('tell what is written to the readers of that thread alone', async () => {
    const { crew, scout } = await answered();
    const open = (thread?: string) =>
      new FrameReader(crew.runtime.stream({ ...(thread ? { thread } : {}), deltas: ['agent.message'] }));
    const [child, whole, primary] = [open(scout), open(), open(PRIMARY)];
    const following = [child, whole, primary].map((reader) => reader.follow());
    crew.world.harness.deltas = ['half a w', 'ord'];
    await crew.send(message('again', scout));
    await crew.model(scout);
    await until(() => told(child).includes('"ord"'));
    await until(() => told(whole).includes('user.message') && told(primary).includes('user.message'));
    for (const reader of [whole, primary]) expect(told(reader)).not.toMatch(/half a w|event_delta/);
    expect(told(child)).not.toContain('session.status_');
    crew.runtime.hub.close();
    await Promise.all(following);
  });
});
