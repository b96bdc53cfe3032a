// A session's events as they happen.
// 1. A broken line is taken up again after the last event that came: none is missed, none comes twice.
// 2. It ends when the caller leaves, when the session is over, or when the server refuses for good (`Failure`).
import type { StreamEvent } from '@capstan/schema/events';
import type { Previewable } from '@capstan/schema/events/previews';
import { Failure } from './failure.ts';
import { readFrames, SseParser } from './sse.ts';
import type { Transport } from './transport.ts';

export interface FollowOptions {
  /** Replays what came after this sequence first; 0 is everything. Absent: only what happens from now on. */
  after?: number;
  deltas?: Previewable[];
  signal?: AbortSignal;
  /** Told when the line breaks (with what broke it, null for a plain end) and when it stands again. */
  onLine?: (state: { connected: boolean; cause: unknown }) => void;
  /** Waits `ms`, or less when `signal` aborts. */
  wait?: (ms: number, signal: AbortSignal | undefined) => Promise<void>;
}

export interface FollowedEvent {
  event: StreamEvent;
  /** Sequence in the session's log. Null: a preview, which is in no log. */
  sequence: number | null;
}

const FIRST_PAUSE_MS = 500;
const LONGEST_PAUSE_MS = 10_000;
const LAST: ReadonlySet<string> = new Set(['session.deleted', 'session.status_terminated']);

export async function* follow(
  transport: Transport,
  sessionId: string,
  options: FollowOptions,
): AsyncGenerator<FollowedEvent, void, undefined> {
  const { signal, onLine, wait = pause } = options;
  const line = new Line(transport, sessionId, options);
  for (let attempt = 0; !signal?.aborted; attempt++) {
    let cause: unknown = null;
    try {
      for await (const followed of line.connect()) {
        attempt = 0;
        yield followed;
        if (LAST.has(followed.event.type)) return;
      }
    } catch (error) {
      if (signal?.aborted) return;
      if (error instanceof Failure && !error.passing) throw error;
      cause = error;
    }
    onLine?.({ connected: false, cause });
    await wait(pauseMs(attempt, line.retryMs, cause), signal);
  }
}

/** One subscription over however many connections it takes. */
class Line {
  #transport: Transport;
  #sessionId: string;
  #options: FollowOptions;
  #last: number | undefined;
  #parser = new SseParser();

  constructor(transport: Transport, sessionId: string, options: FollowOptions) {
    this.#transport = transport;
    this.#sessionId = sessionId;
    this.#options = options;
    this.#last = options.after;
  }

  get retryMs(): number | null {
    return this.#parser.retryMs;
  }

  async *connect(): AsyncGenerator<FollowedEvent, void, undefined> {
    const { deltas, signal, onLine } = this.#options;
    const response = await this.#transport({
      method: 'get',
      path: '/v1/sessions/{session_id}/events/stream',
      parts: { params: { session_id: this.#sessionId }, query: { event_deltas: deltas } },
      signal,
      ...(this.#last !== undefined && { headers: { 'last-event-id': String(this.#last) } }),
    });
    onLine?.({ connected: true, cause: null });
    this.#parser = new SseParser();
    if (response.body === null) return;
    for await (const frame of readFrames(response.body, this.#parser)) {
      if (frame.event === 'ping') continue;
      if (frame.event === 'error') throw new Error(`the stream failed: ${frame.data}`);
      // The server writes the route's stream events, one to a frame.
      const event = JSON.parse(frame.data) as StreamEvent;
      const sequence = 'id' in event && frame.id !== null ? Number(frame.id) : null;
      if (sequence !== null) this.#last = sequence;
      yield { event, sequence };
    }
  }
}

function pauseMs(attempt: number, retryMs: number | null, cause: unknown): number {
  const asked = cause instanceof Failure ? cause.retryAfterMs : retryMs;
  return asked ?? Math.min(LONGEST_PAUSE_MS, FIRST_PAUSE_MS * 2 ** attempt);
}

function pause(ms: number, signal: AbortSignal | undefined): Promise<void> {
  return new Promise((resolve) => {
    const end = () => {
      clearTimeout(timer);
      signal?.removeEventListener('abort', end);
      resolve();
    };
    const timer = setTimeout(end, ms);
    signal?.addEventListener('abort', end);
  });
}
