// Answers the platform at its failpoints, and kills a process when one of them is the one that was asked for.
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';

export interface Strike {
  point: string;
  /** Counted from when it was asked for; default 1. */
  nth?: number;
  /** Only in this session. */
  session?: string;
  /** The session goes on and the process dies this much later; absent: it never gets past the point. */
  afterMs?: number;
  kill(): void;
}

export interface Asked {
  point: string;
  session: string;
  /** The types of the events that an append writes. */
  told: string[];
}

interface Pending extends Strike {
  left: number;
  struck(): void;
}

/** What is known of a session from the points it reached. */
interface Trace {
  /** Appends that are durable. */
  appends: number;
  /** Nothing is under way. */
  resting: boolean;
  /** An append that brings it to rest was begun: whether it became durable is not known. */
  ending: boolean;
}

const RESTING = new Set(['session.status_idle', 'session.status_terminated', 'session.deleted']);

export class FailpointServer {
  /** How often each point was reached. */
  reached = new Map<string, number>();
  #server: Server;
  #pending = new Set<Pending>();
  #traces = new Map<string, Trace>();
  #listeners = new Set<(asked: Asked) => void>();

  private constructor(server: Server) {
    this.#server = server;
    server.on('request', (request, response) => {
      let body = '';
      request.setEncoding('utf8');
      request.on('data', (text: string) => {
        body += text;
      });
      request.on('end', () => {
        this.#reach(JSON.parse(body));
        response.writeHead(204).end();
      });
    });
  }

  static async start(): Promise<FailpointServer> {
    const server = createServer();
    const started = new FailpointServer(server);
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    return started;
  }

  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}/`;
  }

  /** Resolves when it has struck. */
  strike(strike: Strike): Promise<void> {
    return new Promise((struck) => {
      this.#pending.add({ ...strike, left: strike.nth ?? 1, struck });
    });
  }

  /** The points that were asked for and not reached. */
  waiting(): string[] {
    return [...this.#pending].map(({ point }) => point);
  }

  /** Forgets what was asked for and has not struck. */
  spare(session?: string): void {
    for (const pending of this.#pending) {
      if (session === undefined || pending.session === session) this.#pending.delete(pending);
    }
  }

  trace(session: string): Trace {
    const known = this.#traces.get(session) ?? { appends: 0, resting: true, ending: false };
    this.#traces.set(session, known);
    return known;
  }

  /** Calls back at every point that is reached. Returns the way to stop. */
  onReach(listener: (asked: Asked) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** Resolves with the session's next durable append, or that of any; or after `withinMs`. */
  nextAppend(session: string | null, withinMs: number): Promise<void> {
    return new Promise((resolve) => {
      const late = setTimeout(() => end(), withinMs);
      const stop = this.onReach((asked) => {
        if ((session ?? asked.session) === asked.session && isAppended(asked)) end();
      });
      const end = () => {
        clearTimeout(late);
        stop();
        resolve();
      };
    });
  }

  stop(): void {
    this.#server.closeAllConnections();
    this.#server.close();
  }

  #reach(asked: Asked): void {
    const { point, session } = asked;
    this.reached.set(point, (this.reached.get(point) ?? 0) + 1);
    if (point.startsWith('append.')) this.#trace(asked);
    for (const listener of this.#listeners) listener(asked);
    for (const pending of this.#pending) {
      if (pending.point !== point || (pending.session ?? session) !== session) continue;
      pending.left -= 1;
      if (pending.left > 0) continue;
      this.#pending.delete(pending);
      this.#strike(pending);
    }
  }

  #trace(asked: Asked): void {
    const trace = this.trace(asked.session);
    // An interrupt that found nothing to interrupt changes nothing.
    const rests =
      asked.told.join() === 'user.interrupt' ? trace.resting : RESTING.has(asked.told.at(-1) ?? '');
    trace.ending = rests && !isAppended(asked);
    if (!isAppended(asked)) return;
    trace.appends += 1;
    trace.resting = rests;
  }

  #strike({ afterMs, kill, struck }: Pending): void {
    const strike = () => {
      kill();
      struck();
    };
    if (afterMs === undefined) strike();
    else setTimeout(strike, afterMs);
  }
}

/** Whether an append has become durable. */
export function isAppended({ point }: Asked): boolean {
  return point.startsWith('append.') && point.endsWith(':after');
}
