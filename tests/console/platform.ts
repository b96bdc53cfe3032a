// The routes the Console uses, over memory, with the Console's files under the strictest policy it must live with.
// Everything it answers has passed the schema, so a page that works here works with what the schema promises.
import { readFile } from 'node:fs/promises';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { extname, join, normalize } from 'node:path';
import { type Agent, agent, type CreateAgent, createAgent } from '../../packages/schema/src/agents.ts';
import { consoleRoutes, type ModelNotice } from '../../packages/schema/src/console-login.ts';
import {
  eventRoutes,
  type SessionEvent,
  type StreamEvent,
  streamEvent,
} from '../../packages/schema/src/events.ts';
import type { Isolation } from '../../packages/schema/src/isolation.ts';
import { createSession, type Session, sessionRoutes } from '../../packages/schema/src/sessions.ts';
import { type Draft, makeAgent, makeEvent, makeId, makeSession } from './seeds.ts';

const MODEL_MESSAGE =
  'The development model answers for every model id: no provider key is set. For a real model set ANTHROPIC_API_KEY or OPENAI_API_KEY in .dev.vars and start again.';
export const API_KEY = 'cap_live_4f1c9a0b7d23';
/** The headers of the platform's own pages. */
const HEADERS = {
  'content-security-policy':
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; font-src 'self'; connect-src 'self'; manifest-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'",
  'x-content-type-options': 'nosniff',
  'referrer-policy': 'no-referrer',
  'cross-origin-opener-policy': 'same-origin',
  'cross-origin-resource-policy': 'same-origin',
};
const TYPES: Record<string, string> = {
  '.html': 'text/html; charset=utf-8',
  '.js': 'text/javascript',
  '.css': 'text/css',
  '.svg': 'image/svg+xml',
};

interface Live {
  session: Session;
  events: SessionEvent[];
  streams: Set<ServerResponse>;
}

export class FakePlatform {
  origin = '';
  isolation: Isolation | null = 'container';
  model: ModelNotice = { provider: 'dev', message: MODEL_MESSAGE };
  agents: Agent[] = [];
  /** What agents were asked for. */
  readonly asked: CreateAgent[] = [];
  sessions: Live[] = [];
  /** Events clients sent, in order. */
  sent: SessionEvent[] = [];
  codes = new Set<string>();
  cookie: string | null = null;
  /** Streams opened so far, with the sequence each resumed after. */
  opened: (string | null)[] = [];
  /** Answers this to the next send instead of accepting it. */
  refuseSend: { status: number; message: string } | null = null;
  /** Accepts the next send, but breaks the line before it answers. */
  breakSend = false;
  offline = false;
  #dist: string;
  #server = createServer((request, response) => void this.#answer(request, response));

  constructor(dist: string) {
    this.#dist = dist;
  }

  async listen(): Promise<void> {
    await new Promise<void>((resolve) => this.#server.listen(0, '127.0.0.1', resolve));
    const address = this.#server.address();
    if (address === null || typeof address === 'string') throw new Error('no port');
    this.origin = `http://127.0.0.1:${address.port}`;
  }

  async close(): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
  }

  addSession(session: Session, drafts: Draft[] = []): Live {
    const live = { session, events: drafts.map(makeEvent), streams: new Set<ServerResponse>() };
    this.sessions.unshift(live);
    return live;
  }

  /** Logs events and tells every stream. */
  emit(live: Live, ...drafts: Draft[]): SessionEvent[] {
    return drafts.map((draft) => {
      const event = makeEvent(draft);
      live.events.push(event);
      this.#tell(live, event, live.events.length);
      if (event.type === 'session.status_running') live.session.status = 'running';
      if (event.type === 'session.status_idle') live.session.status = 'idle';
      return event;
    });
  }

  /** Tells streams of a preview, which is never logged. */
  preview(live: Live, frame: StreamEvent): void {
    this.#tell(live, frame, null);
  }

  cutStreams(live: Live): void {
    for (const stream of live.streams) stream.destroy();
    live.streams.clear();
  }

  #tell(live: Live, frame: StreamEvent, sequence: number | null): void {
    for (const stream of live.streams) stream.write(toFrame(frame, sequence));
  }

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    for (const [name, value] of Object.entries(HEADERS)) response.setHeader(name, value);
    const url = new URL(request.url ?? '/', this.origin);
    if (this.offline) return void response.destroy();
    try {
      if (request.method === 'POST' && request.headers.origin !== this.origin) {
        return refuse(response, 403, 'origin: missing or foreign');
      }
      if (url.pathname.startsWith('/api/')) return await this.#answerConsole(request, response, url);
      if (url.pathname.startsWith('/v1/')) return await this.#answerApi(request, response, url);
      await this.#answerFile(response, url.pathname);
    } catch (error) {
      refuse(response, 500, error instanceof Error ? error.message : String(error));
    }
  }

  async #answerFile(response: ServerResponse, path: string): Promise<void> {
    const file = normalize(path).slice(1) || 'index.html';
    const found = await readFile(join(this.#dist, file)).catch(() => null);
    const body = found ?? (await readFile(join(this.#dist, 'index.html')));
    response.setHeader('content-type', TYPES[found === null ? '.html' : extname(file)] ?? 'text/plain');
    response.end(body);
  }

  async #answerConsole(request: IncomingMessage, response: ServerResponse, url: URL): Promise<void> {
    const principal = {
      tenant_id: 'tnt_01k000000000000000000001',
      api_key: { id: 'key_01k000000000000000000001', name: 'First key', last_four: '7d23' },
    };
    if (url.pathname === '/api/login') {
      const body = consoleRoutes.login.body.parse(await read(request));
      const good = 'code' in body ? this.codes.delete(body.code) : body.api_key === API_KEY;
      if (!good) return refuse(response, 401, 'invalid x-api-key');
      this.cookie = makeId('cookie');
      response.setHeader('set-cookie', `capstan=${this.cookie}; HttpOnly; SameSite=Strict; Path=/`);
      return send(response, consoleRoutes.login.response.parse(principal));
    }
    if (url.pathname === '/api/logout') {
      this.cookie = null;
      response.setHeader('set-cookie', 'capstan=; HttpOnly; Path=/; Max-Age=0');
      return send(response, { ok: true });
    }
    if (!this.#knows(request)) return refuse(response, 401, 'authentication required');
    send(
      response,
      consoleRoutes.me.response.parse({
        ...principal,
        model: this.model,
        sandbox_isolation: this.isolation,
        version: '0.1.0',
      }),
    );
  }

  async #answerApi(request: IncomingMessage, response: ServerResponse, url: URL): Promise<void> {
    if (!this.#knows(request)) return refuse(response, 401, 'authentication required');
    const [, , noun, id, part, tail] = url.pathname.split('/');
    const post = request.method === 'POST';
    if (noun === 'agents' && post) return this.#createAgent(request, response);
    if (noun === 'agents')
      return send(response, { data: this.agents.map((a) => agent.parse(a)), next_page: null });
    if (id === undefined)
      return post ? this.#createSession(request, response) : this.#listSessions(response, url);
    const live = this.sessions.find(({ session }) => session.id === id);
    if (live === undefined) return refuse(response, 404, `session ${id} was not found`);
    if (part === undefined) return send(response, sessionRoutes.retrieve.response.parse(live.session));
    if (tail === 'stream') return this.#stream(live, request, response);
    if (post) return this.#accept(live, request, response);
    this.#listEvents(live, response, url);
  }

  #knows(request: IncomingMessage): boolean {
    return this.cookie !== null && (request.headers.cookie ?? '').includes(`capstan=${this.cookie}`);
  }

  async #createAgent(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const body = createAgent.parse(await read(request));
    this.asked.push(body);
    const model = typeof body.model === 'string' ? body.model : body.model.id;
    const made = makeAgent(body.name, { model, system: body.system ?? null });
    this.agents.unshift(made);
    send(response, made);
  }

  async #createSession(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const body = createSession.parse(await read(request));
    const of = this.agents.find(({ id }) => id === body.agent);
    if (of === undefined) return refuse(response, 404, 'agent was not found');
    send(response, this.addSession(makeSession(of, { title: body.title ?? null })).session);
  }

  #listSessions(response: ServerResponse, url: URL): void {
    const limit = Number(url.searchParams.get('limit') ?? 20);
    const from = Number(url.searchParams.get('page') ?? 0);
    const data = this.sessions.slice(from, from + limit).map(({ session }) => session);
    const next = from + limit < this.sessions.length ? String(from + limit) : null;
    send(response, sessionRoutes.list.response.parse({ data, next_page: next, prev_page: null }));
  }

  #listEvents(live: Live, response: ServerResponse, url: URL): void {
    const query = Object.fromEntries([...url.searchParams].filter(([name]) => !name.endsWith('[]')));
    const { limit, order, page } = eventRoutes.list.query.parse(query);
    const all = order === 'desc' ? live.events.toReversed() : live.events;
    const from = Number(page ?? 0);
    const next = from + limit < all.length ? String(from + limit) : null;
    send(response, eventRoutes.list.response.parse({ data: all.slice(from, from + limit), next_page: next }));
  }

  async #accept(live: Live, request: IncomingMessage, response: ServerResponse): Promise<void> {
    const body = eventRoutes.send.body.parse(await read(request));
    if (this.refuseSend !== null) {
      const { status, message } = this.refuseSend;
      this.refuseSend = null;
      return refuse(response, status, message);
    }
    const drafts = body.events.map((event) => (event.type === 'user.define_outcome' ? null : event));
    const data = this.emit(live, ...drafts.filter((event) => event !== null));
    this.sent.push(...data);
    if (this.breakSend) {
      this.breakSend = false;
      // Not before the first byte: a browser repeats a request whose reused connection gave nothing.
      response.writeHead(200, { 'content-type': 'application/json' });
      return void response.write('{', () => response.destroy());
    }
    send(response, { data });
  }

  #stream(live: Live, request: IncomingMessage, response: ServerResponse): void {
    const after = request.headers['last-event-id'];
    const resumed = typeof after === 'string' ? after : null;
    this.opened.push(resumed);
    response.writeHead(200, { 'content-type': 'text/event-stream', 'cache-control': 'no-store' });
    response.write(': open\n\n');
    if (resumed !== null) {
      for (const [index, event] of live.events.entries()) {
        if (index + 1 > Number(resumed)) response.write(toFrame(event, index + 1));
      }
    }
    live.streams.add(response);
    response.on('close', () => live.streams.delete(response));
  }
}

function toFrame(frame: StreamEvent, sequence: number | null): string {
  const id = sequence === null ? '' : `id: ${sequence}\n`;
  return `event: ${frame.type}\n${id}data: ${JSON.stringify(streamEvent.parse(frame))}\n\n`;
}

async function read(request: IncomingMessage): Promise<unknown> {
  let body = '';
  for await (const chunk of request) body += chunk;
  return JSON.parse(body);
}

function send(response: ServerResponse, body: unknown): void {
  response.setHeader('content-type', 'application/json');
  response.end(JSON.stringify(body));
}

function refuse(response: ServerResponse, status: number, message: string): void {
  const type =
    status === 401 ? 'authentication_error' : status === 404 ? 'not_found_error' : 'invalid_request_error';
  response.writeHead(status, { 'content-type': 'application/json', 'request-id': 'req_test' });
  response.end(JSON.stringify({ type: 'error', error: { type, message }, request_id: 'req_test' }));
}
