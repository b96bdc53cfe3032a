// Plays a recording again: the same input, and the recorded answers of models and tools, against the engine as it is now.
//
//   What a client, a model, a tool, an alarm or a dying process did is done again where the recording has it; everything
//   else the engine has to do by itself. Each row has to be the recorded one before the next thing is done.
import type { SessionEvent } from '../../packages/schema/src/events.ts';
import type { LoggedEntry } from '../../packages/session/src/entry.ts';
import { readEntries } from '../../packages/session/src/log-reader.ts';
import type { SessionRuntime } from '../../packages/session/src/runtime.ts';
import { quiesce, until, World } from '../../packages/session/src/testing.ts';
import { failureOf, replyOf, verdictOf } from './answers.ts';
import { Identities } from './identities.ts';
import { RecordedHarness } from './recorded-harness.ts';
import type { Recording } from './recording.ts';
import { groupFrom } from './sends.ts';

/** The recording and the engine of today differ; the message says where. */
export class Difference extends Error {
  override name = 'Difference';
}

const STOPPED = 'The process that ran this turn stopped.';

export class Player {
  #rows: readonly LoggedEntry[];
  #world: World;
  #harness = new RecordedHarness();
  #ids = new Identities();
  #runtime: SessionRuntime | null = null;
  /** Rows that were the same. */
  #same = 0;

  constructor({ spec, rows }: Recording) {
    this.#rows = rows;
    this.#world = new World(spec.agent);
    this.#world.spec = spec;
    this.#world.harness = this.#harness;
    this.#ids.know(spec.threadId, spec.threadId);
    this.#learnModels();
  }

  /** The number of rows that are the same: all of them. Throws Difference. */
  async play(): Promise<number> {
    await this.#copyFork();
    this.#lookAhead(this.#same);
    await this.#open();
    await this.#compare();
    while (this.#same < this.#rows.length) {
      this.#lookAhead(this.#same);
      const before = this.#same;
      await this.#do(this.#row(this.#same));
      await until(async () => (await this.#count()) > before).catch(() => {
        throw this.#differs('the engine does nothing more here');
      });
      await this.#compare();
    }
    return this.#same;
  }

  #row(index: number): LoggedEntry {
    const row = this.#rows[index];
    if (row === undefined) throw this.#differs('the engine goes on where the recording ends');
    return row;
  }

  /** What the recording says of prices, so that budgets come out the same. */
  #learnModels(): void {
    for (const { event, note } of this.#rows) {
      if (event.type !== 'span.model_request_start' || !note?.span || !event.capstan) continue;
      const { provider, model } = event.capstan;
      this.#harness.choices.set(model, { provider, model, price: note.span.price });
    }
    const { agent } = this.#world.spec;
    for (const { model } of [agent, ...(agent.multiagent?.agents ?? [])]) {
      const known = [...this.#harness.choices.values()].find((one) => model.id.endsWith(one.model ?? '\0'));
      if (known) this.#harness.choices.set(model.id, known);
    }
  }

  /** Rows of another session are taken as they stand. */
  async #copyFork(): Promise<void> {
    const own = this.#world.spec.sessionId;
    const at = this.#rows.findIndex(({ note }) => note?.fork?.into === own);
    if (at <= 0) return;
    await this.#world.log.append(0, this.#rows.slice(0, at));
    for (const { event } of this.#rows.slice(0, at)) this.#knowAll(event);
  }

  #knowAll(event: SessionEvent): void {
    for (const id of JSON.stringify(event).match(/\b(?:sevt|sthr|outc)_\w+/g) ?? []) this.#ids.know(id, id);
  }

  async #open(): Promise<void> {
    this.#runtime = await this.#world.open();
    // Somebody watches: only then is text shown, and kept when it breaks off.
    const reader = this.#live.stream({ deltas: ['agent.message'] }).getReader();
    const drain = async () => {
      while (!(await reader.read()).done);
    };
    drain().catch(() => undefined);
    await quiesce();
  }

  get #live(): SessionRuntime {
    if (this.#runtime === null) throw new Error('the session is not open');
    return this.#runtime;
  }

  async #count(): Promise<number> {
    await quiesce();
    return (await this.#world.events()).length;
  }

  async #compare(): Promise<void> {
    await quiesce();
    for await (const { event } of readEntries(this.#world.log, this.#same)) {
      const found = this.#ids.difference(this.#row(this.#same).event, event);
      if (found !== null) throw this.#differs(found);
      this.#same += 1;
    }
  }

  #differs(what: string): Difference {
    const row = this.#rows[this.#same];
    const where = row ? `row ${row.seq} (${row.event.type})` : `after the last row (${this.#rows.length})`;
    return new Difference(`${where}: ${what}`);
  }

  /** A compaction that nobody was told to make comes about because the context was long: it is now. */
  #lookAhead(from: number): void {
    const next = this.#rows.slice(from).find(({ event }) => event.type === 'span.model_request_end');
    const compacts = next?.note?.bill?.kind === 'compaction';
    this.#harness.choice = compacts ? { contextWindow: 10 } : {};
  }

  /** Does what made the engine write the row. */
  async #do(row: LoggedEntry): Promise<void> {
    const { event, note } = row;
    if (isInput(event)) return this.#send();
    if (note?.archived) return this.#archive(event);
    switch (event.type) {
      case 'session.updated':
        return this.#update(event);
      case 'session.deleted':
        return this.#live.delete();
      case 'agent.tool_result':
        return this.#answerTool(event);
      case 'session.status_running':
      case 'session.thread_status_running':
        return this.#ring();
      case 'span.outcome_evaluation_ongoing':
      case 'span.outcome_evaluation_end':
        return this.#grade(row);
      default:
        return this.#answerModel(row);
    }
  }

  async #send(): Promise<void> {
    const { params, rows } = groupFrom(this.#rows, this.#same, (id) => this.#ids.of(id));
    const { events } = await this.#live.send(params).catch((error: unknown) => {
      throw this.#differs(`the engine refuses this input now: ${String(error)}`);
    });
    for (const [index, recorded] of rows.entries()) {
      const sent = events[index];
      if (sent) this.#ids.know(recorded.event.id, sent.id);
    }
  }

  async #archive(event: SessionEvent): Promise<void> {
    const rest = this.#rows.slice(this.#same);
    const whole = rest.some(({ event: later }) => later.type === 'session.status_terminated');
    if (whole || !('session_thread_id' in event) || !event.session_thread_id) await this.#live.archive();
    else await this.#live.archiveThread(this.#ids.of(event.session_thread_id));
  }

  async #update(event: Extract<SessionEvent, { type: 'session.updated' }>): Promise<void> {
    const { title, metadata, budget } = event;
    const gone = Object.fromEntries(Object.keys(this.#live.view.metadata).map((key) => [key, null]));
    await this.#live.update({
      ...(title === undefined ? {} : { title }),
      ...(metadata === undefined ? {} : { metadata: { ...gone, ...metadata } }),
      ...(budget === undefined ? {} : { budget }),
    });
  }

  async #answerTool(event: Extract<SessionEvent, { type: 'agent.tool_result' }>): Promise<void> {
    const effectId = this.#ids.of(event.tool_use_id);
    const call = this.#harness.tools.findLast(({ input, done }) => input.effectId === effectId && !done);
    const outcome = { content: event.content ?? [], isError: event.is_error ?? false };
    if (call === undefined) throw this.#differs('no tool call waits here');
    call.settle(outcome);
  }

  async #ring(): Promise<void> {
    for (let tries = 0; tries < 1_000 && this.#world.alarmAt !== null; tries++) {
      if ((await this.#count()) > this.#same) return;
      await this.#world.ring(this.#live);
    }
  }

  async #grade(row: LoggedEntry): Promise<void> {
    const call = this.#harness.waitingCall(this.#world.spec.threadId);
    if (call === undefined) throw this.#differs('no grader waits here');
    call.tell(verdictOf(row));
  }

  async #answerModel({ event, note }: LoggedEntry): Promise<void> {
    // A thread is created by the words of the primary one.
    const owner = event.type === 'session.thread_created' ? undefined : note?.thread;
    const thread = owner === undefined ? this.#world.spec.threadId : this.#ids.of(owner);
    const rest = this.#rows.slice(this.#same);
    const error = rest.find(({ event }) => event.type === 'session.error')?.event;
    const end = rest.find((row) => {
      return row.event.type === 'span.model_request_end' && row.note?.thread === owner;
    });
    const died = error?.type === 'session.error' && error.error.message.startsWith(STOPPED);
    const replied = end?.event.type === 'span.model_request_end' && end.event.is_error === false;
    const call = this.#harness.waitingCall(thread);
    if (!replied && died) return this.#die(rest, call);
    if (call === undefined) throw this.#differs('no model call waits here');
    // The turn goes on as soon as it has its answer.
    this.#lookAhead(this.#same + rest.findIndex((row) => row === end) + 1);
    const { agent } = this.#world.spec;
    if (replied) call.tell(replyOf(rest, { agent, owner, live: (id) => this.#ids.of(id) }));
    else call.tell(...failureOf(rest));
  }

  /** The process ends where the recorded one did; what it had shown by then stays. */
  async #die(rest: readonly LoggedEntry[], call: ReturnType<RecordedHarness['waitingCall']>): Promise<void> {
    for (const part of failureOf(rest)) if (part.type === 'text') call?.tell(part);
    await quiesce();
    this.#findOutcomes(rest);
    await this.#open();
  }

  /** What the next process finds of the calls this one leaves. */
  #findOutcomes(rest: readonly LoggedEntry[]): void {
    for (const { event } of rest) {
      if (event.type !== 'agent.tool_result' || event.content?.some(isUnknown)) continue;
      const outcome = { content: event.content ?? [], isError: event.is_error ?? false };
      this.#harness.outcomes.set(this.#ids.of(event.tool_use_id), outcome);
    }
  }
}

function isUnknown(block: { type: string; text?: string }): boolean {
  return block.text?.startsWith('Outcome unknown:') ?? false;
}

function isInput(event: SessionEvent): boolean {
  return event.type.startsWith('user.') || event.type === 'system.message';
}
