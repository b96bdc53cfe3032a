// The runtime: the one shell around a live session's machine.
//
// R1. Commit before tell: an event reaches the hub only when it is durable in the log.
// R2. One command at a time: the mailbox serialises them, on every host.
// R3. One writer: a runtime whose append is refused, or fails, is dead. It stops its turns and answers nothing more;
//     the host opens another from the log.
// R4. One alarm: the earliest moment owed, armed in the same tick as the append that owes it.
// R7. Every running turn has a live process or a due alarm.
import { ApiError, isApiError } from '@capstan/schema/error';
import type { SessionEvent } from '@capstan/schema/events';
import type { EventParam } from '@capstan/schema/events/user-events';
import type { Claim } from '@capstan/schema/idempotency';
import type { Page } from '@capstan/schema/page';
import { type Acceptance, accept } from './accept.ts';
import { adopt } from './adoption.ts';
import { Choosing } from './choosing.ts';
import { copyLines } from './copy-lines.ts';
import { Desktop } from './desktop.ts';
import type { Entry } from './entry.ts';
import { fromPublic, toPublic } from './event-cursor.ts';
import { evolveAll } from './evolve.ts';
import { exportLog } from './export-log.ts';
import { foldOf, overDrafts, SNAPSHOT_EVERY } from './fold.ts';
import type { Context } from './frame.ts';
import type { Holding, LentSnapshot } from './harness.ts';
import { Hub } from './hub.ts';
import { Keepers } from './keepers.ts';
import { lendSnapshot } from './lending.ts';
import type { Line } from './line.ts';
import { type LogReader, readable } from './log-reader.ts';
import { type Command, decide, earliest, owed, toThreadViews, wakeBetween } from './machine.ts';
import type { Extra, Ports } from './ports.ts';
import { recall, Twins, toReceipt } from './repetition.ts';
import { withRequests } from './requests.ts';
import { withNews } from './sandbox-news.ts';
import type { EventQuery, Sent, SessionChange, SessionView, StreamQuery, ThreadView } from './service.ts';
import { restore, toSnapshot } from './snapshot.ts';
import type { SessionSpec } from './spec.ts';
import { spill } from './spill.ts';
import type { State } from './state.ts';
import { threadById } from './thread.ts';
import type { Turn } from './turn.ts';
import { runTurn } from './turn-loop.ts';
import { Turns } from './turns.ts';

interface Start {
  state: State;
  seq: number;
  snapshotSeq: number;
}

export class SessionRuntime {
  hub: Hub;
  #ports: Ports;
  #spec: SessionSpec;
  #reader: LogReader;
  #state: State;
  #seq: number;
  #snapshotSeq: number;
  #keepers: Keepers;
  #desk: Desktop;
  #turns: Turns;
  #twins = new Twins();
  #mailbox: Promise<unknown> = Promise.resolve();
  #dead: ApiError | null = null;
  #choosing: Choosing;

  private constructor(ports: Ports, spec: SessionSpec, start: Start) {
    this.#ports = ports;
    this.#choosing = new Choosing(ports.harness);
    this.#spec = spec;
    this.#state = start.state;
    this.#seq = start.seq;
    this.#snapshotSeq = start.snapshotSeq;
    this.#reader = readable(ports.log, ports);
    this.hub = new Hub(this.#reader, ports.pulse, start.seq);
    const state = () => this.#state;
    this.#keepers = new Keepers(ports, {
      spec,
      state,
      settled: () => this.#settled(),
      erased: () => {
        // Its streams were told and end by themselves.
        this.#dead = notFound(spec);
        // Armed again, perhaps, in the moment in which the store went.
        ports.alarm.disarm();
      },
    });
    this.#desk = new Desktop(ports, {
      spec,
      state,
      hub: this.hub,
      reader: this.#reader,
      submit: (turnId, step) => this.#dispatch({ ...step, turnId }),
    });
    this.#turns = new Turns((turn) => this.#run(turn));
  }

  /** From the log as it stands: turns that lost their process go on. */
  static async open(ports: Ports, spec: SessionSpec): Promise<SessionRuntime> {
    let start = await restore(ports.log, foldOf(spec));
    const taking = spec.origin !== null && start.state.forkedInto !== spec.sessionId;
    const copied = taking ? await adopt(ports, spec, start.seq) : null;
    if (copied !== null) start = await restore(ports.log, foldOf(spec));
    const runtime = new SessionRuntime(ports, spec, start);
    await runtime.#begin(copied);
    return runtime;
  }

  /** Whether the host has to open another runtime. */
  get dead(): boolean {
    return this.#dead !== null;
  }

  /** `not_found` once the session is deleted, as of everything below. */
  get view(): SessionView {
    this.#refuseDeleted();
    return owed(this.#state, this.#spec, this.#ports.now()).index;
  }

  get threads(): ThreadView[] {
    this.#refuseDeleted();
    return toThreadViews({ spec: this.#spec, state: this.#state }, this.#ports.now());
  }

  /** Accepts all events or refuses all; they are durable when this resolves. A repetition of a claim is answered again. */
  send(params: readonly EventParam[], claim?: Claim): Promise<Sent> {
    return this.#twins.alone(claim, () => this.#enqueue(() => this.#send(params, claim)));
  }

  async update(change: SessionChange): Promise<SessionView> {
    this.#refuseDeleted();
    await this.#dispatch({ kind: 'update', change });
    return this.view;
  }

  /** The worker that had it until then (epoch ms) has it no more. Whether another one is needed now. */
  async workerLost(until: number): Promise<boolean> {
    this.#refuseDeleted();
    await this.#dispatch({ kind: 'worker_lost', until });
    return owed(this.#state, this.#spec, this.#ports.now()).work !== null;
  }

  async archive(): Promise<SessionView> {
    this.#refuseDeleted();
    await this.#dispatch({ kind: 'archive' });
    return this.view;
  }

  async archiveThread(threadId: string): Promise<ThreadView> {
    this.#refuseDeleted();
    await this.#dispatch({ kind: 'archive_thread', threadId });
    const thread = this.threads.find(({ id }) => id === threadId);
    if (thread === undefined) throw new ApiError('not_found', `No thread ${threadId} in this session`);
    return thread;
  }

  /** Durable when it resolves; what is left of the session is erased afterwards. */
  async delete(): Promise<void> {
    this.#refuseDeleted();
    await this.#dispatch({ kind: 'delete' });
    this.hub.finish();
  }

  async events(query: EventQuery): Promise<Page<SessionEvent>> {
    this.#refuseDeleted();
    const { thread, page, ...rest } = query;
    const { sessionId } = this.#spec;
    const from = page === undefined ? {} : { page: fromPublic(page, sessionId) };
    const found = await this.#reader.page({ ...rest, ...from, ...this.#viewOf(thread) });
    return { ...found, next_page: found.next_page && toPublic(found.next_page, sessionId) };
  }

  stream(query: StreamQuery): ReadableStream<Uint8Array> {
    return this.hub.open(this.opening(query));
  }

  /** What a stream of that query is opened with: also one over a socket. */
  opening(query: StreamQuery): Parameters<Hub['open']>[0] {
    this.#refuseDeleted();
    const { thread, ...rest } = query;
    const view = this.#viewOf(thread);
    const threadId = view.thread ?? this.#spec.threadId;
    return { ...rest, ...view, ended: threadById(this.#state, threadId)?.status === 'terminated' };
  }

  exportLog(): ReadableStream<Uint8Array> {
    this.#refuseDeleted();
    return exportLog(this.#spec, this.#reader, this.#seq);
  }

  /** Asks something of the sandbox, outside any turn: a call of outside-calls.ts. */
  outside<T>(ask: (state: State, holding: Holding) => T): T {
    this.#refuseDeleted();
    return ask(this.#state, this.#ports.harness);
  }

  /** A snapshot for a fork at that event to begin with: nothing in it was done after the event. Null: there is none. */
  async lendSnapshot(eventId: string): Promise<LentSnapshot | null> {
    this.#refuseDeleted();
    return lendSnapshot(this.#ports, eventId);
  }

  async position(eventId: string): Promise<number | null> {
    this.#refuseDeleted();
    return this.#ports.log.position(eventId);
  }

  async copyLines(after: number, until: string): Promise<Line[]> {
    this.#refuseDeleted();
    return copyLines({ log: this.#ports.log, reader: this.#reader }, after, until);
  }

  /** The alarm went off, or somebody looked: does what is due. */
  async wake(): Promise<void> {
    try {
      await this.#dispatch({ kind: 'tick' });
    } catch (error) {
      // Erased meanwhile: nothing is due any more.
      if (!this.#state.deleted) throw error;
    }
  }

  /** What a new process finds to do. */
  async #begin(copied: { whole: boolean } | null): Promise<void> {
    const { initialEvents } = this.#spec;
    if (copied !== null) {
      // What the copied rows billed and told of is the other session's.
      this.#ports.marks.set('billed', String(this.#seq));
      this.#ports.marks.set('announced', String(this.#seq));
      await this.#dispatch({ kind: 'forked', ...copied });
    }
    this.#keepers.owe(this.#seq);
    if (this.#state.told !== null) this.#ports.harness.told(this.#state.told);
    this.#ports.harness.watch(() => this.#noticed());
    const drafts = this.#state.status === 'running' ? await this.#ports.log.drafts() : [];
    await this.#dispatch({ kind: 'recovered', drafts });
    if (this.#seq === 0 && initialEvents.length > 0) await this.send(initialEvents);
    await this.wake();
  }

  async #send(params: readonly EventParam[], claim: Claim | undefined): Promise<Sent> {
    this.#refuseDeleted();
    const context = this.#context();
    const { now } = context.stamp;
    const earlier = await recall(this.#reader, claim, now);
    if (earlier !== null) return { events: earlier, replayed: true };
    const { acceptance, entries } = await this.#choosing.settled(() => {
      const at = this.#context();
      const accepted = accept(params, at);
      return { acceptance: accepted, entries: this.#completed(at, accepted.entries) };
    });
    await this.#commit(entries, receiptOf(claim, acceptance, now));
    return { events: acceptance.echoes.map((entry) => entry.event), replayed: false };
  }

  #refuseDeleted(): void {
    if (this.#state.deleted) throw notFound(this.#spec);
  }

  /** Absent: the session's own view, which is the primary thread's too. */
  #viewOf(thread: string | undefined): { thread?: string } {
    if (thread === undefined || thread === this.#spec.threadId) return {};
    if (threadById(this.#state, thread) !== null) return { thread };
    throw new ApiError('not_found', `No thread ${thread} in this session`);
  }

  #dispatch(command: Command): Promise<readonly Entry[]> {
    return this.#enqueue(async () => {
      const entries = await this.#choosing.settled(() => {
        const context = this.#context();
        return this.#completed(context, decide(command, context));
      });
      return this.#commit(entries);
    });
  }

  /** With what can be told and begun in the same append. */
  #completed(context: Context, decided: readonly Entry[]): readonly Entry[] {
    const entries = withRequests(context, decided, this.#choosing.choose);
    return withNews(context, entries, this.#ports.harness.news());
  }

  #context(): Context {
    const { now, newId } = this.#ports;
    return {
      state: this.#state,
      spec: this.#spec,
      stamp: { now: now(), newId: (kind = 'event') => newId(kind) },
    };
  }

  #enqueue<T>(work: () => Promise<T>): Promise<T> {
    const result = this.#mailbox.then(() => {
      if (this.#dead) throw this.#dead;
      return work();
    });
    this.#mailbox = result.catch(() => undefined);
    return result;
  }

  async #commit(entries: readonly Entry[], extra: Extra = {}): Promise<readonly Entry[]> {
    if (entries.length > 0) {
      const kept = await spill(entries, this.#ports.blobs);
      const state = evolveAll(this.#state, kept);
      await this.#append(kept, state, extra);
      const first = this.#seq + 1;
      const { told } = this.#state;
      this.#state = state;
      if (state.told !== null && state.told !== told) this.#ports.harness.told(state.told);
      this.#seq += entries.length;
      this.hub.publish(entries.map((entry, index) => ({ ...entry, seq: first + index })));
    }
    this.#settle(entries);
    return entries;
  }

  async #append(entries: readonly Entry[], next: State, extra: Extra): Promise<void> {
    const dropDrafts = overDrafts(this.#state, next);
    const seq = this.#seq + entries.length;
    const due = seq - this.#snapshotSeq >= SNAPSHOT_EVERY;
    const appended = this.#ports.log.append(this.#seq, entries, {
      ...extra,
      ...(dropDrafts.length > 0 ? { dropDrafts } : {}),
      ...(due ? { snapshot: toSnapshot(foldOf(this.#spec), next) } : {}),
    });
    this.#ports.alarm.arm(wakeBetween([this.#state, next], this.#spec, this.#ports.now()));
    try {
      await appended;
      if (due) this.#snapshotSeq = seq;
    } catch (error) {
      if (isApiError(error)) throw error;
      this.#ports.logger.error('session.append_failed', { expected: this.#seq }, error);
      this.#die();
      throw this.#dead ?? error;
    }
  }

  /** Brings the world in line with the state: the turns that should run, what is owed, the alarm. */
  #settle(entries: readonly Entry[]): void {
    this.#turns.follow(this.#state);
    this.#desk.forget((threadId) => this.#turns.runs(threadId));
    const { alarm, now } = this.#ports;
    const debt = owed(this.#state, this.#spec, now());
    this.#keepers.keep(debt, { seq: this.#seq, entries });
    const at = debt.wakeAt ?? earliest(this.#keepers.due(debt, now()), debt.deadline);
    if (at === null) alarm.disarm();
    else alarm.arm(at);
  }

  /** Through the mailbox: an append under way has armed the alarm for a state that is not current yet. */
  #settled(): void {
    this.#enqueue(async () => this.#settle([])).catch(() => undefined);
  }

  /** Something is to be told of the sandbox, or done for it: a tick sees to both. */
  #noticed(): void {
    this.#dispatch({ kind: 'tick' }).catch(() => undefined);
  }

  #run(turn: Turn): void {
    const { logger } = this.#ports;
    const startedAt = this.#ports.now();
    runTurn(turn, this.#desk).then(
      () => {
        const outcome = turn.signal.reason === 'superseded' ? 'superseded' : this.#state.status;
        const duration_ms = this.#ports.now() - startedAt;
        logger.info('turn.ended', { turn_id: turn.id, thread_id: turn.threadId, outcome, duration_ms });
      },
      (error: unknown) => {
        logger.error('turn.failed', { turn_id: turn.id }, error);
        // A turn that cannot write down what it did must not look as if it ran: the next runtime takes it up.
        if (this.#turns.has(turn)) this.#die();
      },
    );
  }

  #die(): void {
    this.#dead ??= new ApiError('unavailable', 'The session is being recovered. Try again in a moment.', {
      retryAfterSeconds: 1,
    });
    this.#turns.stop('superseded');
    this.hub.close();
  }
}

function notFound({ sessionId }: SessionSpec): ApiError {
  return new ApiError('not_found', `No session ${sessionId}`);
}

/** None for a send of which something is told and not kept: it may be told again. */
function receiptOf(claim: Claim | undefined, acceptance: Acceptance, now: number): Extra {
  const kept = acceptance.echoes.every((echo) => acceptance.entries.includes(echo));
  return claim === undefined || !kept ? {} : { receipt: toReceipt(claim, acceptance, now) };
}
