// Watches the bytes of one model call: a server that says nothing for too long is given up, and its request closed.
// A model that has said it thinks may be silent for longer. Provider pings and comments count as life; the client
// libraries hide them, so the bytes are watched themselves. A call may have a limit for all of it, whatever comes.
import { ModelFailure } from '@capstan/session/harness';
import type { ModelTimeouts } from '../config.ts';

/** Some providers send nothing at all while a model thinks. */
const THOUGHT_FACTOR = 5;

interface Line {
  sent?: () => void;
  over?: typeof fetch;
  withinMs?: number | undefined;
}

export class Watchdog {
  #timeouts: ModelTimeouts;
  #controller = new AbortController();
  #timer: ReturnType<typeof setTimeout> | undefined;
  #limit: ReturnType<typeof setTimeout> | undefined;
  #outer: AbortSignal;
  #onAbort = () => this.#controller.abort(this.#outer.reason);
  /** The failure that ended the call, when the watchdog ended it. */
  expired: ModelFailure | null = null;
  #thinking = false;
  #sent: () => void;
  #over: typeof fetch;

  /** `sent` is called each time a request is out; `over` is what carries it; `withinMs` is the limit of all of it. */
  constructor(timeouts: ModelTimeouts, outer: AbortSignal, line: Line = {}) {
    const { sent = () => {}, over = fetch, withinMs } = line;
    this.#timeouts = timeouts;
    this.#outer = outer;
    this.#sent = sent;
    this.#over = over;
    if (outer.aborted) this.#onAbort();
    else outer.addEventListener('abort', this.#onAbort, { once: true });
    this.#arm(timeouts.firstByteMs, 'did not begin to answer');
    if (withinMs === undefined) return;
    const message = `The model took longer than the ${withinMs / 1000} s it had for its answer.`;
    this.#limit = setTimeout(() => this.#expire(message), withinMs);
  }

  /** Aborted by the caller, by silence and by `stop`. */
  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  /** A fetch whose reply is watched. */
  fetch = async (input: string | URL | Request, init?: RequestInit): Promise<Response> => {
    const over = this.#over;
    const answer = over(input, init);
    this.#sent();
    const response = await answer;
    refusePage(response);
    if (response.body === null) return response;
    const watched = response.body.pipeThrough(
      new TransformStream<Uint8Array, Uint8Array>({
        transform: (chunk, controller) => {
          this.#beat();
          controller.enqueue(chunk);
        },
      }),
    );
    return new Response(watched, response);
  };

  /** Ends the watch and whatever is still being received. */
  stop(): void {
    clearTimeout(this.#timer);
    clearTimeout(this.#limit);
    this.#outer.removeEventListener('abort', this.#onAbort);
    this.#controller.abort();
  }

  /** Told of each part of the reply, so that a thought is given its time. */
  heard(thinking: boolean): void {
    if (thinking === this.#thinking) return;
    this.#thinking = thinking;
    this.#beat();
  }

  #beat(): void {
    if (this.signal.aborted) return;
    const patience = this.#thinking ? THOUGHT_FACTOR : 1;
    this.#arm(this.#timeouts.betweenPartsMs * patience, 'fell silent in the middle of its answer');
  }

  #arm(ms: number, what: string): void {
    clearTimeout(this.#timer);
    const message = `The model ${what}: nothing came for ${ms / 1000} s.`;
    this.#timer = setTimeout(() => this.#expire(message), ms);
  }

  #expire(message: string): void {
    if (this.signal.aborted) return;
    this.expired = new ModelFailure('model_request_failed_error', message, { retryable: true });
    this.#controller.abort(this.expired);
  }
}

/** A web page where a reply belongs means a wrong address; read as a stream it would look like an empty reply. */
function refusePage(response: Response): void {
  if (!response.ok || !response.headers.get('content-type')?.includes('text/html')) return;
  throw new ModelFailure(
    'model_request_failed_error',
    'The model server answered with a web page, not with a model reply: check the configured base address ' +
      '(OPENAI_BASE_URL usually ends in /v1).',
    { retryable: false },
  );
}

/**
 * The values of an iterable until the signal is aborted: then it rejects at once, even when the source hangs. Values are
 * not held: racing each against one promise would keep them all until the call ends.
 */
export async function* untilAborted<T>(source: AsyncIterable<T>, signal: AbortSignal): AsyncGenerator<T> {
  const iterator = source[Symbol.asyncIterator]();
  let giveUp: (reason: unknown) => void = () => undefined;
  const onAbort = () => giveUp(signal.reason);
  signal.addEventListener('abort', onAbort, { once: true });
  try {
    for (;;) {
      signal.throwIfAborted();
      const next = await new Promise<IteratorResult<T>>((resolve, reject) => {
        giveUp = reject;
        iterator.next().then(resolve, reject);
      });
      if (next.done === true) return;
      yield next.value;
    }
  } finally {
    signal.removeEventListener('abort', onAbort);
    // A source that hangs would hang its own return as well.
    iterator.return?.().catch(() => undefined);
  }
}
