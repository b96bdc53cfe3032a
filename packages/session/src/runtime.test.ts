import { describe, expect, it } from 'vitest';
import { ModelFailure } from './harness.ts';
import type { SessionRuntime } from './runtime.ts';
import { outcome, say, use } from './scripted-harness.ts';
import { FrameReader } from './sse-testing.ts';
import { quiesce, until, World } from './testing.ts';

const hello = { type: 'user.message' as const, content: [{ type: 'text' as const, text: 'hello' }] };
const message = (text: string) => ({
  type: 'user.message' as const,
  content: [{ type: 'text' as const, text }],
});
const interrupt = { type: 'user.interrupt' as const };

async function nextModel(world: World) {
  await until(() => world.harness.waitingModels.length > 0);
  const [call] = world.harness.waitingModels;
  if (!call) throw new Error('no model call');
  return call;
}

async function nextTool(world: World) {
  await until(() => world.harness.waitingTools.length > 0);
  const [call] = world.harness.waitingTools;
  if (!call) throw new Error('no tool call');
  return call;
}

const idle = (runtime: SessionRuntime) => until(() => runtime.view.status === 'idle');

async function stopReasons(world: World) {
  return (await world.events()).flatMap((event) =>
    event.type === 'session.status_idle' ? [event.stop_reason] : [],
  );
}

describe('a turn', () => {
  it('puts a text answer on the log in the order of the API', async () => {
    const world = new World();
    const runtime = await world.open();
    const {
      events: [echo],
    } = await runtime.send([hello]);
    expect(echo?.processed_at).not.toBeNull();
    (await nextModel(world)).settle([say('hi')]);
    await idle(runtime);
    expect(await world.types()).toEqual([
      'user.message',
      'session.status_running',
      'session.thread_status_running',
      'span.model_request_start',
      'agent.message',
      'span.model_request_end',
      'session.thread_status_idle',
      'session.usage',
      'session.status_idle',
    ]);
    expect(await stopReasons(world)).toEqual([{ type: 'end_turn' }]);
  });

  it('performs tool calls side by side and gives the model their results', async () => {
    const world = new World();
    const runtime = await world.open();
    await runtime.send([hello]);
    (await nextModel(world)).settle([say('two things'), use('bash', { command: 'a' }), use('read')]);
    await until(() => world.harness.waitingTools.length === 2);
    world.harness.tools[1]?.settle(outcome('B'));
    world.harness.tools[0]?.settle(outcome('A'));
    const second = await nextModel(world);
    expect(second.input.map((item) => item.type)).toEqual([
      'user',
      'message',
      'tool_call',
      'tool_call',
      'tool_result',
      'tool_result',
    ]);
    second.settle([say('done')]);
    await idle(runtime);
    expect(runtime.view.usage).toMatchObject({ input_tokens: 20, output_tokens: 4 });
  });

  it('gets a sandbox ready as soon as the model begins to write a tool call', async () => {
    const world = new World();
    const runtime = await world.open();
    await runtime.send([hello]);
    (await nextModel(world)).settle([use('bash')]);
    await nextTool(world);
    expect(world.harness.prepared).toEqual(['bash']);
  });

  it('gives a tool the agent does not have an error result and lets the model go on', async () => {
    const world = new World();
    const runtime = await world.open();
    await runtime.send([hello]);
    (await nextModel(world)).settle([use('grep'), use('web_delete')]);
    const second = await nextModel(world);
    expect(second.input.filter((item) => item.type === 'tool_result' && item.isError)).toHaveLength(2);
    expect(world.harness.performed).toEqual([]);
    second.settle([say('ok')]);
    await idle(runtime);
  });

  it('takes queued messages one at a time between replies, each under the id it was accepted with', async () => {
    const world = new World();
    const runtime = await world.open();
    await runtime.send([hello]);
    const first = await nextModel(world);
    const {
      events: [second],
    } = await runtime.send([message('and then')]);
    expect(second?.processed_at).toBeNull();
    first.settle([say('one')]);
    const next = await nextModel(world);
    expect(next.input.at(-1)).toMatchObject({ type: 'user', content: [{ text: 'and then' }] });
    next.settle([say('two')]);
    await idle(runtime);
    const seen = (await world.events()).filter((event) => event.id === second?.id);
    expect(seen.map((event) => event.processed_at === null)).toEqual([true, false]);
    const listed = await runtime.events({ limit: 100, order: 'asc' });
    expect(listed.data.filter((event) => event.id === second?.id)).toHaveLength(1);
    expect((await stopReasons(world)).length).toBe(1);
  });
});

describe('a message', () => {
  it('with a file is kept with its name: what is in it is read when a model is asked', async () => {
    const world = new World();
    const runtime = await world.open();
    const image = { type: 'image' as const, source: { type: 'file' as const, file_id: 'file_1' } };
    await runtime.send([{ type: 'user.message', content: [...hello.content, image] }]);
    const asked = await nextModel(world);
    expect(asked.input.at(-1)).toMatchObject({ type: 'user', content: [...hello.content, image] });
  });
});

describe('a queued message', () => {
  it('that was accepted can be taken, however long it is', async () => {
    const world = new World();
    world.harness.choice = { contextWindow: 2_000_000 };
    const runtime = await world.open();
    await runtime.send([hello]);
    const first = await nextModel(world);
    const fits = async (length: number) => {
      const sent = runtime.send([message('x'.repeat(length))]);
      const refusal: unknown = await sent.then(() => null).catch((error: unknown) => error);
      if (refusal !== null) expect(refusal).toMatchObject({ code: 'too_large' });
      return refusal === null;
    };
    let length = 1_000_000;
    while (!(await fits(length))) length -= 1;
    first.settle([say('one')]);
    const next = await nextModel(world);
    expect(next.input.at(-1)).toMatchObject({ type: 'user', content: [{ text: 'x'.repeat(length) }] });
  });
});

describe('a message too large for its row', () => {
  it('is whole on streams and in the context, also when it waited to be taken', async () => {
    const world = new World();
    const runtime = await world.open();
    const reader = new FrameReader(runtime.stream({}));
    await runtime.send([hello]);
    const first = await nextModel(world);
    const long = 'x'.repeat(300_000);
    void reader.follow();
    await runtime.send([message(long)]);
    first.settle([say('one')]);
    const next = await nextModel(world);
    expect(next.input.at(-1)).toEqual({ type: 'user', content: [{ type: 'text', text: long }] });
    next.settle([say('two')]);
    await until(() => reader.frames.some(({ event }) => event === 'session.status_idle'));
    const told = reader.frames.filter(({ data }) => JSON.stringify(data).includes(long));
    expect(told.map(({ event }) => event)).toEqual(['user.message', 'user.message']);
  });
});

describe('a turn in its tools', () => {
  it('takes all that came in meanwhile with its next model call', async () => {
    const world = new World();
    const runtime = await world.open();
    await runtime.send([hello]);
    (await nextModel(world)).settle([use('bash')]);
    const tool = await nextTool(world);
    await runtime.send([message('one more'), message('and another')]);
    tool.settle(outcome('ok'));
    const next = await nextModel(world);
    expect(next.input.slice(-3).map((item) => item.type)).toEqual(['tool_result', 'user', 'user']);
  });

  it('that cannot write down a reply is taken up by the next process', async () => {
    const world = new World();
    const runtime = await world.open();
    await runtime.send([hello]);
    const call = await nextModel(world);
    world.appendFails = true;
    call.settle([say('lost')]);
    await until(() => runtime.dead);
    world.appendFails = false;
    const next = await world.open();
    (await nextModel(world)).settle([say('kept')]);
    await idle(next);
  });
});

describe('an interrupt', () => {
  it('stops the model, ends its span without an error and leaves no message', async () => {
    const world = new World();
    const runtime = await world.open();
    await runtime.send([hello]);
    const call = await nextModel(world);
    await runtime.send([interrupt]);
    expect(call.signal.aborted).toBe(true);
    call.settle([say('too late')]);
    await quiesce();
    const events = await world.events();
    expect(events.some((event) => event.type === 'agent.message')).toBe(false);
    expect(events.find((event) => event.type === 'span.model_request_end')).toMatchObject({ is_error: null });
    expect(runtime.view.status).toBe('idle');
  });

  it('closes running calls, cancels what they do, and a message after it starts the next turn', async () => {
    const world = new World();
    const runtime = await world.open();
    await runtime.send([hello]);
    (await nextModel(world)).settle([use('bash')]);
    const tool = await nextTool(world);
    await runtime.send([interrupt, message('something else')]);
    const next = await nextModel(world);
    expect(world.harness.cancelled).toEqual([tool.input.effectId]);
    expect(next.input.map((item) => item.type)).toEqual(['user', 'tool_call', 'tool_result', 'user']);
    tool.settle(outcome('late'));
    next.settle([say('ok')]);
    await idle(runtime);
    expect((await world.types()).filter((type) => type === 'agent.tool_result')).toHaveLength(1);
  });

  it('stops what a dead process had begun, even before a new turn has it in hand', async () => {
    const world = new World();
    const first = await world.open();
    await first.send([hello]);
    (await nextModel(world)).settle([use('bash')]);
    const tool = await nextTool(world);
    world.harness.recover = () => new Promise(() => {});
    await world.open();
    const third = await world.open();
    expect(third.view.status).toBe('rescheduling');
    await third.send([interrupt]);
    await until(() => world.harness.cancelled.length > 0);
    expect(world.harness.cancelled).toEqual([tool.input.effectId]);
    expect(third.view.status).toBe('idle');
  });

  it('changes nothing while the session is idle', async () => {
    const world = new World();
    const runtime = await world.open();
    await runtime.send([interrupt]);
    expect(await world.types()).toEqual(['user.interrupt']);
  });
});

describe('waiting for a client', () => {
  it('asks before a tool that needs permission, and runs it once allowed', async () => {
    const world = new World();
    const runtime = await world.open();
    await runtime.send([hello]);
    (await nextModel(world)).settle([use('write'), use('ticket')]);
    await idle(runtime);
    const [ask, custom] = (await world.events()).filter((event) => event.type.endsWith('tool_use'));
    if (!ask || !custom) throw new Error('two uses expected');
    expect(await stopReasons(world)).toEqual([{ type: 'requires_action', event_ids: [ask.id, custom.id] }]);
    await runtime.send([{ type: 'user.custom_tool_result', custom_tool_use_id: custom.id, content: [] }]);
    expect((await stopReasons(world)).at(-1)).toEqual({ type: 'requires_action', event_ids: [ask.id] });
    await runtime.send([{ type: 'user.tool_confirmation', tool_use_id: ask.id, result: 'allow' }]);
    (await nextTool(world)).settle(outcome('written'));
    (await nextModel(world)).settle([say('done')]);
    await idle(runtime);
    expect((await stopReasons(world)).at(-1)).toEqual({ type: 'end_turn' });
  });

  it('tells the model why a call was denied', async () => {
    const world = new World();
    const runtime = await world.open();
    await runtime.send([hello]);
    (await nextModel(world)).settle([use('write')]);
    await idle(runtime);
    const ask = (await world.events()).find((event) => event.type === 'agent.tool_use');
    await runtime.send([
      {
        type: 'user.tool_confirmation',
        tool_use_id: ask?.id ?? '',
        result: 'deny',
        deny_message: 'not there',
      },
    ]);
    const next = await nextModel(world);
    expect(JSON.stringify(next.input.at(-1))).toContain('not there');
  });

  it('refuses an answer to a call that is not open, and keeps nothing of that send', async () => {
    const world = new World();
    const runtime = await world.open();
    const answer = { type: 'user.custom_tool_result' as const, custom_tool_use_id: 'sevt_none', content: [] };
    await expect(runtime.send([hello, answer])).rejects.toMatchObject({
      code: 'invalid_request',
      message: expect.stringContaining('events.1.custom_tool_use_id'),
    });
    expect(await world.types()).toEqual([]);
  });
});

describe('failures of a model', () => {
  const busy = () => new ModelFailure('model_overloaded_error', 'busy', { retryable: true });

  it('are retried later and later, then given up with a typed error', async () => {
    const world = new World();
    const runtime = await world.open();
    await runtime.send([hello]);
    const waits: number[] = [];
    for (let attempt = 1; attempt < 5; attempt++) {
      (await nextModel(world)).fail(busy());
      await until(() => runtime.view.status === 'rescheduling');
      const before = world.now;
      while (runtime.view.status === 'rescheduling') await world.ring(runtime);
      waits.push(world.now - before);
    }
    (await nextModel(world)).fail(busy());
    await idle(runtime);
    expect(waits).toEqual([875, 1750, 3500, 7000]);
    const errors = (await world.events()).flatMap((event) =>
      event.type === 'session.error' ? [event.error] : [],
    );
    expect(errors.map((error) => error.retry_status.type)).toEqual([
      'retrying',
      'retrying',
      'retrying',
      'retrying',
      'exhausted',
    ]);
    expect(await stopReasons(world)).toEqual([{ type: 'retries_exhausted' }]);
  });

  it('wait as long as the provider says', async () => {
    const world = new World();
    const runtime = await world.open();
    await runtime.send([hello]);
    const failure = new ModelFailure('model_rate_limited_error', 'slow down', {
      retryable: true,
      retryAfterMs: 42_000,
    });
    (await nextModel(world)).fail(failure);
    await until(() => runtime.view.status === 'rescheduling');
    const before = world.now;
    while (runtime.view.status === 'rescheduling') await world.ring(runtime);
    expect(world.now - before).toBe(42_000);
  });

  it('that no retry can cure end the turn at once, and the session goes on afterwards', async () => {
    const world = new World();
    const runtime = await world.open();
    await runtime.send([hello]);
    (await nextModel(world)).fail(new ModelFailure('billing_error', 'no credit', { retryable: false }));
    await idle(runtime);
    await runtime.send([message('again')]);
    (await nextModel(world)).settle([say('hi')]);
    await idle(runtime);
    expect(await stopReasons(world)).toEqual([{ type: 'retries_exhausted' }, { type: 'end_turn' }]);
  });

  it('include an empty reply', async () => {
    const world = new World();
    const runtime = await world.open();
    await runtime.send([hello]);
    (await nextModel(world)).settle([]);
    await until(() => runtime.view.status === 'rescheduling');
  });

  it('a refusal ends the turn as one', async () => {
    const world = new World();
    const runtime = await world.open();
    await runtime.send([hello]);
    const refusal = { type: 'refusal' as const, category: 'cyber' as const, explanation: 'no' };
    const usage = {
      input_tokens: 1,
      output_tokens: 0,
      cache_creation_input_tokens: 0,
      cache_read_input_tokens: 0,
    };
    (await nextModel(world)).settle({ type: 'end', outputs: [], usage, refusal });
    await idle(runtime);
    expect(await stopReasons(world)).toEqual([{ type: 'refusal' }]);
  });
});

describe('a process that dies', () => {
  it('in a model call: the next one says so and calls the model again', async () => {
    const world = new World();
    const first = await world.open();
    await first.send([hello]);
    await nextModel(world);
    world.harness.models = [];
    const second = await world.open();
    (await nextModel(world)).settle([say('hi')]);
    await idle(second);
    const types = await world.types();
    expect(types).toContain('session.error');
    expect(types.filter((type) => type === 'agent.message')).toHaveLength(1);
    expect(types.filter((type) => type === 'span.model_request_start')).toHaveLength(2);
    expect(types.filter((type) => type === 'span.model_request_end')).toHaveLength(2);
  });

  it('in a tool call: the outcome is recovered, not performed again', async () => {
    const world = new World();
    const first = await world.open();
    await first.send([hello]);
    (await nextModel(world)).settle([use('bash')]);
    const tool = await nextTool(world);
    world.harness.outcomes.set(tool.input.effectId, outcome('it had finished'));
    const second = await world.open();
    const next = await nextModel(world);
    expect(JSON.stringify(next.input.at(-1))).toContain('it had finished');
    next.settle([say('done')]);
    await idle(second);
    expect(world.harness.performed).toHaveLength(1);
  });

  it('in a tool call nobody knows the outcome of: the result says so', async () => {
    const world = new World();
    const first = await world.open();
    await first.send([hello]);
    (await nextModel(world)).settle([use('bash')]);
    await nextTool(world);
    await world.open();
    const next = await nextModel(world);
    expect(next.input.at(-1)).toMatchObject({ type: 'tool_result', isError: true });
    expect(JSON.stringify(next.input.at(-1))).toContain('Outcome unknown');
  });

  it('leaves a zombie that writes nothing and cancels nothing', async () => {
    const world = new World();
    const zombie = await world.open();
    await zombie.send([hello]);
    (await nextModel(world)).settle([use('bash'), use('read')]);
    const tool = await nextTool(world);
    await world.open();
    const before = await world.types();
    tool.settle(outcome('from the grave'));
    await quiesce();
    expect(zombie.dead).toBe(true);
    expect(world.harness.cancelled).toEqual([]);
    expect((await world.events()).filter((event) => JSON.stringify(event).includes('grave'))).toEqual([]);
    expect((await world.types()).length).toBeGreaterThanOrEqual(before.length);
    await expect(zombie.send([hello])).rejects.toMatchObject({ code: 'unavailable' });
  });

  it('when storage fails: nothing is told, and the next process goes on', async () => {
    const world = new World();
    const runtime = await world.open();
    world.appendFails = true;
    await expect(runtime.send([hello])).rejects.toMatchObject({ code: 'unavailable' });
    world.appendFails = false;
    expect(await world.types()).toEqual([]);
    const next = await world.open();
    await next.send([hello]);
    (await nextModel(world)).settle([say('hi')]);
    await idle(next);
  });
});

describe('archive', () => {
  it('ends an idle session: it takes no more events', async () => {
    const world = new World();
    const runtime = await world.open();
    const view = await runtime.archive();
    expect(view).toMatchObject({ status: 'terminated', archivedAt: world.now });
    await expect(runtime.send([hello])).rejects.toMatchObject({ code: 'conflict' });
    await runtime.archive();
    expect((await world.types()).filter((type) => type === 'session.status_terminated')).toHaveLength(1);
  });

  it('gives the sandbox back, however often that has to be tried', async () => {
    const world = new World();
    world.harness.held = true;
    world.harness.releaseFails = true;
    const runtime = await world.open();
    await runtime.archive();
    await quiesce();
    expect(world.alarmAt).not.toBeNull();
    world.harness.releaseFails = false;
    await world.open();
    await until(() => !world.harness.held && world.alarmAt === null);
  });

  it('is refused while the session works', async () => {
    const world = new World();
    const runtime = await world.open();
    await runtime.send([hello]);
    await expect(runtime.archive()).rejects.toMatchObject({ code: 'invalid_request' });
  });
});

describe('delete', () => {
  it('tells the streams, ends them, and erases all there is', async () => {
    const world = new World();
    world.harness.held = true;
    const runtime = await world.open();
    await runtime.send([hello]);
    (await nextModel(world)).settle([say('hi')]);
    await idle(runtime);
    const reader = new FrameReader(runtime.stream({}));
    const following = reader.follow();
    await runtime.delete();
    await following;
    expect(reader.frames.map((frame) => frame.event)).toEqual(['session.deleted']);
    await until(() => world.erased);
    expect(world.harness.held).toBe(false);
    expect(world.index).toBeNull();
    expect(world.alarmAt).toBeNull();
    expect(() => runtime.view).toThrow(expect.objectContaining({ code: 'not_found' }));
  });

  it('is the last word: what was asked for in the same moment is told that there is no session', async () => {
    const world = new World();
    world.indexFails = true;
    const runtime = await world.open();
    const gone = { code: 'not_found' };
    await Promise.all([
      runtime.delete(),
      expect(runtime.archive()).rejects.toMatchObject(gone),
      expect(runtime.update({ title: 'late' })).rejects.toMatchObject(gone),
      expect(runtime.archiveThread(world.spec.threadId)).rejects.toMatchObject(gone),
      expect(runtime.send([hello])).rejects.toMatchObject(gone),
      expect(runtime.workerLost(world.now)).resolves.toBe(false),
      expect(runtime.delete()).resolves.toBeUndefined(),
    ]);
    expect(await world.types()).toEqual(['session.deleted']);
  });

  it('is finished by the next process when this one dies half way', async () => {
    const world = new World();
    world.indexFails = true;
    const runtime = await world.open();
    await runtime.delete();
    await quiesce();
    expect(world.erased).toBe(false);
    expect(world.alarmAt).not.toBeNull();
    world.indexFails = false;
    const next = await world.open();
    await until(() => world.erased);
    await expect(next.send([hello])).rejects.toMatchObject({ code: 'not_found' });
    await expect(next.events({ limit: 1, order: 'asc' })).rejects.toMatchObject({ code: 'not_found' });
    expect(() => next.stream({})).toThrow(expect.objectContaining({ code: 'not_found' }));
  });

  it('is refused while the session works', async () => {
    const world = new World();
    const runtime = await world.open();
    await runtime.send([hello]);
    await expect(runtime.delete()).rejects.toMatchObject({ code: 'invalid_request' });
    expect(runtime.view.status).toBe('running');
  });
});

describe('the index', () => {
  it('is owed until it is written, and the alarm stays armed as long', async () => {
    const world = new World();
    const runtime = await world.open();
    world.indexFails = true;
    await runtime.send([hello]);
    (await nextModel(world)).settle([say('hi')]);
    await idle(runtime);
    await quiesce();
    expect(world.index).toBeNull();
    expect(world.alarmAt).not.toBeNull();
    world.indexFails = false;
    const next = await world.open();
    await until(() => world.index?.status === 'idle' && world.alarmAt === null);
    expect(next.view.status).toBe('idle');
  });
});
