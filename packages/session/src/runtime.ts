// The runtime: the one shell around a live session's machine.
//
// R1. Commit before tell: an event reaches the hub only when it is durable in the log.
// R2. One command at a time: the mailbox serialises them, on every host.
// R3. One writer: a runtime whose append is refused, or fails, is dead. It stops its turn and answers nothing more;
//     the host opens another from the log.
// R4. One alarm: the earliest moment owed, armed in the same tick as the append that owes it.
// R7. Every running turn has a live process or a due alarm.
import { ApiError, isApiError } from '@capstan/schema/error';
import type { SessionEvent } from '@capstan/schema/events';
import type { EventParam } from '@capstan/schema/events/user-events';
import type { Claim } from '@capstan/schema/idempotency';
import type { Page } from '@capstan/schema/page';
import { accept } from './accept.ts';
import { ModelContext } from './context.ts';
import type { Entry, Stamp } from './entry.ts';
import { evolve, evolveAll } from './evolve.ts';
import { Hub } from './hub.ts';
import { IndexKeeper } from './index-keeper.ts';
import { readable, readEntries } from './log-reader.ts';
import { type Command, decide, LEASE_MS, owed } from './machine.ts';
import type { Ports, Receipt } from './ports.ts';
import { Releaser } from './releaser.ts';
import { recall, Twins, toReceipt } from './repetition.ts';
import type { EventQuery, Sent, SessionView, StreamQuery } from './service.ts';
import type { SessionSpec } from './spec.ts';
import { INITIAL, type State } from './state.ts';
import { cancelCall } from './tool-step.ts';
import { type Desk, Turn } from './turn.ts';
import { threadOf } from './turn-commands.ts';
import { runTurn } from './turn-loop.ts';

export class SessionRuntime {
  hub: Hub;
  #ports: Ports;
  #spec: SessionSpec;
  #state: State;
  #seq: number;
  #index: IndexKeeper;
  #releaser: Releaser;
  #desk: Desk;
  #turn: Turn | null = null;
  #twins = new Twins();
  #mailbox: Promise<unknown> = Promise.resolve();
  #dead: ApiError | null = null;

  private constructor(ports: Ports, spec: SessionSpec, restored: { state: State; seq: number }) {
    this.#ports = ports;
    this.#spec = spec;
    this.#state = restored.state;
    this.#seq = restored.seq;
    this.hub = new Hub(ports.log, ports.pulse, restored.seq);
    this.#index = new IndexKeeper(ports, () => this.#confirmed());
    this.#releaser = new Releaser(ports, {
      released: () => this.#confirmed(),
      erased: () => {
        // Its streams were told and end by themselves.
        this.#dead = new ApiError('not_found', `No session ${spec.sessionId}`);
      },
    });
    this.#desk = {
      spec,
      harness: ports.harness,
      hub: this.hub,
      context: new ModelContext(ports.log),
      logger: ports.logger,
      state: () => this.#state,
      submit: async (turnId, step) => {
        await this.#dispatch({ ...step, turnId });
      },
      newEventId: () => ports.newEventId(),
      random: () => ports.random(),
    };
  }

  /** From the log as it stands: a turn that lost its process goes on. */
  static async open(ports: Ports, spec: SessionSpec): Promise<SessionRuntime> {
    let state = INITIAL;
    let seq = 0;
    for await (const entry of readEntries(ports.log, 0)) {
      state = evolve(state, entry);
      seq = entry.seq;
    }
    const runtime = new SessionRuntime(ports, spec, { state, seq });
    await runtime.#dispatch({ kind: 'recovered', jitter: ports.random() });
    await runtime.wake();
    return runtime;
  }

  /** Whether the host has to open another runtime. */
  get dead(): boolean {
    return this.#dead !== null;
  }

  /** `not_found` once the session is deleted, as of everything below. */
  get view(): SessionView {
    this.#refuseDeleted();
    return owed(this.#state, this.#ports.now()).index;
  }

  /** Accepts all events or refuses all; they are durable when this resolves. A repetition of a claim is answered again. */
  send(params: readonly EventParam[], claim?: Claim): Promise<Sent> {
    return this.#twins.alone(claim, () => this.#enqueue(() => this.#send(params, claim)));
  }

  async archive(): Promise<SessionView> {
    this.#refuseDeleted();
    await this.#dispatch({ kind: 'archive' });
    return this.view;
  }

  /** Durable when it resolves; what is left of the session is erased afterwards. */
  async delete(): Promise<void> {
    this.#refuseDeleted();
    await this.#dispatch({ kind: 'delete' });
    this.hub.finish();
  }

  async events(query: EventQuery): Promise<Page<SessionEvent>> {
    this.#refuseDeleted();
    return readable(this.#ports.log, this.#ports).page(query);
  }

  stream(query: StreamQuery): ReadableStream<Uint8Array> {
    this.#refuseDeleted();
    return this.hub.open(query);
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

  async #send(params: readonly EventParam[], claim: Claim | undefined): Promise<Sent> {
    this.#refuseDeleted();
    const stamp = this.#stamp();
    const earlier = await recall(readable(this.#ports.log, this.#ports), claim, stamp.now);
    if (earlier !== null) return { events: earlier, replayed: true };
    // Begun by a process that died, and no turn has them in hand: an interrupt has to stop them all the same.
    const orphans = this.#turn === null ? this.#state.calls.filter((call) => call.begun) : [];
    const acceptance = accept(params, { state: this.#state, thread: threadOf(this.#spec), stamp });
    await this.#commit(acceptance.entries, claim && toReceipt(claim, acceptance, stamp.now));
    const open = new Set(this.#state.calls.map((call) => call.id));
    for (const call of orphans) if (!open.has(call.id)) void cancelCall(this.#desk, call);
    return { events: acceptance.echoes.map((entry) => entry.event), replayed: false };
  }

  #refuseDeleted(): void {
    if (this.#state.deleted) throw new ApiError('not_found', `No session ${this.#spec.sessionId}`);
  }

  #dispatch(command: Command): Promise<void> {
    return this.#enqueue(() => {
      const context = { state: this.#state, spec: this.#spec, stamp: this.#stamp() };
      return this.#commit(decide(command, context));
    });
  }

  #stamp(): Stamp {
    return { now: this.#ports.now(), newId: () => this.#ports.newEventId() };
  }

  #enqueue<T>(work: () => Promise<T>): Promise<T> {
    const result = this.#mailbox.then(() => {
      if (this.#dead) throw this.#dead;
      return work();
    });
    this.#mailbox = result.catch(() => undefined);
    return result;
  }

  async #commit(entries: readonly Entry[], receipt?: Receipt): Promise<void> {
    if (entries.length > 0) {
      const state = evolveAll(this.#state, entries);
      await this.#append(entries, state, receipt);
      const first = this.#seq + 1;
      this.#state = state;
      this.#seq += entries.length;
      this.hub.publish(entries.map((entry, index) => ({ ...entry, seq: first + index })));
    }
    this.#settle();
  }

  async #append(entries: readonly Entry[], next: State, receipt?: Receipt): Promise<void> {
    const appended = this.#ports.log.append(this.#seq, entries, { receipt });
    const { wakeAt } = owed(next, this.#ports.now());
    // Even idle, the index row is owed until it is confirmed.
    this.#ports.alarm.arm(wakeAt ?? this.#ports.now() + LEASE_MS);
    try {
      await appended;
    } catch (error) {
      if (isApiError(error)) throw error;
      this.#ports.logger.error('session.append_failed', { expected: this.#seq }, error);
      this.#die();
      throw this.#dead ?? error;
    }
  }

  /** Brings the world in line with the state: the turn that should run, the alarm, the index row. */
  #settle(): void {
    const turnId = this.#state.turnId;
    if (this.#turn !== null && this.#turn.id !== turnId) {
      this.#turn.stop('stopped');
      this.#turn = null;
    }
    if (turnId !== null && this.#turn === null) this.#start(new Turn(turnId));
    const { index, wakeAt, release, erase } = owed(this.#state, this.#ports.now());
    if (!erase) this.#index.keep(index, this.#seq);
    if (release) this.#releaser.keep(erase);
    if (wakeAt !== null) this.#ports.alarm.arm(wakeAt);
    else if (this.#index.confirmed && !erase && (!release || this.#releaser.done)) this.#ports.alarm.disarm();
    else this.#ports.alarm.arm(this.#ports.now() + LEASE_MS);
  }

  /** Through the mailbox: an append under way has armed the alarm for a state that is not current yet. */
  #confirmed(): void {
    this.#enqueue(async () => this.#settle()).catch(() => undefined);
  }

  #start(turn: Turn): void {
    const { logger } = this.#ports;
    const startedAt = this.#ports.now();
    this.#turn = turn;
    runTurn(turn, this.#desk).then(
      () => {
        const outcome = turn.signal.reason === 'superseded' ? 'superseded' : this.#state.status;
        logger.info('turn.ended', { turn_id: turn.id, outcome, duration_ms: this.#ports.now() - startedAt });
      },
      (error: unknown) => {
        logger.error('turn.failed', { turn_id: turn.id }, error);
        // A turn that cannot write down what it did must not look as if it ran: the next runtime takes it up.
        if (this.#turn === turn) this.#die();
      },
    );
  }

  #die(): void {
    this.#dead ??= new ApiError('unavailable', 'The session is being recovered. Try again in a moment.', {
      retryAfterSeconds: 1,
    });
    this.#turn?.stop('superseded');
    this.#turn = null;
    this.hub.close();
  }
}
