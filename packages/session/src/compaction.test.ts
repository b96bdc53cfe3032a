import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { headOf } from './compaction.ts';
import { ModelContext, type PlacedItem } from './context.ts';
import { type ContextItem, ModelFailure } from './harness.ts';
import { readable } from './log-reader.ts';
import type { SessionRuntime } from './runtime.ts';
import { outcome, type PendingModel, say, USAGE, use } from './scripted-harness.ts';
import { until, World } from './testing.ts';

const message = (text: string) => ({
  type: 'user.message' as const,
  content: [{ type: 'text' as const, text }],
});
const system = (text: string) => ({
  type: 'system.message' as const,
  content: [{ type: 'text' as const, text }],
});

const LONG = 'word '.repeat(900);

/** A world whose model holds few tokens. */
function small(): World {
  const world = new World();
  world.harness.choice = { contextWindow: 4_000, maxOutputTokens: 1_000 };
  return world;
}

async function nextModel(world: World): Promise<PendingModel> {
  await until(() => world.harness.waitingModels.length > 0);
  const [call] = world.harness.waitingModels;
  if (!call) throw new Error('no model call');
  return call;
}

const isSummary = ({ call }: PendingModel) => !call.builtIn;

/** The next call that is no summary; summaries on the way are answered with `notes`. */
async function nextReply(world: World, notes = 'the notes'): Promise<PendingModel> {
  for (;;) {
    const call = await nextModel(world);
    if (!isSummary(call)) return call;
    call.settle([say(notes)]);
    await until(() => call.done && world.harness.waitingModels[0] !== call);
  }
}

async function nextSummary(world: World): Promise<PendingModel> {
  await until(() => world.harness.waitingModels.some(isSummary));
  return nextModel(world);
}

async function nextTool(world: World) {
  await until(() => world.harness.waitingTools.length > 0);
  const [call] = world.harness.waitingTools;
  if (!call) throw new Error('no tool call');
  return call;
}

const idle = (runtime: SessionRuntime) => until(() => runtime.view.status === 'idle');
const words = (context: readonly ContextItem[]) => JSON.stringify(context);

const NEXT = `the next question: ${'x'.repeat(900)}`;

/** A turn that fills the window, so that the one of NEXT begins with a compaction. */
async function filled(world: World): Promise<SessionRuntime> {
  const runtime = await world.open();
  await runtime.send([message(`the first question: ${LONG}`)]);
  (await nextModel(world)).settle([say('the first answer')]);
  await idle(runtime);
  return runtime;
}

const count = async (world: World, type: string) =>
  (await world.types()).filter((each) => each === type).length;

describe('a context near the end of its window', () => {
  it('is compacted before the turn goes on, as an event between a request of its own and the next', async () => {
    const world = small();
    const runtime = await filled(world);
    await runtime.send([message(NEXT)]);
    const reply = await nextReply(world, 'NOTES');
    expect(await count(world, 'agent.thread_context_compacted')).toBe(1);
    const types = await world.types();
    const at = types.lastIndexOf('agent.thread_context_compacted');
    expect(types.slice(at - 2, at)).toEqual(['span.model_request_start', 'span.model_request_end']);
    expect(words(reply.input)).toContain('NOTES');
    expect(words(reply.input)).toContain('the next question');
    expect(words(reply.input)).not.toContain('the first question');
    reply.settle([say('done')]);
    await idle(runtime);
  });

  it('is compacted within a turn, and no call is parted from its result', async () => {
    const world = small();
    const runtime = await world.open();
    await runtime.send([message('many steps')]);
    for (let step = 0; step < 6; step++) {
      const call = await nextReply(world);
      const calls = call.input.filter((item) => item.type === 'tool_call').map((item) => item.callId);
      const results = call.input.filter((item) => item.type === 'tool_result').map((item) => item.callId);
      expect(results).toEqual(calls);
      call.settle([say(`step ${step}`), use('bash', { command: `${step}` })]);
      (await nextTool(world)).settle(outcome(`result ${step}: ${'line '.repeat(500)}`));
    }
    (await nextReply(world)).settle([say('done')]);
    await idle(runtime);
    expect(await count(world, 'agent.thread_context_compacted')).toBeGreaterThan(0);
    expect(await count(world, 'session.status_running')).toBe(1);
  });

  it.each([
    ['Chinese', '这是一个很长的问题。'],
    ['Japanese', 'これは長い質問です。'],
    ['Korean', '이것은 긴 질문입니다. '],
  ])('is compacted in time when it is %s, whose characters are tokens', async (_, words) => {
    const world = small();
    const runtime = await world.open();
    for (let turn = 0; turn < 8; turn++) {
      await runtime.send([message(words.repeat(50))]);
      const reply = await nextReply(world, words.repeat(5));
      // Its own words alone, at a token each.
      const tokens = [...JSON.stringify(reply.input)].filter((char) => char > '\u2e80').length;
      expect(tokens).toBeLessThan(3_000);
      reply.settle([say(words.repeat(20))]);
      await idle(runtime);
    }
    expect(await count(world, 'agent.thread_context_compacted')).toBeGreaterThan(0);
  });

  it('leaves every row in the log, and the list as it was', async () => {
    const world = small();
    const runtime = await filled(world);
    const before = await world.events();
    await runtime.send([message(NEXT)]);
    (await nextReply(world)).settle([say('done')]);
    await idle(runtime);
    expect((await world.events()).slice(0, before.length)).toEqual(before);
    const listed = await runtime.events({ limit: 1_000, order: 'asc' });
    expect(words(listed.data as never)).toContain('the first question');
  });

  it('is billed: the summary counts in the usage of the session and is a line of the ledger', async () => {
    const world = small();
    const runtime = await filled(world);
    await runtime.send([message(NEXT)]);
    const summary = await nextSummary(world);
    summary.settle([say('notes')]);
    (await nextReply(world)).settle([say('done')]);
    await idle(runtime);
    await until(() => [...world.ledger.values()].some(({ kind }) => kind === 'compaction'));
    const calls = world.ledger.size;
    expect(runtime.view.usage.input_tokens).toBe(calls * USAGE.input_tokens);
  });
});

describe('what a compaction keeps word for word', () => {
  const RULE = 'Rule of the house: say "marmalade" in each reply.';

  it('are rules, also through one compaction after another', async () => {
    const world = small();
    const runtime = await world.open();
    await runtime.send([message(`hello ${LONG}`), system(RULE)]);
    (await nextReply(world)).settle([say(LONG)]);
    await idle(runtime);
    for (let round = 0; round < 4; round++) {
      await runtime.send([message(`round ${round} ${LONG}`)]);
      const call = await nextReply(world, 'nothing of rules here');
      expect(call.input.filter((item) => item.type === 'system')).toEqual([{ type: 'system', text: RULE }]);
      call.settle([say(LONG)]);
      await idle(runtime);
    }
    expect(await count(world, 'agent.thread_context_compacted')).toBeGreaterThan(2);
  });

  it('is the outcome that is worked for, and not one that is over', async () => {
    const world = small();
    const runtime = await world.open();
    const define = (description: string) => ({
      type: 'user.define_outcome' as const,
      description,
      rubric: { type: 'text' as const, content: `RUBRIC of ${description}` },
    });
    await runtime.send([define('the old one')]);
    (await nextReply(world)).settle([say(`tried ${LONG}`)]);
    await runtime.send([{ type: 'user.interrupt' }]);
    await idle(runtime);
    await runtime.send([define('the new one')]);
    for (let step = 0; step < 5; step++) {
      const call = await nextReply(world);
      expect(words(call.input)).toContain('RUBRIC of the new one');
      if (step > 2) expect(words(call.input)).not.toContain('RUBRIC of the old one');
      call.settle([say(LONG), use('bash')]);
      (await nextTool(world)).settle(outcome(LONG));
    }
    expect(await count(world, 'agent.thread_context_compacted')).toBeGreaterThan(1);
  });
});

describe('a model that cannot read the whole context', () => {
  const tooLong = () =>
    new ModelFailure('model_request_failed_error', 'prompt too long', {
      retryable: false,
      contextTooLong: true,
    });

  it('is given a compacted one, and the turn goes on', async () => {
    const world = new World();
    const runtime = await world.open();
    await runtime.send([message('hello')]);
    (await nextModel(world)).fail(tooLong());
    (await nextSummary(world)).settle([say('NOTES')]);
    const again = await nextReply(world);
    expect(words(again.input)).toContain('NOTES');
    again.settle([say('done')]);
    await idle(runtime);
    expect(await world.types()).not.toContain('session.error');
  });

  it('however much is compacted: the turn ends with an error that says so, and the session goes on', async () => {
    const world = new World();
    const runtime = await world.open();
    await runtime.send([message('hello')]);
    for (let round = 0; runtime.view.status !== 'idle' && round < 20; round++) {
      const call = await nextModel(world);
      if (isSummary(call)) call.settle([say('notes')]);
      else call.fail(tooLong());
      await until(() => runtime.view.status === 'idle' || world.harness.waitingModels.length > 0);
    }
    expect(await count(world, 'agent.thread_context_compacted')).toBe(3);
    const errors = (await world.events()).flatMap((event) =>
      event.type === 'session.error' ? [event.error] : [],
    );
    expect(errors).toMatchObject([
      { type: 'compaction_limit_reached_error', retry_status: { type: 'exhausted' } },
    ]);
    const idles = (await world.events()).flatMap((event) =>
      event.type === 'session.status_idle' ? [event.stop_reason.type] : [],
    );
    expect(idles).toEqual(['retries_exhausted']);
    await runtime.send([message('again')]);
    const reply = await nextReply(world);
    reply.settle([say('hello')]);
    await idle(runtime);
    expect((await world.events()).at(-1)).toMatchObject({ stop_reason: { type: 'end_turn' } });
  });

  it('not even what is to be compacted: less of it is tried, and that ends, too', async () => {
    const world = new World();
    const runtime = await world.open();
    await runtime.send([message('hello')]);
    (await nextModel(world)).settle([use('bash')]);
    (await nextTool(world)).settle(outcome('word '.repeat(200_000)));
    const sizes: number[] = [];
    for (let round = 0; runtime.view.status !== 'idle' && round < 20; round++) {
      const call = await nextModel(world);
      if (isSummary(call)) sizes.push(words(call.input).length);
      call.fail(tooLong());
      await until(() => runtime.view.status === 'idle' || world.harness.waitingModels.length > 0);
    }
    expect(sizes).toHaveLength(3);
    expect(sizes[1]).toBeLessThan((sizes[0] ?? 0) / 2);
    expect(sizes[2]).toBeLessThan((sizes[1] ?? 0) / 2);
    expect(await world.types()).toContain('session.error');
  });
});

describe('a summary that fails', () => {
  it('is tried again later, and the context stays as it is meanwhile', async () => {
    const world = small();
    const runtime = await filled(world);
    await runtime.send([message(NEXT)]);
    const busy = new ModelFailure('model_overloaded_error', 'busy', { retryable: true });
    (await nextSummary(world)).fail(busy);
    await until(() => runtime.view.status === 'rescheduling');
    await world.ring(runtime);
    const again = await nextSummary(world);
    again.settle([say('NOTES')]);
    const reply = await nextReply(world);
    expect(words(reply.input)).toContain('NOTES');
    expect(words(reply.input)).toContain('the next question');
    reply.settle([say('done')]);
    await idle(runtime);
  });

  it('with no words throws nothing away', async () => {
    const world = small();
    const runtime = await filled(world);
    await runtime.send([message(NEXT)]);
    (await nextSummary(world)).settle([{ type: 'thinking' }]);
    await until(() => runtime.view.status === 'rescheduling');
    expect(await count(world, 'agent.thread_context_compacted')).toBe(0);
  });

  it('because its process dies is begun again by the next', async () => {
    const world = small();
    const first = await filled(world);
    await first.send([message(NEXT)]);
    await nextSummary(world);
    world.harness.models = [];
    const second = await world.open();
    (await nextSummary(world)).settle([say('NOTES')]);
    const reply = await nextReply(world);
    expect(words(reply.input)).toContain('NOTES');
    reply.settle([say('done')]);
    await idle(second);
    const starts = await count(world, 'span.model_request_start');
    expect(await count(world, 'span.model_request_end')).toBe(starts);
  });

  it('because it is interrupted leaves the context as it was', async () => {
    const world = small();
    const runtime = await filled(world);
    await runtime.send([message(NEXT)]);
    const summary = await nextSummary(world);
    await runtime.send([{ type: 'user.interrupt' }]);
    summary.settle([say('too late')]);
    await idle(runtime);
    expect(await count(world, 'agent.thread_context_compacted')).toBe(0);
  });
});

describe('the cost of a context', () => {
  it('after a compaction is what is left of it: nothing before is read', async () => {
    const world = small();
    const runtime = await filled(world);
    await runtime.send([message(NEXT)]);
    (await nextReply(world)).settle([say('done')]);
    await idle(runtime);
    const { threads } = await world.state();
    const from = threads[0]?.contextFrom ?? 0;
    expect(from).toBeGreaterThan(0);
    const asked: number[] = [];
    const log = readable(
      Object.assign(Object.create(world.log), {
        lines: (...query: Parameters<typeof world.log.lines>) => {
          asked.push(query[0]);
          return world.log.lines(...query);
        },
      }),
      { blobs: world.blobs, logger: { warn: () => {} } as never },
    );
    await new ModelContext({ log, thread: null, from }).items();
    expect(Math.min(...asked)).toBe(from);
  });

  it('counts an image that waits to be taken no higher than one that was', async () => {
    const world = new World();
    world.spec = { ...world.spec, budget: { type: 'limit', max_tokens: 10_000_000 } };
    const runtime = await world.open();
    await runtime.send([message('hello')]);
    const call = await nextModel(world);
    const source = { type: 'base64' as const, media_type: 'image/png', data: 'A'.repeat(4_000_000) };
    await runtime.send([{ type: 'user.message', content: [{ type: 'image', source }] }]);
    call.settle([say('hello')]);
    const next = await nextModel(world);
    expect(next.call.builtIn).toBe(true);
    expect(next.call.context.at(-1)).toMatchObject({ content: [{ type: 'image' }] });
  });

  it('counts a small image flat, a large one and a document for a share of their bytes', async () => {
    const world = new World();
    const runtime = await world.open();
    const data = 'A'.repeat(2_000_000);
    const image = {
      type: 'image' as const,
      source: { type: 'base64' as const, media_type: 'image/png', data },
    };
    const pdf = {
      type: 'document' as const,
      source: { type: 'base64' as const, media_type: 'application/pdf', data },
    };
    const small = { ...image, source: { ...image.source, data: 'A'.repeat(200_000) } };
    await runtime.send([{ type: 'user.message', content: [image, small] }]);
    (await nextModel(world)).settle([say('seen')]);
    await idle(runtime);
    await runtime.send([{ type: 'user.message', content: [pdf] }]);
    (await nextModel(world)).settle([say('read')]);
    await idle(runtime);
    const log = readable(world.log, { blobs: world.blobs, logger: { warn: () => {} } as never });
    const items = await new ModelContext({ log, thread: null, from: 0 }).items();
    expect(items.map(({ chars }) => chars)).toEqual([46_000, 4, 200_000, 4]);
    expect(await world.types()).not.toContain('agent.thread_context_compacted');
  });
});

/** Any context: turns of input, replies with calls and messages to threads, results in any order. */
const contexts: fc.Arbitrary<PlacedItem[]> = fc
  .array(
    fc.record({
      inputs: fc.array(fc.constantFrom('user', 'system'), { maxLength: 3 }),
      reply: fc.array(fc.constantFrom('message', 'thinking', 'tool_call', 'sent'), { maxLength: 5 }),
      late: fc.boolean(),
      size: fc.nat(5_000),
    }),
    { maxLength: 8 },
  )
  .chain((turns) => fc.tuple(fc.constant(turns), fc.infiniteStream(fc.nat(10))))
  .map(([turns, random]) => {
    const items: PlacedItem[] = [];
    let seq = 1;
    const put = (item: ContextItem, place: Partial<PlacedItem> = {}) => {
      items.push({ seq, row: seq, reply: null, item, chars: 10, ...place });
    };
    for (const { inputs, reply, late, size } of turns) {
      for (const type of inputs) {
        seq += 1;
        if (type === 'system') put({ type, text: 'rule' }, { chars: size });
        else put({ type: 'user', content: [] }, { chars: size });
      }
      const request = ++seq;
      const open: string[] = [];
      const row = ++seq;
      for (const type of reply) {
        seq += 1;
        const callId = `call_${seq}`;
        if (type === 'tool_call') open.push(callId);
        if (type === 'message') put({ type, text: '' }, { reply: request });
        else if (type === 'thinking') put({ type }, { reply: request });
        else put({ type: 'tool_call', callId, name: 'x', input: {} }, { reply: request });
        if (type === 'sent')
          put({ type: 'tool_result', callId, content: [], isError: false }, { reply: request });
      }
      while (open.length > 0) {
        seq += 1;
        const [callId = ''] = open.splice((random.next().value ?? 0) % open.length, 1);
        put({ type: 'tool_result', callId, content: [], isError: false }, { chars: size });
      }
      // Came in while the reply was made.
      seq += 1;
      if (late) put({ type: 'user', content: [] }, { row });
    }
    return items;
  });

describe('the head of a context', () => {
  it('parts no call from its result, no reply, and nothing that came in early from what it came in with', () => {
    fc.assert(
      fc.property(contexts, fc.nat(20_000), (items, room) => {
        const head = headOf(items, room);
        const tail = items.slice(head.length);
        expect(items.slice(0, head.length)).toEqual(head);
        const ids = (some: readonly PlacedItem[], type: string) =>
          some.flatMap(({ item }) => ('callId' in item && item.type === type ? [item.callId] : [])).sort();
        expect(ids(head, 'tool_result')).toEqual(ids(head, 'tool_call'));
        expect(ids(tail, 'tool_result')).toEqual(ids(tail, 'tool_call'));
        const last = head.at(-1);
        if (last === undefined) return;
        for (const { seq, row, reply } of tail) {
          expect(seq).toBeGreaterThan(last.seq);
          expect(row).toBeGreaterThan(last.seq);
          if (reply !== null) expect(reply).not.toBe(last.reply);
        }
      }),
      { numRuns: 500 },
    );
  });

  it('leaves a tail that has room, and no shorter one than it could', () => {
    fc.assert(
      fc.property(contexts, fc.nat(20_000), (items, room) => {
        const size = (some: readonly PlacedItem[]) => some.reduce((sum, { chars }) => sum + chars, 0);
        const head = headOf(items, room);
        if (head.length > 0) expect(size(items.slice(head.length))).toBeLessThanOrEqual(room);
        const wider = headOf(items, room + 5_000);
        expect(wider.length).toBeLessThanOrEqual(head.length);
      }),
      { numRuns: 300 },
    );
  });

  it('ends before what no model call has seen yet', () => {
    const item = (seq: number): PlacedItem => ({
      seq,
      row: seq,
      reply: null,
      item: { type: 'user', content: [] },
      chars: 100,
    });
    expect(headOf([item(1), item(5), item(9)], 0, 4)).toEqual([item(1)]);
    expect(headOf([item(5)], 0, 4)).toEqual([]);
  });
});
