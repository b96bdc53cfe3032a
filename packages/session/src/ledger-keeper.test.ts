import type { EventParam } from '@capstan/schema/events/user-events';
import { silentLogger } from '@capstan/shared/logger';
import { describe, expect, it } from 'vitest';
import { type Bill, made, noted } from './entry.ts';
import { LedgerKeeper } from './ledger-keeper.ts';
import type { LedgerLine, MarkName } from './ports.ts';
import { outcome, PRICE, say, USAGE, use } from './scripted-harness.ts';
import { SqlLog } from './sql-log.ts';
import { Crew, PRIMARY } from './testing/crew.ts';
import { memorySql } from './testing/memory-sql.ts';
import { hello, limit, Stage, took } from './testing/stage.ts';
import { quiesce, until, World } from './testing.ts';

const COST = USAGE.input_tokens * PRICE.input + USAGE.output_tokens * PRICE.output;

const BILL: Bill = { kind: 'model', provider: 'dev', model: 'm', usage: USAGE, nanoUsd: COST };

/** A log with bills on it, and a ledger whose answers a test gives. */
class Books {
  log = new SqlLog(memorySql());
  marks = new Map<MarkName, string>();
  lines: LedgerLine[] = [];
  waiting: { settle(): void; lose(): void }[] = [];
  settled = 0;
  seq = 0;
  now = 0;

  keeper(): LedgerKeeper {
    const { spec } = new World();
    const ports = {
      log: this.log,
      logger: silentLogger,
      now: () => this.now,
      random: () => 1,
      marks: {
        get: (name: MarkName) => this.marks.get(name) ?? null,
        set: (name: MarkName, value: string) => {
          this.marks.set(name, value);
        },
      },
      ledger: {
        record: (lines: readonly LedgerLine[]) =>
          new Promise<void>((resolve, reject) => {
            const settle = () => {
              this.lines.push(...lines);
              resolve();
            };
            this.waiting.push({ settle, lose: () => reject(new Error('the connection was lost')) });
          }),
      },
    };
    return new LedgerKeeper(ports, { spec, ownerOf: () => ({ member: null }) }, () => {
      this.settled += 1;
    });
  }

  async bill(count = 1): Promise<void> {
    const entries = Array.from({ length: count }, (_, index) => {
      const stamp = { now: 0, newId: () => `sevt_${this.seq + index}` };
      const end = { model_request_start_id: '', is_error: false, model_usage: USAGE };
      return noted(made(stamp, 'span.model_request_end', end), { bill: BILL });
    });
    await this.log.append(this.seq, entries);
    this.seq += count;
  }

  async answer(): Promise<void> {
    await until(() => this.waiting.length > 0);
    this.waiting.shift()?.settle();
    await quiesce();
  }

  get ids(): string[] {
    return this.lines.map(({ eventId }) => eventId);
  }
}

describe('LedgerKeeper', () => {
  it('records each bill of the log once, however often it is asked', async () => {
    const books = new Books();
    const keeper = books.keeper();
    await books.bill(3);
    keeper.keep(2);
    keeper.keep(3);
    await books.answer();
    expect(books.ids).toEqual(['sevt_0', 'sevt_1', 'sevt_2']);
    expect(keeper.done).toBe(true);
    keeper.keep(3);
    await quiesce();
    expect(books.waiting).toEqual([]);
  });

  it('records what came while it recorded, without being asked again', async () => {
    const books = new Books();
    const keeper = books.keeper();
    await books.bill();
    keeper.keep(1);
    await until(() => books.waiting.length === 1);
    await books.bill();
    keeper.keep(2);
    await books.answer();
    await books.answer();
    expect(books.ids).toEqual(['sevt_0', 'sevt_1']);
    expect(books.settled).toBe(1);
  });

  it('records many in batches, and goes on from the last that arrived', async () => {
    const books = new Books();
    const keeper = books.keeper();
    await books.bill(450);
    keeper.keep(450);
    await books.answer();
    expect(books.ids).toHaveLength(200);
    await until(() => books.waiting.length === 1);
    books.waiting.shift()?.lose();
    await quiesce();
    expect(keeper.done).toBe(false);
    books.now = keeper.retryAt ?? 0;
    keeper.keep(0);
    await books.answer();
    await books.answer();
    expect(books.ids).toHaveLength(450);
    expect(new Set(books.ids).size).toBe(450);
  });

  it('records again under the same ids when the answer was lost, also in a new process', async () => {
    const books = new Books();
    await books.bill(2);
    books.keeper().keep(2);
    await until(() => books.waiting.length === 1);
    books.waiting.shift();
    const next = books.keeper();
    next.keep(2);
    await books.answer();
    expect(books.ids).toEqual(['sevt_0', 'sevt_1']);
    expect(next.done).toBe(true);
  });

  it('asks nothing of a ledger that is right, and ends with a log that is gone', async () => {
    const books = new Books();
    books.marks.set('billed', '7');
    const keeper = books.keeper();
    keeper.keep(7);
    expect(keeper.done).toBe(true);
    keeper.keep(9);
    await quiesce();
    expect(books.waiting).toEqual([]);
    expect(books.settled).toBe(1);
  });
});

const ends = async (stage: Stage) => (await stage.of('span.model_request_end')).map(({ id }) => id);
const kinds = (world: World) => [...world.ledger.values()].map(({ kind }) => kind);

describe('the ledger of a session', () => {
  it('has a line for each model call once the session rests, under the id of its end', async () => {
    const stage = await Stage.open();
    await stage.send(hello);
    await stage.replies([use('bash')]);
    (await stage.tool()).settle(outcome('done'));
    await stage.replies([say('hi')]);
    await stage.rests();
    await until(() => stage.world.ledger.size === 2);
    expect([...stage.world.ledger.keys()]).toEqual(await ends(stage));
    const [line] = stage.world.ledger.values();
    expect(line).toEqual({
      kind: 'model',
      provider: 'dev',
      model: 'test-model',
      usage: USAGE,
      nanoUsd: COST,
      eventId: (await ends(stage))[0],
      threadId: PRIMARY,
      agent: { id: 'agent_test', version: 1 },
      at: stage.world.now,
    });
    await until(() => stage.world.alarmAt === null);
  });

  it('is brought up to date every twenty calls while the session works', async () => {
    const stage = await Stage.open();
    await stage.send(hello);
    const step = async () => {
      await stage.replies([use('bash')]);
      (await stage.tool()).settle(outcome('done'));
    };
    for (let call = 0; call < 19; call++) await step();
    await stage.model();
    expect(stage.world.ledger.size).toBe(0);
    await step();
    await until(() => stage.world.ledger.size === 20);
    expect(stage.status).toBe('running');
  });

  it('is owed, with an alarm armed, while the control plane is away', async () => {
    const stage = await Stage.open();
    stage.world.indexFails = true;
    await stage.send(hello);
    await stage.replies([say('hi')]);
    await stage.rests();
    await quiesce();
    expect(stage.world.alarmAt).not.toBeNull();
    await stage.world.ring(stage.runtime);
    await quiesce();
    expect(stage.world.ledger.size).toBe(0);
    expect(stage.world.alarmAt).not.toBeNull();
    stage.world.indexFails = false;
    await stage.world.ring(stage.runtime);
    await until(() => stage.world.ledger.size === 1);
    await until(() => stage.world.alarmAt === null);
  });

  it('is written by the next process when the one that worked has died', async () => {
    const stage = await Stage.open();
    stage.world.indexFails = true;
    await stage.send(hello);
    await stage.replies([say('hi')]);
    await stage.rests();
    await quiesce();
    stage.world.indexFails = false;
    await stage.restart();
    await until(() => stage.world.ledger.size === 1);
    const marked = stage.world.marks.get('billed');
    // The process died after the ledger had it, and before it knew.
    stage.world.marks.delete('billed');
    await stage.restart();
    await until(() => stage.world.marks.get('billed') === marked);
    expect([...stage.world.ledger.keys()]).toEqual(await ends(stage));
  });

  it('is written before a deleted session is erased', async () => {
    const stage = await Stage.open();
    stage.world.indexFails = true;
    await stage.send(hello);
    await stage.replies([say('hi')]);
    await stage.rests();
    await stage.runtime.delete();
    await quiesce();
    await stage.world.ring(stage.runtime);
    await quiesce();
    expect(stage.world.erased).toBe(false);
    stage.world.indexFails = false;
    while (!stage.world.erased) {
      await stage.world.ring(stage.runtime);
      await quiesce();
    }
    expect(stage.world.ledger.size).toBe(1);
  });

  it('names the thread and the agent that called', async () => {
    const crew = await Crew.open();
    const [scout = ''] = await crew.delegated(['scout', 'look']);
    await crew.says(PRIMARY, 'it is at it');
    await crew.says(scout, 'seen');
    await crew.says(PRIMARY, 'so it is');
    await crew.rests();
    await until(() => crew.world.ledger.size === 4);
    const lines = [...crew.world.ledger.values()].map(({ threadId, agent }) => [threadId, agent.id]);
    expect(lines.filter(([threadId]) => threadId === scout)).toEqual([[scout, 'agent_scout']]);
    expect(lines.filter(([threadId]) => threadId === PRIMARY)).toHaveLength(3);
  });

  it('tells replies from compactions, which cost as well', async () => {
    const stage = await Stage.open();
    stage.world.harness.choice = { contextWindow: 20_000, maxOutputTokens: 2_000 };
    await stage.send(hello);
    await stage.replies(took([use('bash')], { input_tokens: 18_000, output_tokens: 10 }));
    (await stage.tool()).settle(outcome('done'));
    await stage.replies([say('summary')]);
    await stage.replies([say('done')]);
    await stage.rests();
    await until(() => stage.world.ledger.size === 3);
    expect(kinds(stage.world).sort()).toEqual(['compaction', 'model', 'model']);
    const sum = [...stage.world.ledger.values()].reduce((total, { usage }) => total + usage.input_tokens, 0);
    expect(stage.runtime.view.usage.input_tokens).toBe(sum);
  });
});

describe('the ledger of a fork', () => {
  const forkOf = async (stage: Stage, at: string) => {
    const world = new World();
    world.ids = 1_000;
    world.others.set('sesn_source', stage.runtime);
    const origin = { sessionId: 'sesn_source', eventId: at };
    world.spec = { ...world.spec, sessionId: 'sesn_fork', origin };
    return world;
  };

  it('has nothing of what was copied, and what comes after it', async () => {
    const source = await Stage.open();
    await source.send(hello);
    await source.replies([say('hi')]);
    await source.rests();
    const world = await forkOf(source, (await source.lastId()) ?? '');
    const fork = new Stage(world, await world.open());
    await quiesce();
    expect(world.ledger.size).toBe(0);
    await until(() => world.alarmAt === null);
    await fork.restart();
    await fork.send(hello as EventParam);
    await fork.replies([say('again')]);
    await fork.rests();
    await until(() => world.ledger.size === 1);
    expect(fork.runtime.view.usage).toMatchObject({ input_tokens: 10, output_tokens: 2 });
    const [line] = world.ledger.values();
    expect(await ends(source)).not.toContain(line?.eventId);
  });

  it('has nothing of what was copied when its first process dies between copy and beginning', async () => {
    const source = await Stage.open(limit({ max_model_calls: 1 }));
    await source.send(hello);
    await source.replies([say('hi')]);
    await source.rests();
    const world = await forkOf(source, (await source.lastId()) ?? '');
    // The copy is there; the row that ends it is not.
    let seq = 0;
    for (const line of await source.runtime.copyLines(0, (await source.lastId()) ?? '')) {
      const { data, note } = line;
      await world.log.append(seq++, [
        { event: JSON.parse(data), ...(note ? { note: JSON.parse(note) } : {}) },
      ]);
    }
    const fork = new Stage(world, await world.open());
    await quiesce();
    expect(world.ledger.size).toBe(0);
    expect(fork.runtime.view).toMatchObject({ budget: null, status: 'idle' });
  });
});
