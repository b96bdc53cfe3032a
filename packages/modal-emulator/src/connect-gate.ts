// HTTP and WebSocket from this machine to the servers of one sandbox, for who has a connect token of it. It listens once
// a token has been asked for, on an origin of its own.
// 1. Every request is checked, also the second of a connection, and no token reaches the sandbox. 2. Bodies stream, no
// faster than they are taken. 3. `close` ends every connection and every token.
import {
  createServer,
  type IncomingMessage,
  request as open,
  type Server,
  type ServerResponse,
  STATUS_CODES,
} from 'node:http';
import { Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { type Admission, admit, type ConnectTokens, createConnectTokens, pairs } from './connect-token.ts';
import { LOOPBACK } from './network-policy.ts';
import { abort, relay } from './relay.ts';

const MAX_CONNECTIONS = 256;
const USER_DATA_HEADER = 'X-Verified-User-Data';
const UNAUTHORIZED = 'The connect token is missing, or is none of this sandbox.';
/** Meant for the next program on the way, not for the one at its end. */
const HOP_BY_HOP = new Set([
  'connection',
  'keep-alive',
  'proxy-authorization',
  'proxy-connection',
  'te',
  'upgrade',
]);

export interface ConnectCredentials {
  url: string;
  token: string;
}

/** A connection to a port of the sandbox. Rejects with an Error that says why there is none. */
export type Dial = (port: number) => Promise<Socket>;

export class ConnectGate {
  readonly #dial: Dial;
  readonly #tokens: ConnectTokens = createConnectTokens();
  readonly #upgraded = new Set<Socket>();
  #listening: Promise<{ server: Server; url: string }> | undefined;
  #closed = false;

  constructor(dial: Dial) {
    this.#dial = dial;
  }

  async credentials(port: number, userData: string): Promise<ConnectCredentials> {
    this.#listening ??= this.#listen();
    const { url } = await this.#listening;
    return { url, token: this.#tokens.sign({ port, userData }) };
  }

  close(): void {
    this.#closed = true;
    for (const socket of this.#upgraded) abort(socket);
    this.#listening?.then(
      ({ server }) => shut(server),
      () => {},
    );
  }

  #listen(): Promise<{ server: Server; url: string }> {
    const server = createServer(
      { requestTimeout: 0, shouldUpgradeCallback: isWebSocket },
      (request, response) => void this.#pass(request, response),
    );
    server.maxConnections = MAX_CONNECTIONS;
    server.on('upgrade', (request, socket: Duplex, head) => {
      // Node hands over what it accepted; only the type is wider.
      if (socket instanceof Socket) void this.#upgrade(request, { socket, head });
      else socket.destroy();
    });
    return new Promise((resolve, reject) => {
      server.once('error', (cause) => {
        this.#listening = undefined;
        reject(cause);
      });
      server.listen(0, LOOPBACK, () => {
        if (this.#closed) shut(server);
        const address = server.address();
        const port = typeof address === 'object' ? address?.port : undefined;
        resolve({ server, url: `http://${LOOPBACK}:${port}` });
      });
    });
  }

  async #pass(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const admission = admit(this.#tokens, request);
    if (admission === undefined) {
      refuse(response, 401, UNAUTHORIZED);
      return;
    }
    const socket = await this.#dial(admission.port).catch((cause: unknown) => {
      refuse(response, 502, reason(cause));
    });
    if (!socket) return;
    if (response.destroyed) {
      socket.destroy();
      return;
    }
    const upstream = open({
      createConnection: () => socket,
      method: request.method,
      path: admission.target,
      headers: [...forwarded(admission), 'Connection', 'close'],
    });
    upstream.on('response', (answer) => {
      response.writeHead(answer.statusCode ?? 502, answer.statusMessage, withoutHops(answer.rawHeaders));
      response.flushHeaders();
      answer.pipe(response);
      answer.once('error', () => response.destroy());
    });
    upstream.once('error', (cause) => {
      if (response.headersSent) response.destroy();
      else refuse(response, 502, `The server in the sandbox did not answer: ${cause.message}.`);
    });
    response.once('close', () => upstream.destroy());
    request.pipe(upstream);
  }

  async #upgrade(
    request: IncomingMessage,
    { socket, head }: { socket: Socket; head: Buffer },
  ): Promise<void> {
    this.#upgraded.add(socket);
    socket.once('close', () => this.#upgraded.delete(socket));
    socket.on('error', () => {});
    const admission = admit(this.#tokens, request);
    if (admission === undefined) {
      end(socket, 401, UNAUTHORIZED);
      return;
    }
    const inner = await this.#dial(admission.port).catch((cause: unknown) => {
      end(socket, 502, reason(cause));
    });
    if (!inner) return;
    const upstream = open({
      createConnection: () => inner,
      method: request.method,
      path: admission.target,
      headers: [...forwarded(admission), 'Connection', 'Upgrade', 'Upgrade', 'websocket'],
    });
    upstream.on('upgrade', (answer, far: Socket, farHead) => {
      socket.write(statusLine(answer, answer.rawHeaders));
      far.unshift(farHead);
      socket.unshift(head);
      relay(socket, far);
    });
    upstream.on('response', (answer) => {
      socket.write(statusLine(answer, [...withoutHops(answer.rawHeaders), 'Connection', 'close']));
      answer.pipe(socket);
    });
    upstream.once('error', (cause) =>
      end(socket, 502, `The server in the sandbox did not answer: ${cause.message}.`),
    );
    socket.once('close', () => upstream.destroy());
    upstream.end();
  }
}

function isWebSocket({ headers }: IncomingMessage): boolean {
  return headers.upgrade?.toLowerCase() === 'websocket';
}

/** What the sandbox's server gets: nothing of the hop before, and no user data but what the token vouches for. */
function forwarded({ headers, userData }: Admission): string[] {
  const listed = connectionOptions(headers);
  const own = USER_DATA_HEADER.toLowerCase();
  const kept = pairs(headers).filter(([name]) => {
    const lower = name.toLowerCase();
    return !HOP_BY_HOP.has(lower) && !listed.has(lower) && lower !== own;
  });
  return [...kept.flat(), ...(userData === '' ? [] : [USER_DATA_HEADER, userData])];
}

/** How the body is framed is decided anew for each hop. */
function withoutHops(rawHeaders: readonly string[]): string[] {
  const listed = connectionOptions(rawHeaders);
  return pairs(rawHeaders)
    .filter(([name]) => {
      const lower = name.toLowerCase();
      return !HOP_BY_HOP.has(lower) && !listed.has(lower) && lower !== 'transfer-encoding';
    })
    .flat();
}

function connectionOptions(rawHeaders: readonly string[]): Set<string> {
  const values = pairs(rawHeaders).filter(([name]) => name.toLowerCase() === 'connection');
  return new Set(values.flatMap(([, value]) => value.toLowerCase().split(/\s*,\s*/)));
}

function statusLine(answer: IncomingMessage, headers: readonly string[]): string {
  const lines = pairs(headers).map(([name, value]) => `${name}: ${value}\r\n`);
  return `HTTP/1.1 ${answer.statusCode} ${answer.statusMessage}\r\n${lines.join('')}\r\n`;
}

function refuse(response: ServerResponse, status: number, why: string): void {
  response.writeHead(status, { 'content-type': 'text/plain; charset=utf-8', connection: 'close' });
  response.end(`${why}\n`);
}

function end(socket: Socket, status: number, why: string): void {
  const body = `${why}\n`;
  const headers = `Content-Type: text/plain; charset=utf-8\r\nContent-Length: ${Buffer.byteLength(body)}\r\nConnection: close\r\n`;
  socket.end(`HTTP/1.1 ${status} ${STATUS_CODES[status]}\r\n${headers}\r\n${body}`);
}

function reason(cause: unknown): string {
  return cause instanceof Error ? cause.message : String(cause);
}

function shut(server: Server): void {
  server.close();
  server.closeAllConnections();
}
