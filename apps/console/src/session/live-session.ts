// One session, live: history by pages, then the stream, for as long as somebody looks.
// S1 The stream is opened before history is read, so nothing falls between them; the log drops what both bring.
// S2 A broken stream is resumed after the last sequence seen; without one, history is read again into a fresh log.
// S3 A refusal that a retry cannot cure ends the attempts and is shown.
import { Failure } from '@capstan/client/failure';
import type { EventParam } from '@capstan/schema/events/user-events';
import { api } from '../api.ts';
import { SessionLog, type Snapshot } from './log.ts';

export type Connection = 'connecting' | 'live' | 'reconnecting' | 'closed';

export interface View {
  snapshot: Snapshot;
  connection: Connection;
  /** History has been read at least once. */
  loaded: boolean;
  hasEarlier: boolean;
  failure: Failure | null;
  /** How many events this page has sent. */
  sent: number;
}

const PAGE_SIZE = 250;
const RENDER_MS = 16;
const RETRY_MS = 1_000;

export class LiveSession {
  #id: string;
  /** What is shown, and what the stream feeds: the same but while history is read again. */
  #log = new SessionLog();
  #incoming = this.#log;
  #resumable = false;
  #earlier: string | null = null;
  #listeners = new Set<() => void>();
  #stop: AbortController | null = null;
  #pending = false;
  #view: View;

  constructor(id: string) {
    this.#id = id;
    this.#view = {
      snapshot: this.#log.snapshot(),
      connection: 'connecting',
      loaded: false,
      hasEarlier: false,
      failure: null,
      sent: 0,
    };
  }

  view = (): View => this.#view;

  /** The connection is open while there is a listener. */
  subscribe = (listener: () => void): (() => void) => {
    this.#listeners.add(listener);
    if (this.#stop === null) {
      this.#stop = new AbortController();
      void this.#run(this.#stop);
    }
    return () => {
      this.#listeners.delete(listener);
      if (this.#listeners.size > 0) return;
      this.#stop?.abort();
      this.#stop = null;
    };
  };

  /** Sends one event and shows it at once. `idempotencyKey` makes a repeated press harmless. */
  async send(event: EventParam, idempotencyKey?: string): Promise<void> {
    const sent = await api.events.send(
      { params: { session_id: this.#id }, body: { events: [event] } },
      idempotencyKey === undefined ? {} : { headers: { 'idempotency-key': idempotencyKey } },
    );
    for (const accepted of sent.data) this.#log.take(accepted);
    this.#show({ sent: this.#view.sent + 1 });
  }

  async loadEarlier(): Promise<void> {
    if (this.#earlier === null) return;
    await this.#readPage(this.#log, this.#stop?.signal);
    this.#show({ hasEarlier: this.#earlier !== null });
  }

  async #run(stop: AbortController): Promise<void> {
    this.#resumable = false;
    this.#show({ connection: 'connecting', failure: null });
    const { signal } = stop;
    const onLine = ({ connected }: { connected: boolean }) => {
      if (connected) this.#connected(stop);
      else this.#broken(stop);
    };
    const events = api.events.follow(this.#id, {
      deltas: ['agent.message', 'agent.thinking'],
      signal,
      onLine,
      wait: pause,
    });
    try {
      for await (const { event, sequence } of events) {
        this.#incoming.take(event);
        if (sequence !== null) this.#resumable = true;
        this.#showSoon();
      }
      if (!signal.aborted) this.#show({ connection: 'closed' });
    } catch (error) {
      this.#fail(error, stop);
    }
  }

  #connected(stop: AbortController): void {
    if (this.#resumable) {
      if (this.#view.loaded) this.#show({ connection: 'live' });
      return;
    }
    this.#incoming = new SessionLog();
    void this.#readHistory(this.#incoming, stop);
  }

  #broken(stop: AbortController): void {
    this.#incoming.dropPreviews();
    const last = this.#log.snapshot().events.at(-1)?.type;
    // The server has nothing more to tell of a session that is over.
    const over = last === 'session.status_terminated' || last === 'session.deleted';
    if (over) stop.abort();
    this.#show({ connection: over ? 'closed' : 'reconnecting' });
  }

  async #readHistory(log: SessionLog, stop: AbortController): Promise<void> {
    while (!stop.signal.aborted && this.#incoming === log) {
      try {
        this.#earlier = null;
        await this.#readPage(log, stop.signal);
        if (this.#incoming !== log) return;
        this.#log = log;
        this.#show({ connection: 'live', loaded: true, hasEarlier: this.#earlier !== null });
        return;
      } catch (error) {
        if (stop.signal.aborted) return;
        if (!(error instanceof Failure && error.passing)) return this.#fail(error, stop);
        await pause(RETRY_MS, stop.signal);
      }
    }
  }

  async #readPage(log: SessionLog, signal: AbortSignal | undefined): Promise<void> {
    const page = await api.events.list(
      {
        params: { session_id: this.#id },
        query: { order: 'desc', limit: PAGE_SIZE, page: this.#earlier ?? undefined },
      },
      { signal },
    );
    log.prepend(page.data.toReversed());
    this.#earlier = page.next_page;
  }

  #fail(error: unknown, stop: AbortController): void {
    if (stop.signal.aborted) return;
    stop.abort();
    if (!(error instanceof Failure)) throw error;
    this.#show({ connection: 'closed', failure: error });
  }

  #showSoon(): void {
    if (this.#pending) return;
    this.#pending = true;
    setTimeout(() => this.#show({}), RENDER_MS);
  }

  #show(change: Partial<View>): void {
    this.#pending = false;
    this.#view = { ...this.#view, ...change, snapshot: this.#log.snapshot() };
    for (const listener of this.#listeners) listener();
  }
}

/** Waits, but no longer once the network is back or nobody waits any more. */
function pause(ms: number, signal: AbortSignal | undefined): Promise<void> {
  return new Promise((resolve) => {
    const done = () => {
      clearTimeout(timer);
      removeEventListener('online', done);
      signal?.removeEventListener('abort', done);
      resolve();
    };
    const timer = setTimeout(done, ms);
    addEventListener('online', done);
    signal?.addEventListener('abort', done);
  });
}
