import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { ModelFailure, type ModelOutput } from '../harness.ts';
import { MemoryBlobs } from '../memory-blobs.ts';
import type { SessionRuntime } from '../runtime.ts';
import { outcome, say, USAGE, use } from '../scripted-harness.ts';
import { withJudged } from '../testing/judged-tools.ts';
import { memorySql } from '../testing/memory-sql.ts';
import { Play, step } from '../testing/play.ts';
import { Player } from '../testing/player.ts';
import { quiesce, until, World } from '../testing.ts';
import { JUDGE } from '../verdicts.ts';
import { Recording } from './recording.ts';
import { type Outcome, replay } from './replay.ts';

const RUNS = Number(process.env.PROPERTY_RUNS ?? 80);
const TIMEOUT = 60_000 + RUNS * 1_000;

const { message } = Player;
/** It is waited for so long only where nothing comes. */
const PATIENCE_MS = 30_000;

async function exported(runtime: SessionRuntime): Promise<string> {
  return new Response(runtime.exportLog()).text();
}

function played(text: string, patienceMs = PATIENCE_MS): Promise<Outcome> {
  const pause = () => new Promise<void>(setImmediate);
  return replay(Recording.read(text), {
    sql: memorySql(),
    pause,
    now: () => performance.now(),
    patienceMs,
  });
}

const rowsOf = (text: string) => text.trim().split('\n').length - 1;

async function expectSame(runtime: SessionRuntime): Promise<Outcome> {
  const text = await exported(runtime);
  const result = await played(text);
  expect(result.difference).toBeNull();
  expect(result.same).toBe(rowsOf(text));
  return result;
}

const text = (words: string) => [{ type: 'text' as const, text: words }];

/** A reader that wants to see messages as they are written: then what it was shown is kept. */
async function shown(player: Player, words: string): Promise<void> {
  const stream = player.runtime.stream({ deltas: ['agent.message'] });
  void new Response(stream).text().catch(() => undefined);
  player.world.harness.deltas = [words];
  await player.send(message('a story'));
  await player.model();
  await until(async () => (await player.world.log.drafts()).length === 1);
  player.world.harness.deltas = [];
}

describe('a replay comes out the same', () => {
  it('of a conversation with tools, rules and approvals', async () => {
    const player = await Player.open();
    await player.send(message('hello'), { type: 'system.message', content: text('be brief') });
    (await player.model()).settle([say('looking'), use('bash'), use('write', { path: 'a' }), use('ticket')]);
    (await player.tool()).settle(outcome('one'));
    await player.rests();
    const [, ask, ticket] = await player.uses();
    await player.send({
      type: 'user.custom_tool_result',
      custom_tool_use_id: ticket?.id ?? '',
      content: text('7'),
    });
    await player.send({ type: 'user.tool_confirmation', tool_use_id: ask?.id ?? '', result: 'allow' });
    (await player.tool()).settle(outcome('written'));
    (await player.model()).settle([say('done')]);
    await player.rests();
    await expectSame(player.runtime);
  });

  describe('of calls that were judged', () => {
    const edit = use('edit', { path: 'a' });
    const verdict = (...given: string[]) =>
      use(JUDGE, {
        verdicts: given.map((one, index) => ({ call: index + 1, verdict: one, reason: `said ${one}` })),
      });

    async function doubted(...outputs: ModelOutput[]): Promise<Player> {
      const world = new World();
      world.spec.agent.tools = withJudged(world.spec.agent.tools);
      const player = await Player.open(world);
      await player.send(message('change it'));
      (await player.model()).settle(outputs);
      await player.model();
      return player;
    }

    it('allowed, denied and asked about', async () => {
      const player = await doubted(say('on it'), use('edit'), edit, use('edit', { path: 'c' }));
      (await player.model()).settle([verdict('deny', 'allow', 'ask')]);
      (await player.tool()).settle(outcome('changed'));
      await player.rests();
      const [, , ask] = await player.uses();
      await player.send({ type: 'user.tool_confirmation', tool_use_id: ask?.id ?? '', result: 'deny' });
      (await player.model()).settle([say('done')]);
      await player.rests();
      await expectSame(player.runtime);
    });

    it('by a judge that failed, and by one that said nothing', async () => {
      const player = await doubted(edit);
      (await player.model()).fail(
        new ModelFailure('unknown_error', 'no', { retryable: false, usage: USAGE }),
      );
      await player.rests();
      const [ask] = await player.uses();
      await player.send({ type: 'user.tool_confirmation', tool_use_id: ask?.id ?? '', result: 'deny' });
      (await player.model()).settle([edit]);
      (await player.model()).settle([say('allow')]);
      await player.rests();
      await expectSame(player.runtime);
    });

    it('when the process died, and when a person interrupted', async () => {
      const player = await doubted(say('on it'), use('edit'), use('bash'));
      await player.restart();
      await player.retries();
      (await player.model()).settle([edit]);
      await player.model();
      await player.send({ type: 'user.interrupt' });
      await player.rests();
      const { deaths } = await expectSame(player.runtime);
      expect(deaths).toBe(1);
    });
  });

  it('of what was sent with the creation', async () => {
    const world = new World();
    world.spec = { ...world.spec, initialEvents: [message('hello'), message('and')] };
    const player = await Player.open(world);
    (await player.model()).settle([say('hi')]);
    (await player.model()).settle([say('there')]);
    await player.rests();
    await expectSame(player.runtime);
  });

  it('of other tools, given between two turns', async () => {
    const player = await Player.open();
    await player.send(message('one'));
    (await player.model()).settle([say('ok')]);
    await player.rests();
    await player.runtime.update({ title: 'Bare', agent: { tools: [] } });
    await player.send(message('two'));
    (await player.model()).settle([use('bash')]);
    (await player.model()).settle([say('ok')]);
    await player.rests();
    await expectSame(player.runtime);
  });

  it('of several events in one send, and of interrupts among them', async () => {
    const player = await Player.open();
    await player.send(message('one'), message('two'), message('three'));
    await player.model();
    await player.send({ type: 'user.interrupt' }, message('four'));
    await player.send({ type: 'user.interrupt' });
    await player.send(message('five'));
    for (let round = 0; player.runtime.view.status !== 'idle' && round < 9; round++) {
      (await player.model()).settle([say('ok')]);
      await until(
        () => player.runtime.view.status === 'idle' || player.world.harness.waitingModels.length > 0,
      );
    }
    await expectSame(player.runtime);
  });

  it('of a process that died while a message was shown', async () => {
    const player = await Player.open();
    await shown(player, 'Once upon');
    await player.restart();
    (await player.model()).settle([say(' a time')]);
    await player.rests();
    expect(await expectSame(player.runtime)).toMatchObject({ deaths: 1 });
  });

  it('of a model connection that broke off in a message', async () => {
    const player = await Player.open();
    await shown(player, 'Once upon');
    const lost = new ModelFailure('model_request_failed_error', 'connection lost', { retryable: true });
    (await player.model()).fail(lost);
    await until(() => player.runtime.view.status === 'rescheduling');
    await player.retries();
    (await player.model()).settle([say(' a time')]);
    await player.rests();
    expect(await expectSame(player.runtime)).toMatchObject({ deaths: 0 });
  });

  it('of failures: given up, refused, billed for nothing', async () => {
    const player = await Player.open();
    await player.send(message('hello'));
    (await player.model()).settle([]);
    await until(() => player.runtime.view.status === 'rescheduling');
    await player.retries();
    (await player.model()).fail(new ModelFailure('billing_error', 'no credit', { retryable: false }));
    await player.rests();
    await player.send(message('again'));
    const refusal = { type: 'refusal' as const, category: 'cyber' as const, explanation: 'no' };
    (await player.model()).settle({ type: 'end', outputs: [], usage: USAGE, refusal });
    await player.rests();
    expect(await player.stops()).toEqual(['retries_exhausted', 'refusal']);
    await expectSame(player.runtime);
  });

  it('of a model that could not read so much, while more came that is longer still', async () => {
    const play = new Play();
    await play.take({ do: 'send', what: 'message', size: 50 });
    await play.take({ do: 'send', what: 'outcome', size: 270_000 });
    await play.take({ do: 'model', which: 0, reply: 'long', size: 0 });
    const { same } = await expectSame(await play.live());
    expect(same).toBeGreaterThan(5);
  });

  it('of a context that was long to read, while more was sent', async () => {
    const { promise: read, resolve: goOn } = Promise.withResolvers<void>();
    const slow = new (class extends MemoryBlobs {
      override async get(key: string): Promise<string | null> {
        await read;
        return super.get(key);
      }
    })();
    const world = new World();
    world.blobs = slow;
    const play = new Play(world);
    await play.take({ do: 'send', what: 'outcome', size: 91 });
    await play.take({ do: 'send', what: 'message', size: 50 });
    await play.take({ do: 'model', which: 0, reply: 'say', size: 270_000 });
    await play.take({ do: 'send', what: 'message', size: 40 });
    goOn();
    const waits = 'span.model_request_start user.message span.model_request_end';
    await until(async () => (await world.types()).join(' ').includes(waits));
    await quiesce();
    const { same } = await expectSame(await play.live());
    expect(same).toBeGreaterThan(10);
  });

  it('of a session that was changed, paused by its budget, and archived', async () => {
    const player = await Player.open();
    await player.runtime.update({ title: 'A', metadata: { a: '1', b: '2' } });
    await player.runtime.update({
      metadata: { a: null, c: '3' },
      budget: { type: 'limit', max_model_calls: 1 },
    });
    await player.send(message('hello'));
    (await player.model()).settle([use('bash')]);
    (await player.tool()).settle(outcome('ok'));
    await player.rests();
    await player.runtime.update({ budget: null });
    (await player.model()).settle([say('done')]);
    await player.rests();
    await player.runtime.archive();
    expect(await player.stops()).toEqual(['budget_reached', 'end_turn']);
    await expectSame(player.runtime);
  });

  it('of a fork, of which it copies what was copied', async () => {
    const source = await Player.open();
    await source.send(message('hello'));
    (await source.model()).settle([use('bash')]);
    await source.tool();
    const [used] = await source.uses();
    const world = new World(source.world.spec.agent);
    world.ids = source.world.ids;
    const origin = { sessionId: source.world.spec.sessionId, eventId: used?.id ?? '' };
    world.spec = { ...world.spec, sessionId: 'sesn_fork', threadId: 'sthr_fork00', origin };
    world.others.set(origin.sessionId, source.runtime);
    const fork = await Player.open(world);
    await fork.send(message('go on'));
    (await fork.model()).settle([say('done')]);
    await fork.rests();
    await expectSame(fork.runtime);
  });

  it('of a thread that was archived, and of words that name it', async () => {
    const play = new Play();
    const player = await Player.open(play.world);
    play.world.harness.choice = {};
    await player.send(message('go'));
    (await player.model()).settle([use('delegate', { agent: 'scout', message: 'look' })]);
    await until(() => player.world.harness.waitingModels.length === 2);
    const child = player.runtime.threads[1]?.id ?? '';
    for (const call of player.world.harness.waitingModels) call.settle([say(`it is ${child}`)]);
    (await player.model()).settle([use('delegate', { thread_id: child, message: 'again' })]);
    await until(() => player.world.harness.waitingModels.length === 2);
    for (const call of player.world.harness.waitingModels) call.settle([say('found')]);
    (await player.model()).settle([use('write', { path: child })]);
    await player.rests();
    const [ask] = await player.uses();
    await player.send({ type: 'user.tool_confirmation', tool_use_id: ask?.id ?? '', result: 'deny' });
    (await player.model()).settle([say('done')]);
    await player.rests();
    await player.runtime.archiveThread(child);
    await expectSame(player.runtime);
  });

  it('of one that was exported in the midst of its work', async () => {
    const player = await Player.open();
    await player.send(message('hello'));
    (await player.model()).settle([use('bash'), use('read')]);
    await player.tool();
    await player.send(message('and'));
    await expectSame(player.runtime);
  });
});

describe('a replay tells the first difference', () => {
  async function conversation(): Promise<string> {
    const player = await Player.open();
    await player.send(message('hello'));
    (await player.model()).settle([say('looking'), use('bash')]);
    (await player.tool()).settle(outcome('one'));
    (await player.model()).settle([say('done')]);
    await player.rests();
    return exported(player.runtime);
  }

  it('where a row says something else than the session does', async () => {
    const lines = (await conversation()).trim().split('\n');
    const at = lines.findIndex((line) => line.includes('session.thread_status_idle'));
    lines[at] = lines[at]?.replace('end_turn', 'retries_exhausted') ?? '';
    const { same, difference } = await played(lines.join('\n'));
    expect(same).toBe(at - 1);
    expect(difference).toMatchObject({ seq: at, why: 'the rows differ' });
    expect(difference?.recorded).toContain('retries_exhausted');
    expect(difference?.replayed).toContain('end_turn');
  });

  it('where the session writes a row more', async () => {
    const lines = (await conversation()).trim().split('\n');
    const at = lines.findIndex((line) => line.includes('"session.usage"'));
    lines.splice(at, 1);
    const renumbered = lines.map((line, index) =>
      index === 0 ? line : line.replace(/"seq":\d+/, `"seq":${index}`),
    );
    const { difference } = await played(renumbered.join('\n'));
    expect(difference).toMatchObject({ seq: at, replayed: expect.stringContaining('session.usage') });
  });

  it('where nothing that could have come from outside makes the row', async () => {
    const lines = (await conversation()).trim().split('\n');
    const rest = lines
      .slice(0, -1)
      .join('\n')
      .replaceAll('"agent.tool_result"', '"session.status_terminated"');
    const { difference } = await played(rest, 3_000);
    expect(difference?.why).toMatch(/writes nothing|does not wait/);
  });

  it.each([
    ['no JSON', '{', 'line 1 is no JSON'],
    ['no session', '{"type":"x"}', 'line 1 is no exported session'],
  ])('not in a file that has %s, which says so', (_what, file, why) => {
    expect(() => Recording.read(file)).toThrow(why);
  });

  it('not in a file that lacks rows, which says so', async () => {
    const lines = (await conversation()).trim().split('\n');
    lines.splice(3, 1);
    expect(() => Recording.read(lines.join('\n'))).toThrow('rows are missing');
  });
});

it(
  'of any session comes out the same',
  async () => {
    let rows = 0;
    let deaths = 0;
    await fc.assert(
      fc.asyncProperty(fc.array(step, { minLength: 5, maxLength: 40 }), async (steps) => {
        const play = new Play();
        for (const next of steps) await play.take(next);
        const result = await expectSame(await play.live());
        rows += result.same;
        deaths += result.deaths;
      }),
      { numRuns: RUNS, endOnFailure: process.env.PROPERTY_RUNS !== undefined },
    );
    expect(rows).toBeGreaterThan(500);
    expect(deaths).toBeGreaterThan(0);
  },
  TIMEOUT,
);
