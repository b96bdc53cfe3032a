// A warm pool over sandboxes to which happens what a test says; processes come and go around what it remembers.
import { AGAIN_MS, EMPTY_POOL, LATE_MS, LOOK_MS, type PoolRecord } from '@capstan/sandbox/warm-pool';
import { silentLogger } from '@capstan/shared/logger';
import { beforeEach, describe, expect, it } from 'vitest';
import { ScriptedSandboxes } from './testing/scripted-sandboxes.ts';
import { type PoolPorts, type PoolWish, WarmPool } from './warm-pool.ts';

const USUAL = { imageId: null, cpu: null, memoryMiB: null, gpu: null };

let world: ScriptedSandboxes;
let record: PoolRecord;
let wish: PoolWish;
let armedAt: number | null;
let names: number;
beforeEach(() => {
  world = new ScriptedSandboxes();
  record = EMPTY_POOL;
  wish = { wanted: 2, kind: USUAL, trouble: null };
  armedAt = null;
  names = 0;
});

/** The pool as a process that has just woken has it. */
function wake(more: Partial<PoolPorts> = {}): WarmPool {
  const port = world.port();
  return new WarmPool({
    book: {
      load: () => record,
      save: (next) => {
        record = JSON.parse(JSON.stringify(next));
      },
    },
    sandboxes: () => port,
    wish: async () => wish,
    arm: (at) => {
      armedAt = Math.min(armedAt ?? at, at);
    },
    newName: () => `warm-${++names}`,
    clock: { now: () => world.now },
    logger: silentLogger,
    ...more,
  });
}

async function kept(): Promise<WarmPool> {
  const pool = wake();
  armedAt = null;
  await pool.keep();
  return pool;
}

const live = () => world.live.map(({ name }) => name);

describe('a warm pool', () => {
  it('makes as many as are wanted, that reach nothing and are ready for credentials', async () => {
    const pool = await kept();
    expect(pool.count()).toEqual({ ready: 2, starting: 0, lastError: null });
    const made = { network: { type: 'limited', allowedHosts: [] }, credentials: [] };
    expect(world.requests).toEqual([
      { name: 'warm-1', ...made },
      { name: 'warm-2', ...made },
    ]);
    expect(armedAt).toBe(world.now + LOOK_MS);
  });

  it('makes all of many, and of the kind that is wanted', async () => {
    world.images.set('im-1', new Map());
    wish = { ...wish, wanted: 20, kind: { imageId: 'im-1', cpu: 2, memoryMiB: 512, gpu: null } };
    expect((await kept()).count().ready).toBe(20);
    expect(
      world.requests.every(
        ({ imageId, cpu, memoryMiB }) => imageId === 'im-1' && cpu === 2 && memoryMiB === 512,
      ),
    ).toBe(true);
  });

  it('makes them without credentials where there is no egress proxy', async () => {
    world.proxied = false;
    expect((await kept()).count().ready).toBe(2);
  });

  it('gives each session one of its own, and makes others in their place', async () => {
    const pool = await kept();
    const claims = ['a', 'b', 'c', 'a'].map((session) => pool.claim(session, USUAL)?.sandboxId ?? null);
    expect(claims).toEqual(['sb-1', 'sb-2', null, 'sb-1']);
    expect(armedAt).toBe(world.now);
    await pool.keep();
    expect(pool.count().ready).toBe(2);
    pool.settle('a', 'sb-1');
    pool.settle('b', null);
    await pool.keep();
    expect(live()).toEqual(['warm-1', 'warm-3', 'warm-4']);
  });

  it('looks at each before it is ended as an idle one, and replaces one that has ended', async () => {
    const pool = await kept();
    world.last.alive = false;
    world.now += LOOK_MS;
    await pool.keep();
    expect(world.asked.filter((name) => name === 'exec')).toHaveLength(2);
    expect(live()).toEqual(['warm-1', 'warm-3']);
  });

  it('ends all when none is wanted any more, and has nothing left to remember', async () => {
    const pool = await kept();
    expect(await pool.keep()).toBe(true);
    wish = { ...wish, wanted: 0, kind: null };
    expect(await pool.keep()).toBe(false);
    expect([live(), record.entries]).toEqual([[], []]);
  });

  it('goes on when somebody rang while it looked and found nothing to do', async () => {
    wish = { ...wish, wanted: 0, kind: null };
    const pool = wake({
      wish: async () => {
        pool.ring();
        return wish;
      },
    });
    expect(await pool.keep()).toBe(true);
    expect(armedAt).toBe(world.now);
  });

  it('finds what a dead process has asked for, and asks for nothing more', async () => {
    world.fails.set('create', 'timeout');
    await kept();
    const asked = record.entries.map(({ name }) => name);
    world.fails.clear();
    // It was made, and nobody heard of it.
    for (const name of asked) await world.port().create({ name });
    world.now += AGAIN_MS;
    await kept();
    expect(live()).toEqual(asked);
  });

  it('ends what comes of an answer that was late, and not what a session has by that name', async () => {
    wish = { ...wish, wanted: 1 };
    world.fails.set('create', 'timeout');
    await kept();
    world.fails.clear();
    world.now += AGAIN_MS;
    const pool = await kept();
    const given = pool.claim('a', USUAL)?.sandboxId ?? '';
    pool.settle('a', given);
    wish = { ...wish, wanted: 0 };
    await pool.keep();
    expect(record.entries).toMatchObject([{ name: 'warm-1', state: 'ending', kept: given }]);
    world.now += LATE_MS;
    expect(await pool.keep()).toBe(false);
    expect(live()).toEqual(['warm-1']);
  });

  it('says why it fails, tries again later, and forgets that once it works', async () => {
    world.fails.set('create', 'quota_exceeded');
    const pool = await kept();
    expect(pool.count()).toEqual({ ready: 0, starting: 2, lastError: 'create fails' });
    expect(armedAt).toBe(world.now + AGAIN_MS);
    world.fails.clear();
    // Somebody claims: what fails is not tried any sooner.
    pool.claim('a', USUAL);
    await pool.keep();
    expect(pool.count()).toMatchObject({ starting: 2, lastError: 'create fails' });
    world.now += AGAIN_MS;
    await pool.keep();
    expect(pool.count()).toEqual({ ready: 2, starting: 0, lastError: null });
  });

  it('says why there is no image, and keeps what it has meanwhile', async () => {
    const pool = await kept();
    wish = { wanted: 2, kind: null, trouble: 'no such package' };
    await pool.keep();
    expect(pool.count()).toEqual({ ready: 2, starting: 0, lastError: 'no such package' });
  });

  it('does nothing when what is wanted cannot be known', async () => {
    await kept();
    const asked = world.asked.length;
    const pool = wake({ wish: () => Promise.reject(new TypeError('no database')) });
    world.now += LOOK_MS;
    expect(await pool.keep()).toBe(true);
    expect(world.asked).toHaveLength(asked);
    expect(pool.count()).toMatchObject({ ready: 2, lastError: 'no database' });
  });
});
