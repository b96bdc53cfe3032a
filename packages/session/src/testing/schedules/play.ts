// A play: one session, its clients and its host, in a world where everything may fail. Steps happen one after the other or
// at once; what they may bring about is judged by invariants.ts.
import type { Budget } from '@capstan/schema/budgets';
import { isApiError } from '@capstan/schema/error';
import { foldOf } from '../../fold.ts';
import { MemoryBlobs } from '../../memory-blobs.ts';
import type { SessionRuntime } from '../../runtime.ts';
import { toSnapshot } from '../../snapshot.ts';
import type { SessionSpec } from '../../spec.ts';
import type { Sql } from '../../sql.ts';
import { SqlLog } from '../../sql-log.ts';
import { quiesce, World } from '../../testing.ts';
import { withJudged } from '../judged-tools.ts';
import { LogWitness } from './log-witness.ts';
import { PlayedHarness } from './played-harness.ts';
import type { PlayedReader } from './played-reader.ts';

export interface Setting {
  coordinator: boolean;
  budget: Budget | null;
  /** A window so small that contexts are compacted. */
  narrow: boolean;
  initial: boolean;
}

class FickleBlobs extends MemoryBlobs {
  fails = false;

  override async put(key: string, text: string): Promise<void> {
    if (this.fails) throw new Error('the blobs are away');
    return super.put(key, text);
  }

  override async get(key: string): Promise<string | null> {
    if (this.fails) throw new Error('the blobs are away');
    return super.get(key);
  }
}

/** A process that has the session open. */
interface Process {
  id: number;
  /** Where the log ended when it opened the session. */
  from: number;
  killed: boolean;
  /** Rejects when it is killed: nobody gets an answer from it. */
  gone: Promise<never>;
  kill(): void;
}

export class Play {
  world: World;
  harness: PlayedHarness;
  blobs = new FickleBlobs();
  witness: LogWitness;
  runtime: SessionRuntime | null = null;
  readers: PlayedReader[] = [];
  /** Breaches that were seen when they happened. */
  broken: string[] = [];
  /** Events that a client was told are accepted. */
  promised: string[] = [];
  /** Words of sends that were refused for good. */
  refused: string[] = [];
  /** What a send with a key was answered. */
  answered = new Map<string, string>();
  said = 0;
  /** News of its sandbox, by id. */
  news: string[] = [];
  /** Storage fails after it has written. */
  syncFails = false;
  /** The session that this one was forked into: the play goes on with it. */
  successor: Play | null = null;
  #underway: Promise<unknown>[] = [];
  #processes = 0;
  #process: Process | null = null;
  #opening: Promise<SessionRuntime | null> | null = null;
  #writers: number[] = [];
  #latest = 0;

  constructor(setting: Setting, change: Partial<SessionSpec> = {}) {
    const world = new World();
    world.spec = { ...specOf(world.spec, setting), ...change };
    this.world = world;
    this.harness = new PlayedHarness(world.sql);
    if (setting.narrow) this.harness.choice = { contextWindow: 6_000, maxOutputTokens: 1_000 };
    world.harness = this.harness;
    world.blobs = this.blobs;
    this.witness = new LogWitness(world.spec);
  }

  /** The host: a dead runtime is replaced when somebody calls. Null: it cannot be opened now, or nothing is left of it. */
  live(): Promise<SessionRuntime | null> {
    if (this.world.erased) return Promise.resolve(null);
    if (this.runtime && !this.runtime.dead) return Promise.resolve(this.runtime);
    this.#opening ??= this.#open().finally(() => {
      this.#opening = null;
    });
    return this.#opening;
  }

  /** The runtime that speaks for the session. Null: there is none, or a zombie has written and it has not noticed yet. */
  get current(): SessionRuntime | null {
    const process = this.#process;
    if (process === null || this.runtime === null || this.runtime.dead) return null;
    const first = !this.world.erased && this.#head() <= process.from;
    return first || this.#writers.at(-1) === process.id ? this.runtime : null;
  }

  /** A zombie has written, and the process that has the session open has not noticed yet. */
  get overtaken(): boolean {
    return this.runtime !== null && !this.runtime.dead && this.current === null;
  }

  /** The latest that the clock has shown: what was due by then has been tried. */
  get latest(): number {
    return Math.max(this.#latest, this.world.now);
  }

  /** No other process has ever had the session open. */
  get alone(): boolean {
    return this.#processes <= 1;
  }

  #head(): number {
    return this.world.sql.all<{ seq: number | null }>('SELECT max(seq) AS seq FROM events', [])[0]?.seq ?? 0;
  }

  async #open(): Promise<SessionRuntime | null> {
    const process = newProcess(++this.#processes, this.#head());
    this.#process = process;
    this.world.log = new SqlLog(this.#sqlOf(process));
    try {
      this.runtime = await Promise.race([this.world.open(), process.gone]);
    } catch (error) {
      this.runtime = null;
      this.#judge(error);
    }
    return this.runtime;
  }

  /** A call of the session, as a client makes one: null when there is no answer. */
  async ask<T>(work: (runtime: SessionRuntime) => Promise<T>): Promise<{ value: T } | { refusal: string }> {
    const runtime = await this.live();
    if (runtime === null) return { refusal: 'unavailable' };
    try {
      return { value: await Promise.race([work(runtime), this.#process?.gone ?? NEVER]) };
    } catch (error) {
      return { refusal: this.#judge(error) };
    }
  }

  #judge(error: unknown): string {
    if (isApiError(error) && error.code !== 'internal') return error.code;
    if (error === GONE || !(error instanceof Error)) return 'unavailable';
    if (/disk full|went away|are away|is away|LogMoved/.test(`${error.name} ${error.message}`))
      return 'unavailable';
    this.broken.push(`refused with ${error.stack}`);
    return 'internal';
  }

  /** Storage as one process sees it. R3: once another one has written, it writes nothing. */
  #sqlOf(process: Process): Sql {
    const { sql } = this.world;
    return {
      ...sql,
      transaction: (work) => {
        if (process.killed) throw GONE;
        const result = sql.transaction(work);
        if (this.#writers.at(-1) !== process.id) {
          if (this.#writers.includes(process.id))
            this.broken.push('R3: a process writes after its successor');
          this.#writers.push(process.id);
        }
        return result;
      },
      sync: async () => {
        if (process.killed) await NEVER;
        if (this.syncFails) throw new Error('the disk went away');
      },
    };
  }

  /** Begins something; it may end later. */
  begin(work: Promise<unknown>): void {
    this.#underway.push(work.catch((error: unknown) => this.broken.push(`a step failed: ${String(error)}`)));
  }

  async settle(): Promise<void> {
    while (this.#underway.length > 0) await this.#underway.shift();
    await quiesce();
  }

  /** Forgotten, but not dead: what it does it goes on doing. */
  crash(): void {
    this.runtime = null;
  }

  /** Every process ends here: none of them does anything more. */
  kill(): void {
    this.#process?.kill();
    this.runtime = null;
    for (const call of [...this.harness.models, ...this.harness.tools]) call.done = true;
    for (const reader of this.readers) reader.leave();
  }

  async ring(): Promise<void> {
    const { world } = this;
    if (world.alarmAt === null) return;
    world.now = Math.max(world.now, world.alarmAt);
    world.alarmAt = null;
    const woken = await this.ask((runtime) => runtime.wake());
    // An alarm that fails is tried again by the host.
    if ('refusal' in woken && !world.erased) world.alarmAt ??= world.now + 1_000;
  }

  /** The clock may go back. */
  async pass(ms: number): Promise<void> {
    this.#latest = this.latest;
    this.world.now += ms;
    const { alarmAt, now } = this.world;
    if (alarmAt !== null && alarmAt <= now) await this.ring();
  }

  /** A snapshot is due now: the next process begins with it. */
  async photograph(): Promise<void> {
    const { spec, sql } = this.world;
    const witness = new LogWitness(spec);
    await witness.follow(this.world);
    if (witness.seq === 0) return;
    const state = toSnapshot(foldOf(spec), witness.state);
    sql.all('INSERT OR REPLACE INTO snapshot (place, seq, state) VALUES (1, ?, ?)', [witness.seq, state]);
  }

  /** The world turns friendly. */
  calm(): void {
    this.world.appendFails = false;
    this.world.indexFails = false;
    this.syncFails = false;
    this.blobs.fails = false;
    this.harness.cancelFails = false;
    this.harness.releaseFails = false;
    this.harness.careFails = false;
    this.harness.deltas = [];
  }
}

const GONE = new Error('the process is gone');
const NEVER = new Promise<never>(() => {});

function newProcess(id: number, from: number): Process {
  let kill = () => {};
  const gone = new Promise<never>((_, reject) => {
    kill = () => reject(GONE);
  });
  gone.catch(() => undefined);
  const process = { id, from, killed: false, gone, kill: () => {} };
  process.kill = () => {
    process.killed = true;
    kill();
  };
  return process;
}

function specOf(spec: SessionSpec, { coordinator, budget, initial }: Setting): SessionSpec {
  const agent = { ...spec.agent, tools: withJudged(spec.agent.tools) };
  const { multiagent: _none, ...own } = agent;
  const agents = ['scout', 'scribe'].map((name) => ({ ...own, id: `agent_${name}`, name }));
  return {
    ...spec,
    budget,
    agent: { ...agent, multiagent: coordinator ? { type: 'coordinator', agents } : null },
    initialEvents: initial
      ? [
          { type: 'user.message', content: [{ type: 'text', text: 'initial' }] },
          { type: 'user.define_outcome', description: 'a thing', rubric: { type: 'text', content: 'good' } },
        ]
      : [],
  };
}
