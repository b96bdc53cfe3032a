// The desk of a live session: what all its turns see of it, and the context each thread's model calls are made from.
import type { Logger } from '@capstan/shared/logger';
import { ModelContext } from './context.ts';
import type { Entry } from './entry.ts';
import type { Harness } from './harness.ts';
import type { Hub } from './hub.ts';
import type { LogReader } from './log-reader.ts';
import type { EventLog, Ports } from './ports.ts';
import type { SessionSpec } from './spec.ts';
import type { OpenCall, Outcome, State } from './state.ts';
import { primaryOf, threadById } from './thread.ts';
import type { Desk } from './turn.ts';
import type { TurnStep } from './turn-commands.ts';

interface Session {
  spec: SessionSpec;
  state(): State;
  hub: Hub;
  reader: LogReader;
  submit(turnId: string, step: TurnStep): Promise<readonly Entry[]>;
}

export class Desktop implements Desk {
  spec: SessionSpec;
  harness: Harness;
  hub: Hub;
  log: EventLog;
  logger: Logger;
  #ports: Ports;
  #session: Session;
  #contexts = new Map<string, ModelContext>();

  constructor(ports: Ports, session: Session) {
    this.spec = session.spec;
    this.harness = ports.harness;
    this.hub = session.hub;
    this.log = ports.log;
    this.logger = ports.logger;
    this.#ports = ports;
    this.#session = session;
  }

  state(): State {
    return this.#session.state();
  }

  submit(turnId: string, step: TurnStep): Promise<readonly Entry[]> {
    return this.#session.submit(turnId, step);
  }

  newEventId(): string {
    return this.#ports.newId('event');
  }

  random(): number {
    return this.#ports.random();
  }

  context(threadId: string): ModelContext {
    const known = this.#contexts.get(threadId);
    if (known !== undefined) return known;
    const thread = threadById(this.state(), threadId) ?? primaryOf(this.state());
    const context = new ModelContext({
      log: this.#session.reader,
      thread: thread.parentId === null ? null : thread.id,
      from: thread.contextFrom,
    });
    this.#contexts.set(threadId, context);
    return context;
  }

  /** Contexts of child threads that rest are made again when they are needed. */
  forget(runs: (threadId: string) => boolean): void {
    for (const threadId of this.#contexts.keys()) {
      if (threadId !== this.spec.threadId && !runs(threadId)) this.#contexts.delete(threadId);
    }
  }

  async inputOf({ id, input, spill }: OpenCall): Promise<Record<string, unknown> | null> {
    if (spill === undefined) return input;
    const whole = await this.#session.reader.entry(id);
    return whole && 'input' in whole.event ? whole.event.input : null;
  }

  async rubricOf({ eventId }: Outcome): Promise<string | null> {
    const event = (await this.#session.reader.entry(eventId))?.event;
    if (event?.type !== 'user.define_outcome') return null;
    return event.rubric.type === 'text' ? event.rubric.content : event.rubric.file_id;
  }
}
