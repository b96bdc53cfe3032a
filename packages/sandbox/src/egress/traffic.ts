// Traffic: what the proxy does with each request, WebSocket and tunnel of a sandbox, from who asks to the last byte.
import { once } from 'node:events';
import { type IncomingMessage, type Server, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import { parseAuthority, type Target } from '@capstan/shared/hosts';
import type { Logger } from '@capstan/shared/logger';
import type { Authority } from './authority.ts';
import type { Connections } from './connections.ts';
import { answerOf, type DenialLog, type DenialReport, EgressRefusal } from './denial.ts';
import { type DialPorts, dial, dialTls } from './dial.ts';
import { exchange } from './exchange.ts';
import { isAmbiguous, pairsOf, valuesOf } from './headers.ts';
import type { Identities } from './identity.ts';
import { endTls } from './interception.ts';
import { type Channel, type CompiledCredential, type CompiledPolicy, judge } from './policy.ts';
import type { PolicyStore } from './policy-store.ts';
import { createScrubber, type Scrubber } from './scrubber.ts';
import { tunnel } from './tunnel.ts';

export interface TrafficPorts {
  server: Server;
  identities: Identities;
  /** By the secret they are derived from, the current one first. */
  authorities: readonly Authority[];
  store: PolicyStore;
  connections: Connections;
  denials: DenialLog;
  dial: DialPorts;
  log: Logger;
  /** For a TLS handshake, as for the headers of a request. */
  headersMs: number;
  /** A connection on which nothing moves for this long is ended. */
  idleMs: number;
}

/** TLS that was ended here, and for whom. */
interface Interior {
  sandbox: string;
  target: Target;
}

interface Passing extends Interior {
  policy: CompiledPolicy;
  credentials: readonly CompiledCredential[];
}

const ESTABLISHED = 'HTTP/1.1 200 Connection established\r\n\r\n';

export class Traffic {
  readonly #ports: TrafficPorts;
  readonly #interiors = new WeakMap<Socket, Interior>();
  /** Answers under way on a socket: what is pipelined behind them must not become a tunnel. */
  readonly #answering = new WeakMap<Socket, number>();

  readonly #scrubbers = new WeakMap<CompiledPolicy, Scrubber>();
  /** Answers that gave their socket to a tunnel. */
  readonly #detached = new WeakSet<ServerResponse>();

  constructor(ports: TrafficPorts) {
    this.#ports = ports;
  }

  /** Whether a new connection is one of our own making. */
  isInterior(socket: Socket): boolean {
    return this.#interiors.has(socket);
  }

  async request(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { socket } = request;
    this.#answering.set(socket, (this.#answering.get(socket) ?? 0) + 1);
    response.once('close', () => this.#answering.set(socket, (this.#answering.get(socket) ?? 1) - 1));
    await this.#forward(request, response, false);
  }

  async upgrade(request: IncomingMessage, head: Buffer): Promise<void> {
    const response = this.#takeOver(request, head);
    if (response) await this.#forward(request, response, true);
  }

  async connect(request: IncomingMessage, head: Buffer): Promise<void> {
    const response = this.#takeOver(request, head);
    if (!response) return;
    const report: DenialReport = { sandbox: null, target: null };
    try {
      const passing = await this.#connectable(request, report);
      const { sandbox, target, credentials } = passing;
      const channel: Channel = 'tunnel';
      const passage = {
        target,
        channel,
        intercepted: credentials.length > 0,
        cut: () => request.socket.destroy(),
      };
      const leave = this.#ports.connections.enter(sandbox, passage);
      try {
        if (credentials.length > 0) await this.#intercept(request, response, passing);
        else await this.#tunnel(request, response, passing);
      } finally {
        leave();
      }
    } catch (error) {
      this.#refuse(request, response, { error, report });
    }
  }

  async #forward(request: IncomingMessage, response: ServerResponse, upgrade: boolean): Promise<void> {
    const report: DenialReport = { sandbox: null, target: null };
    try {
      if (isAmbiguous(pairsOf(request))) throw new EgressRefusal('bad_framing');
      const interior = this.#interiors.get(request.socket);
      const { passing, path } = interior
        ? await this.#inside(request, interior, report)
        : await this.#outside(request, report);
      await this.#exchange(request, response, { passing, path, upgrade, secure: interior !== undefined });
    } catch (error) {
      this.#refuse(request, response, { error, report });
    }
  }

  async #exchange(
    request: IncomingMessage,
    response: ServerResponse,
    { passing, path, upgrade, secure }: { passing: Passing; path: string; upgrade: boolean; secure: boolean },
  ): Promise<void> {
    const { sandbox, target, policy, credentials } = passing;
    const { dial: dialPorts, connections, idleMs, log } = this.#ports;
    const channel: Channel = secure ? 'tunnel' : 'plain';
    const passage = { target, channel, intercepted: secure, cut: () => request.socket.destroy() };
    const leave = connections.enter(sandbox, passage);
    const abandoned = new AbortController();
    response.once('close', () => abandoned.abort());
    try {
      const host = await (secure ? dialTls : dial)(dialPorts, target, abandoned.signal);
      host.setTimeout(idleMs, () => host.destroy());
      await exchange(host, {
        ...{ request, response, target, path, credentials, upgrade },
        scrubber: credentials.length > 0 ? this.#scrubberOf(policy) : null,
        defaultPort: secure ? 443 : 80,
        onAnswer: (used, status) => {
          for (const credential of used)
            log.info('egress.credential_used', { sandbox, credential, host: target.host.text, status });
        },
      });
    } finally {
      leave();
    }
  }

  async #tunnel(request: IncomingMessage, response: ServerResponse, passing: Passing): Promise<void> {
    const { socket } = request;
    const abandoned = new AbortController();
    socket.once('close', () => abandoned.abort());
    const host = await dial(this.#ports.dial, passing.target, abandoned.signal);
    for (const end of [socket, host]) end.setTimeout(this.#ports.idleMs, () => end.destroy());
    this.#establish(response, socket);
    try {
      await tunnel(socket, host, passing);
    } finally {
      host.destroySoon();
    }
  }

  async #intercept(request: IncomingMessage, response: ServerResponse, passing: Passing): Promise<void> {
    const { socket } = request;
    const authority = this.#ports.authorities[this.#identify(request).secretIndex];
    if (authority === undefined) throw new EgressRefusal('unidentified');
    this.#establish(response, socket);
    const secure = await endTls(socket, {
      target: passing.target,
      authority,
      withinMs: this.#ports.headersMs,
    });
    this.#interiors.set(secure, { sandbox: passing.sandbox, target: passing.target });
    const closed = once(secure, 'close');
    this.#ports.server.emit('connection', secure);
    await closed;
  }

  /** All secrets of the sandbox, whichever host echoes them; made once for each policy. */
  #scrubberOf(policy: CompiledPolicy): Scrubber {
    const known = this.#scrubbers.get(policy);
    if (known !== undefined) return known;
    const scrubber = createScrubber(policy.credentials.map(({ secret }) => secret));
    this.#scrubbers.set(policy, scrubber);
    return scrubber;
  }

  #establish(response: ServerResponse, socket: Socket): void {
    this.#detached.add(response);
    response.detachSocket(socket);
    socket.write(ESTABLISHED);
  }

  /** A request in the clear: `http://host/path`. */
  async #outside(
    request: IncomingMessage,
    report: DenialReport,
  ): Promise<{ passing: Passing; path: string }> {
    const sandbox = this.#admit(request, report);
    const [, authority = '', path = ''] = /^http:\/\/([^/?#]*)([/?][^#]*)?$/i.exec(request.url ?? '') ?? [];
    const target = parseAuthority(authority, 80);
    if (target === null) throw new EgressRefusal('bad_target');
    report.target = target;
    assertOneHost(request, target, 80);
    const passing = await this.#judged({ sandbox, target }, 'plain');
    return { passing, path: path.startsWith('/') ? path : `/${path}` };
  }

  /** A request within TLS that we ended: `/path`, with the host it was opened for. */
  async #inside(
    request: IncomingMessage,
    interior: Interior,
    report: DenialReport,
  ): Promise<{ passing: Passing; path: string }> {
    report.sandbox = interior.sandbox;
    report.target = interior.target;
    const path = request.url ?? '';
    if (!path.startsWith('/')) throw new EgressRefusal(path === '*' ? 'method_not_allowed' : 'bad_target');
    assertOneHost(request, interior.target, 443);
    return { passing: await this.#judged(interior, 'tunnel'), path };
  }

  async #connectable(request: IncomingMessage, report: DenialReport): Promise<Passing> {
    if (this.#interiors.has(request.socket)) throw new EgressRefusal('method_not_allowed');
    const sandbox = this.#admit(request, report);
    const target = parseAuthority(request.url ?? '');
    if (target === null) throw new EgressRefusal('bad_target');
    report.target = target;
    return await this.#judged({ sandbox, target }, 'tunnel');
  }

  async #judged({ sandbox, target }: Interior, channel: Channel): Promise<Passing> {
    const policy = await this.#ports.store.get(sandbox);
    if (policy === null) throw new EgressRefusal('policy_unknown');
    const verdict = judge(policy, target, channel);
    if (!verdict.allowed) throw new EgressRefusal(verdict.reason);
    return { sandbox, target, policy, credentials: verdict.credentials };
  }

  #admit(request: IncomingMessage, report: DenialReport): string {
    const { sandbox } = this.#identify(request);
    report.sandbox = sandbox;
    if (!this.#ports.connections.admit(request.socket, sandbox))
      throw new EgressRefusal('too_many_connections');
    return sandbox;
  }

  #identify({ headers }: IncomingMessage) {
    const identity = this.#ports.identities.identify(headers['proxy-authorization']);
    if (identity === null) throw new EgressRefusal('unidentified');
    return identity;
  }

  /** A socket that Node no longer reads requests from, and a way to answer on it; null when answers are under way there. */
  #takeOver(request: IncomingMessage, head: Buffer): ServerResponse | null {
    const { socket } = request;
    socket.on('error', () => {});
    if ((this.#answering.get(socket) ?? 0) > 0) {
      socket.destroy();
      return null;
    }
    if (head.length > 0) socket.unshift(head);
    const response = new ServerResponse(request);
    response.shouldKeepAlive = false;
    response.assignSocket(socket);
    response.once('finish', () => socket.destroySoon());
    return response;
  }

  #refuse(
    request: IncomingMessage,
    response: ServerResponse,
    { error, report }: { error: unknown; report: DenialReport },
  ): void {
    const refusal = error instanceof EgressRefusal ? error : null;
    // A client that left, or a host that broke off its answer: the client sees as much.
    const detached = this.#detached.has(response);
    if (response.headersSent || response.destroyed || detached) {
      if (refusal && detached) this.#ports.denials.tell(report, refusal.reason);
      request.socket.destroySoon();
      return;
    }
    if (refusal === null) this.#ports.log.error('egress.failed', { sandbox: report.sandbox }, error);
    const told = refusal ?? new EgressRefusal('upstream_failed');
    this.#ports.denials.tell(report, told.reason);
    const answer = answerOf(told, report.target);
    // What is left of a refused body is read and dropped, so that the answer is not lost with the connection.
    const closing = !request.complete || told.reason === 'unidentified';
    request.resume();
    const headers = closing ? [...answer.headers, ['Connection', 'close']] : answer.headers;
    response.writeHead(answer.status, answer.statusText, headers.flat());
    response.end(answer.body);
  }
}

/** The Host header, the server that TLS was ended for and the target of an absolute URL are one and the same. */
function assertOneHost(request: IncomingMessage, target: Target, defaultPort: number): void {
  if (request.method === 'TRACE') throw new EgressRefusal('method_not_allowed');
  const [named] = valuesOf(pairsOf(request), 'host');
  if (named === undefined) return;
  const host = parseAuthority(named, defaultPort);
  if (host?.host.text !== target.host.text || host.port !== target.port)
    throw new EgressRefusal('host_mismatch');
}
