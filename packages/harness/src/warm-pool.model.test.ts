// A pool and sessions that race for what it has, while processes die at every step, answers are lost, what was asked for
// happens late, and sandboxes end: no sandbox is ever two sessions', none is left that nobody remembers, and in the end as
// many wait as are wanted.
import { SandboxError } from '@capstan/sandbox/error';
import type { CreateSandbox, NetworkPolicy, Sandboxes, Snapshot, WriteFile } from '@capstan/sandbox/port';
import {
  AGAIN_MS,
  EMPTY_POOL,
  LATE_MS,
  LONGEST_MS,
  LOOK_MS,
  type PoolRecord,
} from '@capstan/sandbox/warm-pool';
import { silentLogger } from '@capstan/shared/logger';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { SessionSandbox } from './session-sandbox.ts';
import { MemoryFacts, sandboxDeps } from './testing/memory-facts.ts';
import { type PoolWish, WarmPool } from './warm-pool.ts';

const SESSIONS = ['a', 'b', 'c'];
const DAY_MS = 24 * 60 * 60_000;
const HALF_DAY_MS = 13 * 60 * 60_000;

const session = fc.constantFrom(...SESSIONS);
const fate = fc.constantFrom(
  'ok' as const,
  'ok' as const,
  'ok' as const,
  'lost' as const,
  'unheard' as const,
);
const step = fc.oneof(
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('want' as const), wanted: fc.nat(3) }) },
  {
    weight: 1,
    arbitrary: fc.record({
      kind: fc.constant('image' as const),
      imageId: fc.constantFrom(null, null, 'im-2'),
    }),
  },
  { weight: 4, arbitrary: fc.record({ kind: fc.constant('keep' as const) }) },
  { weight: 3, arbitrary: fc.record({ kind: fc.constant('flush' as const) }) },
  { weight: 4, arbitrary: fc.record({ kind: fc.constant('use' as const), session }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('release' as const), session }) },
  { weight: 12, arbitrary: fc.record({ kind: fc.constant('let' as const), index: fc.nat(9), fate }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('end' as const), index: fc.nat(9) }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('killPool' as const) }) },
  {
    weight: 2,
    arbitrary: fc.record({ kind: fc.constant('killSession' as const), session, landed: fc.boolean() }),
  },
  {
    weight: 2,
    arbitrary: fc.record({
      kind: fc.constant('wait' as const),
      ms: fc.constantFrom(1, AGAIN_MS, LOOK_MS, HALF_DAY_MS),
    }),
  },
);
type Step = typeof step extends fc.Arbitrary<infer S> ? S : never;
type Fate = 'ok' | 'lost' | 'unheard';

/** One that dies hears nothing any more, and writes nothing; what it has asked for may happen all the same. */
interface Process {
  dead: boolean;
  busy: boolean;
}

interface Box {
  id: string;
  name: string;
  imageId: string | null;
  expiresAt: number;
  alive: boolean;
  network: NetworkPolicy;
  /** The one file that is written in it, and is in its snapshots. */
  manifest: Uint8Array | null;
}

interface Pending {
  process: Process;
  /** Whose calls arrive in the order in which they were made; null: in any. */
  line: string | null;
  /** Whoever asks has no way to go on without the answer. */
  sure: boolean;
  act(): unknown;
  resolve(value: unknown): void;
  reject(error: unknown): void;
}

const networkOf = (name: string): NetworkPolicy => ({ type: 'limited', allowedHosts: [`${name}.example`] });

const of = (imageId: string | null) => ({ imageId, cpu: null, memoryMiB: null, gpu: null });

class Play {
  now = 1_000_000_000;
  wish: PoolWish = { wanted: 2, kind: of(null), trouble: null };
  record: PoolRecord = EMPTY_POOL;
  boxes: Box[] = [];
  pending: Pending[] = [];
  facts = new Map(SESSIONS.map((name) => [name, new MemoryFacts()]));
  warm = 0;
  wrong: string[] = [];
  #manifests = new Map<string | null, Uint8Array | null>();
  #made = 0;
  #poolProcess: Process = { dead: false, busy: false };
  pool = this.#openPool(this.#poolProcess);
  #sessions = new Map(SESSIONS.map((name) => [name, this.#openSession(name)]));

  get live(): Box[] {
    return this.boxes.filter((box) => box.alive && box.expiresAt > this.now);
  }

  async take(next: Step): Promise<void> {
    switch (next.kind) {
      case 'want':
        this.wish = { ...this.wish, wanted: next.wanted };
        this.pool.ring();
        break;
      case 'image':
        this.wish = { ...this.wish, kind: of(next.imageId) };
        break;
      case 'keep':
        this.keep();
        break;
      case 'flush':
        return this.flush();
      case 'use':
      case 'release':
        this.act(next.session, next.kind);
        break;
      case 'let':
        this.let(next.index, next.fate);
        break;
      case 'end': {
        const box = this.live[next.index % Math.max(1, this.live.length)];
        if (box) box.alive = false;
        break;
      }
      case 'killPool':
        this.#poolProcess.dead = true;
        this.#poolProcess = { dead: false, busy: false };
        this.pool = this.#openPool(this.#poolProcess);
        break;
      case 'killSession':
        this.#kill(next.session, next.landed);
        break;
      case 'wait':
        if (next.ms >= LATE_MS) this.#land(() => true);
        this.now += next.ms;
    }
    await settleDown();
  }

  keep(): void {
    const process = this.#poolProcess;
    if (process.busy) return;
    process.busy = true;
    void this.pool.keep().then(() => {
      process.busy = false;
    });
  }

  act(name: string, what: 'use' | 'release'): void {
    const { process, sandbox } = this.#session(name);
    if (process.busy) return;
    process.busy = true;
    const done =
      what === 'release'
        ? sandbox.release()
        : sandbox.use(async (sandboxId) => this.#used(name, sandboxId), { changes: true });
    void done
      .catch((error: unknown) => {
        if (!(error instanceof SandboxError)) throw error;
      })
      .finally(() => {
        process.busy = false;
      });
  }

  let(index: number, fate: Fate): void {
    const chosen = this.pending[index % Math.max(1, this.pending.length)];
    if (chosen === undefined) return;
    const first =
      chosen.line === null ? chosen : (this.pending.find(({ line }) => line === chosen.line) ?? chosen);
    this.pending.splice(this.pending.indexOf(first), 1);
    this.#happen(first, first.sure ? 'ok' : fate);
  }

  /** Everything that was asked for happens, until nobody asks for anything more. */
  async flush(): Promise<void> {
    for (await settleDown(); this.pending.length > 0; await settleDown()) this.let(0, 'ok');
  }

  #happen({ process, act, resolve, reject }: Pending, fate: Fate): void {
    try {
      const value = fate === 'lost' ? null : act();
      if (process.dead) return;
      if (fate === 'ok') resolve(value);
      else reject(new SandboxError('unavailable', 'the answer was lost'));
    } catch (error) {
      if (!process.dead) reject(error);
    }
  }

  #land(which: (pending: Pending) => boolean): void {
    const landing = this.pending.filter(which);
    this.pending = this.pending.filter((one) => !landing.includes(one));
    for (const one of landing) this.#happen(one, 'ok');
  }

  #kill(name: string, landed: boolean): void {
    const { process } = this.#session(name);
    process.dead = true;
    if (landed) this.#land((one) => one.process === process);
    this.pending = this.pending.filter((one) => one.process !== process);
    this.#sessions.set(name, this.#openSession(name));
  }

  #used(name: string, sandboxId: string): void {
    const box = this.boxes.find(({ id }) => id === sandboxId);
    if (!box?.name.startsWith('warm-')) return;
    this.warm += 1;
    if (JSON.stringify(box.network) !== JSON.stringify(networkOf(name)))
      this.wrong.push(`network of ${name}`);
  }

  #call<T>(process: Process, act: () => T, { line = null, sure = false }: Partial<Pending> = {}): Promise<T> {
    if (process.dead) return new Promise(() => {});
    return new Promise<unknown>((resolve, reject) => {
      this.pending.push({ process, line, sure, act, resolve, reject });
    }) as Promise<T>;
  }

  #openPool(process: Process): WarmPool {
    return new WarmPool({
      book: {
        load: () => this.record,
        save: (next) => {
          if (!process.dead) this.record = JSON.parse(JSON.stringify(next));
        },
      },
      sandboxes: () => this.#port(process, false),
      wish: () => this.#call(process, () => this.wish),
      arm: () => {},
      newName: () => `warm-${++this.#made}`,
      clock: { now: () => this.now },
      logger: silentLogger,
    });
  }

  #session(name: string) {
    return this.#sessions.get(name) ?? this.#openSession(name);
  }

  #openSession(name: string) {
    const process: Process = { dead: false, busy: false };
    const facts = this.facts.get(name) ?? new MemoryFacts();
    const asked = { line: name };
    const port = this.#port(process, true);
    const sandbox = new SessionSandbox(
      sandboxDeps({
        sandboxes: () => port,
        sessionId: name,
        network: networkOf(name),
        logger: silentLogger,
        clock: { now: () => this.now },
        facts: {
          load: () => facts.load(),
          save: (next) => {
            if (!process.dead) facts.save(next);
          },
        },
        pool: {
          claim: (kind) => this.#call(process, () => this.pool.claim(name, kind), asked),
          settle: (kept) => this.#call(process, () => this.pool.settle(name, kept), asked),
        },
      }),
    );
    return { process, sandbox };
  }

  /** A session repeats what cannot be lost, which would take real time. */
  #port(process: Process, sure: boolean): Sandboxes {
    const acts = {
      create: ({ name, imageId, network = { type: 'unrestricted' } }: CreateSandbox) => {
        const known = this.live.find((box) => box.name === name);
        const box = known ?? this.#make({ name, imageId: imageId ?? null, network });
        return { sandboxId: box.id, name, created: !known, expiresAt: box.expiresAt };
      },
      findByName: (name: string) => {
        const box = this.live.find((one) => one.name === name);
        return box ? { sandboxId: box.id, name, created: false, expiresAt: box.expiresAt } : null;
      },
      status: (id: string) => {
        const box = this.live.find((one) => one.id === id);
        return box ? { state: 'running', expiresAt: box.expiresAt } : { state: 'terminated', exitCode: 0 };
      },
      exec: ({ sandboxId }: { sandboxId: string }) => this.#alive(sandboxId) && { exitCode: 0 },
      setNetwork: ({ sandboxId, network }: { sandboxId: string; network: NetworkPolicy }) => {
        this.#alive(sandboxId).network = network;
      },
      writeFile: ({ sandboxId, content }: WriteFile) => {
        this.#alive(sandboxId).manifest = content;
      },
      readFile: ({ sandboxId }: { sandboxId: string }) => {
        const { manifest: bytes } = this.#alive(sandboxId);
        if (bytes === null) throw new SandboxError('file_not_found', sandboxId);
        return { bytes, sizeBytes: bytes.length, eof: true };
      },
      snapshot: ({ sandboxId, snapshotId }: Snapshot) => {
        const imageId = `im-${snapshotId}`;
        this.#manifests.set(imageId, this.#alive(sandboxId).manifest);
        return { imageId };
      },
      deleteImage: () => {},
      terminate: (id: string) => {
        for (const box of this.boxes) if (box.id === id) box.alive = false;
      },
    };
    // The port's types stand: what is not here is not asked for.
    return new Proxy(acts, {
      get: (target, name) => (argument: unknown) =>
        this.#call(process, () => Reflect.apply(Reflect.get(target, name), undefined, [argument]), {
          sure: sure && name !== 'setNetwork',
        }),
    }) as unknown as Sandboxes;
  }

  #make(asked: Pick<Box, 'name' | 'imageId' | 'network'>): Box {
    const manifest = this.#manifests.get(asked.imageId) ?? null;
    const id = `sb-${++this.#made}`;
    const box = { ...asked, id, expiresAt: this.now + DAY_MS, alive: true, manifest };
    this.boxes.push(box);
    return box;
  }

  #alive(id: string): Box {
    const box = this.live.find((one) => one.id === id);
    if (box === undefined) throw new SandboxError('gone', id);
    return box;
  }

  /** Sandboxes of sessions, by their own records. */
  taken(): string[] {
    return [...this.facts.values()].flatMap(({ record: { live } }) =>
      live === null ? [] : [live.sandboxId],
    );
  }

  /** Those that live and that no record leads to. */
  forgotten(): string[] {
    const names = new Set([
      ...this.record.entries.map(({ name }) => name),
      ...[...this.facts].flatMap(([name, { record }]) => (record.making ? [`session-${name}`] : [])),
    ]);
    const taken = this.taken();
    return this.live
      .filter(({ id, name }) => !names.has(name) && !taken.includes(id))
      .map(({ name }) => name);
  }
}

const settleDown = () => new Promise<void>((resolve) => setImmediate(resolve));

async function play(steps: readonly Step[]): Promise<Play> {
  const world = new Play();
  for (const next of steps) {
    await world.take(next);
    const taken = world.taken();
    expect(new Set(taken).size, 'sessions and their sandboxes').toBe(taken.length);
    const waiting = world.record.entries
      .filter(({ state }) => state === 'ready')
      .map(({ sandboxId }) => sandboxId);
    expect(waiting.filter((id) => id !== null && taken.includes(id))).toEqual([]);
    expect(world.wrong).toEqual([]);
  }
  await world.flush();
  // All goes well from here on.
  for (const name of SESSIONS) world.act(name, 'release');
  await world.flush();
  for (const ms of [LONGEST_MS, LATE_MS, 0]) {
    world.now += ms;
    world.keep();
    await world.flush();
  }
  return world;
}

describe('a warm pool under any schedule', () => {
  it('gives no sandbox to two sessions, forgets none, and has as many as are wanted in the end', async () => {
    let warm = 0;
    await fc.assert(
      fc.asyncProperty(fc.array(step, { minLength: 20, maxLength: 80 }), async (steps) => {
        const world = await play(steps);
        expect(world.forgotten()).toEqual([]);
        const { wanted, kind } = world.wish;
        const ready = world.record.entries.filter(({ state }) => state === 'ready');
        expect(ready.map((entry) => entry.kind)).toEqual(Array.from({ length: wanted }, () => kind));
        expect(world.record.entries.filter(({ state }) => state === 'making' || state === 'ending')).toEqual(
          [],
        );
        warm += world.warm;
      }),
      { numRuns: 1_000 },
    );
    // The schedules do get to what they are about.
    expect(warm).toBeGreaterThan(200);
  }, 120_000);
});
