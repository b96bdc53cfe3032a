// One session, live: history by pages, then the stream, for as long as somebody looks.
// S1 The stream is opened before history is read, so nothing falls between them; the log drops what both bring.
// S2 A broken stream is resumed after the last sequence seen; without one, everything is read again.
// S3 A refusal that a retry cannot cure ends the attempts and is shown.
import type { StreamEvent } from '@capstan/schema/events';
import type { EventParam } from '@capstan/schema/events/user-events';
import { api, Failure, request } from '../api.ts';
import { SessionLog, type Snapshot } from './log.ts';
import { readFrames } from './sse.ts';

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
const SILENCE_MS = 60_000;
const RENDER_MS = 16;
const MAX_DELAY_MS = 10_000;

export class LiveSession {
  #id: string;
  #log = new SessionLog();
  #earlier: string | null = null;
  #lastSequence: string | null = null;
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
      void this.#run(this.#stop.signal);
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
    const sent = await api.sendEvents(
      { params: { session_id: this.#id }, body: { events: [event] } },
      idempotencyKey === undefined ? {} : { idempotencyKey },
    );
    for (const accepted of sent.data) this.#log.take(accepted);
    this.#show({ sent: this.#view.sent + 1 });
  }

  async loadEarlier(): Promise<void> {
    if (this.#earlier === null) return;
    await this.#readPage(this.#log, this.#stop?.signal);
    this.#show({ hasEarlier: this.#earlier !== null });
  }

  async #run(signal: AbortSignal): Promise<void> {
    let failures = 0;
    this.#show({ connection: 'connecting', failure: null });
    while (!signal.aborted) {
      try {
        await this.#connect(signal);
        failures = 0;
      } catch (error) {
        if (signal.aborted) return;
        if (error instanceof Failure && isFinal(error)) {
          this.#show({ connection: 'closed', failure: error });
          return;
        }
      }
      if (signal.aborted) return;
      if (this.#isOver()) return this.#show({ connection: 'closed' });
      this.#show({ connection: 'reconnecting' });
      await pause(Math.min(500 * 2 ** failures, MAX_DELAY_MS), signal);
      failures += 1;
    }
  }

  async #connect(signal: AbortSignal): Promise<void> {
    const attempt = new AbortController();
    const both = AbortSignal.any([signal, attempt.signal]);
    try {
      const headers = new Headers({ accept: 'text/event-stream' });
      if (this.#view.loaded && this.#lastSequence !== null) headers.set('last-event-id', this.#lastSequence);
      const path = `/v1/sessions/${encodeURIComponent(this.#id)}/events/stream`;
      const response = await request(`${path}?event_deltas[]=agent.message&event_deltas[]=agent.thinking`, {
        headers,
        signal: both,
      });
      if (response.body === null) throw new Failure(0, 'The stream has no body.');
      const resumed = headers.has('last-event-id');
      const log = resumed ? this.#log : new SessionLog();
      log.dropPreviews();
      const consuming = this.#consume(response.body, log, attempt);
      if (resumed) this.#show({ connection: 'live' });
      else await Promise.all([consuming, this.#readHistory(log, both)]);
      await consuming;
    } finally {
      attempt.abort();
    }
  }

  async #readHistory(log: SessionLog, signal: AbortSignal): Promise<void> {
    this.#earlier = null;
    await this.#readPage(log, signal);
    this.#log = log;
    this.#show({ connection: 'live', loaded: true, hasEarlier: this.#earlier !== null, failure: null });
  }

  async #readPage(log: SessionLog, signal: AbortSignal | undefined): Promise<void> {
    const page = await api.listEvents(
      {
        params: { session_id: this.#id },
        query: { order: 'desc', limit: PAGE_SIZE, page: this.#earlier ?? undefined },
      },
      { signal },
    );
    log.prepend(page.data.toReversed());
    this.#earlier = page.next_page;
  }

  async #consume(body: ReadableStream<Uint8Array>, log: SessionLog, attempt: AbortController): Promise<void> {
    // The server keeps a quiet line alive with comments: silence means the line is dead.
    let silence = setTimeout(() => attempt.abort(), SILENCE_MS);
    try {
      for await (const frame of readFrames(body)) {
        clearTimeout(silence);
        silence = setTimeout(() => attempt.abort(), SILENCE_MS);
        if (frame === 'comment') continue;
        const event: StreamEvent = JSON.parse(frame.data);
        log.take(event);
        this.#lastSequence = frame.id ?? this.#lastSequence;
        if (log === this.#log) this.#showSoon();
      }
    } finally {
      clearTimeout(silence);
    }
  }

  #isOver(): boolean {
    const last = this.#log.snapshot().events.at(-1)?.type;
    return last === 'session.status_terminated' || last === 'session.deleted';
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

function isFinal(failure: Failure): boolean {
  return failure.status >= 400 && failure.status < 500 && failure.status !== 408 && failure.status !== 429;
}

/** Waits, but no longer once the network is back or nobody waits any more. */
function pause(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const done = () => {
      clearTimeout(timer);
      removeEventListener('online', done);
      signal.removeEventListener('abort', done);
      resolve();
    };
    const timer = setTimeout(done, ms);
    addEventListener('online', done);
    signal.addEventListener('abort', done);
  });
}
