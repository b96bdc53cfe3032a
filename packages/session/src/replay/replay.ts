// A recorded session played again in this process: what clients sent is sent at its place, models and tools answer what
// they answered, and whatever the session makes of it is compared with the recording, row by row. Nothing of it reaches a
// network, a sandbox or a clock.
//
// P1. What is fed is what came from outside; every row is written by the session itself.
// P2. A process that died is one that is forgotten: the next opens the log.
// P3. Where the recording ends, so does the replay: what is under way there is left.
import { ID_PREFIXES } from '@capstan/schema/ids';
import { silentLogger } from '@capstan/shared/logger';
import type { LoggedEntry, NewId } from '../entry.ts';
import { evolve } from '../evolve.ts';
import { foldOf } from '../fold.ts';
import { ModelFailure } from '../harness.ts';
import { type LogReader, readable, toEntry } from '../log-reader.ts';
import { MemoryBlobs } from '../memory-blobs.ts';
import type { MarkName, Ports, View } from '../ports.ts';
import { SessionRuntime } from '../runtime.ts';
import type { Sql } from '../sql.ts';
import { SqlLog } from '../sql-log.ts';
import type { State } from '../state.ts';
import { toAnswer, toOutcome } from './answers.ts';
import { GatedLog } from './gate.ts';
import { Likeness } from './likeness.ts';
import { RecordedHarness } from './recorded-harness.ts';
import type { Recording } from './recording.ts';
import { next, type Standing, type Stimulus } from './stimuli.ts';

export interface Difference {
  /** The row, from 1. */
  seq: number;
  /** As JSON, ids and times left out; null: there is no such row. */
  recorded: string | null;
  replayed: string | null;
  why: string;
}

export interface Outcome {
  /** Rows that are the same, from the first on. */
  same: number;
  difference: Difference | null;
  /** How often a process had died. */
  deaths: number;
}

export interface Host {
  /** An empty database of a session, migrated. */
  sql: Sql;
  /** Lets everything that is due go on; resolves soon. */
  pause(): Promise<void>;
  /** Milliseconds from any moment on; never back. */
  now(): number;
  /** How long one row may take, in milliseconds. */
  patienceMs: number;
}

export async function replay(recording: Recording, host: Host): Promise<Outcome> {
  const played = new Replay(recording, host);
  return played.run();
}

/** Of one answer of a model: an append. */
const MOST_ROWS = 500;
/** Rows at which nothing is under way. */
const REST: ReadonlySet<string> = new Set(['session.status_idle', 'session.status_terminated']);

class Replay {
  #recording: Recording;
  #host: Host;
  #log: SqlLog;
  #reader: LogReader;
  #blobs = new MemoryBlobs();
  #marks = new Map<MarkName, string>();
  #likeness = new Likeness();
  #state: State;
  /** Rows that were compared and are the same. */
  #place = 0;
  #difference: Difference | null = null;
  #now = 0;
  #ids = 0;
  #deaths = 0;
  #gate: GatedLog;
  #harness: RecordedHarness;
  #runtime: SessionRuntime | null = null;

  constructor(recording: Recording, host: Host) {
    this.#recording = recording;
    this.#host = host;
    this.#log = new SqlLog(host.sql);
    this.#reader = readable(this.#log, { blobs: this.#blobs, logger: silentLogger });
    this.#state = foldOf(recording.spec).initial;
    this.#gate = this.#newGate();
    this.#harness = this.#newHarness();
  }

  async run(): Promise<Outcome> {
    this.#now = this.#recording.timeOf(0) ?? 0;
    await this.#open();
    await this.#compare();
    while (this.#difference === null && this.#row !== undefined) await this.#step();
    if (this.#difference === null) await this.#end();
    this.#gate.open(null);
    return { same: this.#place, difference: this.#difference, deaths: this.#deaths };
  }

  get #row(): LoggedEntry | undefined {
    return this.#recording.rows[this.#place];
  }

  async #open(): Promise<void> {
    this.#gate = this.#newGate();
    this.#harness = this.#newHarness();
    this.#runtime = await SessionRuntime.open(this.#ports(), this.#recording.spec);
  }

  async #step(): Promise<void> {
    const from = this.#place;
    this.#gate.open(null);
    await this.#until(async () => this.#asked().every((id) => this.#harness.asks(id)));
    this.#now = Math.max(this.#now, this.#recording.timeOf(from) ?? 0);
    const stimulus = next(this.#standing());
    this.#gate.open(stimulus.kind === 'none' || stimulus.kind === 'model' ? this.#mover() : null);
    try {
      await this.#feed(stimulus);
    } catch (error) {
      return this.#differs(`the session refuses it: ${error instanceof Error ? error.message : error}`);
    }
    const moved = await this.#until(async () => {
      await this.#compare();
      return this.#place > from || this.#difference !== null;
    });
    if (!moved) this.#differs(WHY[stimulus.kind]);
  }

  /** Whose row is next. */
  #mover(): View {
    const thread = this.#row && this.#recording.doerOf(this.#row);
    return thread === undefined ? 'session' : { thread: this.#likeness.replayedId(thread) };
  }

  async #feed(stimulus: Stimulus): Promise<void> {
    const runtime = this.#runtime;
    if (runtime === null) return;
    switch (stimulus.kind) {
      case 'none':
        return;
      case 'send':
        await runtime.send(stimulus.params);
        return;
      case 'update':
        await runtime.update(stimulus.change);
        return;
      case 'archive':
        await runtime.archive();
        return;
      case 'archive_thread':
        await runtime.archiveThread(stimulus.threadId);
        return;
      case 'tick':
        this.#now = Math.max(this.#now, stimulus.at);
        return runtime.wake();
      case 'death':
        this.#deaths += 1;
        for (const draft of stimulus.drafts)
          await this.#log.draft({ ...draft, eventId: this.#newId('event') });
        return this.#open();
      case 'news':
        this.#harness.announce(stimulus.news);
        return;
      case 'tool':
        return this.#finish(stimulus.callId);
      case 'model':
        return this.#answer(stimulus.threadId);
    }
  }

  async #finish(callId: string): Promise<void> {
    const { event, note } = this.#row ?? {};
    await this.#until(async () => this.#harness.runs(callId));
    if (event?.type === 'agent.tool_result' || event?.type === 'agent.mcp_tool_result')
      this.#harness.finish(callId, this.#likeness.translated(toOutcome(event, note)));
  }

  /** Unless the thread goes on without its model: a context may be too long to ask at all. */
  async #answer(threadId: string): Promise<void> {
    const from = this.#place;
    const written = async () => (await this.#written()) > from;
    await this.#until(async () => this.#harness.asks(threadId) || (await written()));
    if ((await written()) || !this.#harness.asks(threadId)) return;
    const thread = this.#row && this.#recording.doerOf(this.#row);
    const rows = this.#recording.rows
      .slice(from, from + MOST_ROWS)
      .filter((row) => this.#recording.doerOf(row) === thread)
      .map((row) => this.#likeness.translated(row));
    let reader: ReadableStream<Uint8Array> | null = null;
    const answer = toAnswer(rows, async () => {
      await this.#until(async () => (await this.#told()) >= texts.length);
      await reader?.cancel();
    });
    const texts = answer !== null && 'texts' in answer ? answer.texts : [];
    if (texts.length > 0) reader = this.#watch(thread);
    if (answer !== null) this.#harness.answer(threadId, answer);
  }

  /** Somebody reads along: what is shown of a message is kept only then. */
  #watch(thread: string | undefined): ReadableStream<Uint8Array> | null {
    const view = thread === undefined ? {} : { thread: this.#likeness.replayedId(thread) };
    return this.#runtime?.stream({ deltas: ['agent.message'], ...view }) ?? null;
  }

  async #told(): Promise<number> {
    return (await this.#log.drafts()).length;
  }

  async #written(): Promise<number> {
    return (await this.#log.lines(this.#place, 1)).at(-1)?.seq ?? this.#place;
  }

  /** Takes in what was written, as far as it is the same. */
  async #compare(): Promise<void> {
    for await (const { seq, ...entry } of this.#reader.entries(this.#place)) {
      const row = this.#row;
      if (row === undefined) return this.#differs('the session goes on where the recording ends', entry);
      const difference = this.#likeness.difference(row, entry);
      if (difference !== null) {
        this.#difference = { seq, ...difference, why: 'the rows differ' };
        return;
      }
      // As it is stored: a state holds nothing of what was too large for a row.
      for (const stored of await this.#log.lines(seq - 1, 1))
        this.#state = evolve(this.#state, toEntry(stored));
      this.#place = seq;
    }
  }

  #differs(why: string, replayed: object | null = null): void {
    const row = this.#row;
    this.#difference = {
      seq: this.#place + 1,
      recorded: row === undefined ? null : JSON.stringify({ event: row.event, note: row.note }),
      replayed: replayed && JSON.stringify(replayed),
      why,
    };
  }

  /** A session at rest stays so. */
  async #end(): Promise<void> {
    const last = this.#recording.rows.at(-1);
    if (last === undefined || !REST.has(last.event.type)) return;
    this.#gate.open('session');
    for (let round = 0; round < 20 && this.#difference === null; round++) {
      await this.#host.pause();
      await this.#compare();
    }
  }

  async #until(holds: () => Promise<boolean>): Promise<boolean> {
    for (const end = this.#host.now() + this.#host.patienceMs; this.#host.now() < end; ) {
      if (await holds()) return true;
      await this.#host.pause();
    }
    return holds();
  }

  #standing(): Standing {
    const stamp = {
      now: this.#now,
      newId: (kind: NewId = 'event') => this.#newId(kind),
    };
    return {
      recording: this.#recording,
      likeness: this.#likeness,
      place: this.#place,
      context: { state: this.#state, spec: this.#recording.spec, stamp },
      choose: ({ id }) => this.#recording.choiceOf(id, this.#place),
    };
  }

  #newGate(): GatedLog {
    return new GatedLog(this.#log, (view, head) => {
      // Until what was written is compared, nobody knows what it asks for.
      const asked = head <= this.#place ? this.#asked() : [];
      return asked.includes(view === 'session' ? this.#primary : view.thread);
    });
  }

  /** Threads whose model has been asked, and is not answered yet. */
  #asked(): string[] {
    const open = this.#state.threads.filter(({ openSpan }) => openSpan !== null);
    return open.flatMap(({ id }) => {
      const recorded = this.#likeness.recordedId(id) ?? id;
      return this.#recording.isAsked(recorded, this.#place) ? [id] : [];
    });
  }

  get #primary(): string {
    return this.#recording.spec.threadId;
  }

  #newHarness(): RecordedHarness {
    return new RecordedHarness(({ id }) => {
      const choice = this.#recording.choiceOf(id, this.#place);
      if (choice !== null) return choice;
      // Nobody ever answered for it: what the recording says of that.
      const error = this.#recording.rows
        .slice(this.#place)
        .find(({ event }) => event.type === 'session.error')?.event;
      const message = error?.type === 'session.error' ? error.error.message : `nobody answers for ${id}`;
      throw new ModelFailure('model_request_failed_error', message, { retryable: false });
    });
  }

  #newId(kind: NewId): string {
    // As long as those of the recording, so that what counts characters counts the same, and none of them.
    const [, recorded = ''] = this.#recording.rows[0]?.event.id.split('_') ?? [];
    return `${ID_PREFIXES[kind]}_R${String(++this.#ids).padStart(recorded.length - 1, '0')}`;
  }

  #ports(): Ports {
    const done = async () => {};
    return {
      log: this.#gate,
      blobs: this.#blobs,
      alarm: { arm: () => {}, disarm: () => {} },
      index: { confirmedSeq: () => 0, put: done, remove: done },
      marks: {
        get: (name) => this.#marks.get(name) ?? null,
        set: (name, value) => {
          this.#marks.set(name, value);
        },
      },
      ledger: { record: done },
      outbox: { announce: done },
      source: { copyLines: async (_session, after, until) => this.#recording.copied(after, until) },
      work: { want: async () => {} },
      pulse: { start: () => {}, stop: () => {}, later: (work) => queueMicrotask(work) },
      harness: this.#harness,
      logger: silentLogger,
      erase: done,
      now: () => this.#now,
      newId: (kind) => this.#newId(kind),
      random: () => 0,
    };
  }
}

const NOTHING = 'the session writes nothing';
const WHY: Record<Stimulus['kind'], string> = {
  none: `${NOTHING} by itself`,
  send: `${NOTHING} when that is sent`,
  update: `${NOTHING} when it is changed like that`,
  archive: `${NOTHING} when it is archived`,
  archive_thread: `${NOTHING} when that thread is archived`,
  tick: `${NOTHING} when the alarm rings`,
  death: `${NOTHING} when its process dies`,
  news: 'the session does not tell that',
  tool: 'the session does not wait for the result of that call',
  model: 'the session does not wait for a model to say that',
};
