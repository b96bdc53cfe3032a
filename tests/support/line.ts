// A line between a client and the platform that loses replies, cuts them, or holds them back: for each request, as it is told.
import { request as ask, createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

/**
 * What becomes of a request. `abandon`: both ends are cut as soon as the server has been sent it. `silence`: the server
 * has answered, the client hears nothing. `head`: the client hears the beginning of the answer's head. `hold`: as
 * silence, once it is let go. A number: the answer is cut after so many bytes of its body, a stream too.
 */
export type Fate = 'pass' | 'abandon' | 'silence' | 'head' | 'hold' | number;

export interface Passage {
  method: string;
  path: string;
  /** How often the SDK says it has asked before. */
  retry: number;
}

export class Line {
  url = '';
  /** What befell each request so far, and what the server answered it: 0 when it did not. */
  passages: (Passage & { fate: Fate; status: number })[] = [];
  #target: URL;
  #decide: (passage: Passage) => Fate;
  #held: (() => void)[] = [];
  #onHeld: () => void = () => {};
  #server = createServer((incoming, outgoing) => void this.#carry(incoming, outgoing));

  private constructor(target: string, decide: (passage: Passage) => Fate) {
    this.#target = new URL(target);
    this.#decide = decide;
  }

  static async open(target: string, decide: (passage: Passage) => Fate): Promise<Line> {
    const line = new Line(target, decide);
    await new Promise<void>((resolve) => line.#server.listen(0, '127.0.0.1', resolve));
    line.url = `http://127.0.0.1:${(line.#server.address() as AddressInfo).port}`;
    return line;
  }

  /** From now on. */
  decide(decide: (passage: Passage) => Fate): void {
    this.#decide = decide;
  }

  /** Resolves once that many replies are held back: what they tell of is done. */
  held(count: number): Promise<void> {
    return new Promise((resolve) => {
      this.#onHeld = () => {
        if (this.#held.length >= count) resolve();
      };
      this.#onHeld();
    });
  }

  /** The replies that are held back are lost. */
  drop(): void {
    for (const lose of this.#held.splice(0)) lose();
  }

  close(): void {
    this.drop();
    this.#server.close();
    this.#server.closeAllConnections();
  }

  async #carry(incoming: IncomingMessage, outgoing: ServerResponse): Promise<void> {
    const { method = 'GET', url = '/', headers } = incoming;
    const body = await bytesOf(incoming).catch(() => null);
    if (body === null) return;
    const passage = { method, path: url, retry: Number(headers['x-stainless-retry-count'] ?? 0) };
    const record = { ...passage, fate: this.#decide(passage), status: 0 };
    this.passages.push(record);
    const options = { hostname: this.#target.hostname, port: this.#target.port, path: url, method };
    const forwarded = ask({ ...options, headers: { ...headers, host: this.#target.host }, agent: false });
    forwarded.on('error', () => outgoing.destroy());
    forwarded.on('response', (reply) => {
      record.status = reply.statusCode ?? 0;
      reply.on('error', () => outgoing.destroy());
      void this.#reply(reply, outgoing, record.fate);
    });
    outgoing.on('close', () => forwarded.destroy());
    forwarded.end(body, () => {
      if (record.fate === 'abandon') outgoing.destroy();
    });
  }

  async #reply(reply: IncomingMessage, outgoing: ServerResponse, fate: Fate): Promise<void> {
    if (fate === 'pass' || typeof fate === 'number') {
      outgoing.writeHead(reply.statusCode ?? 502, reply.headers);
      outgoing.flushHeaders();
      if (fate === 'pass') reply.pipe(outgoing);
      else passUntil(reply, outgoing, fate);
      return;
    }
    const whole = await bytesOf(reply).catch(() => null);
    if (whole === null || fate === 'abandon') return;
    if (fate === 'silence') outgoing.destroy();
    else if (fate === 'head')
      outgoing.socket?.write('HTTP/1.1 200 OK\r\ncontent-ty', () => outgoing.destroy());
    else {
      this.#held.push(() => outgoing.destroy());
      this.#onHeld();
    }
  }
}

function passUntil(reply: IncomingMessage, outgoing: ServerResponse, bytes: number): void {
  let left = bytes;
  reply.on('data', (chunk: Buffer) => {
    if (left <= 0) return;
    const part = chunk.subarray(0, left);
    left -= part.length;
    outgoing.write(part, () => {
      if (left <= 0) outgoing.destroy();
    });
  });
  reply.on('end', () => {
    // Shorter than that: passed whole.
    if (left > 0) outgoing.end();
  });
}

async function bytesOf(message: IncomingMessage): Promise<Buffer> {
  const parts: Buffer[] = [];
  for await (const part of message) parts.push(part);
  return Buffer.concat(parts);
}

/** Numbers from 0 to 1 that a seed decides (mulberry32). */
export function chance(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
  };
}

export function pick<T>(random: () => number, from: readonly [T, ...T[]]): T {
  return from[Math.floor(random() * from.length)] ?? from[0];
}
