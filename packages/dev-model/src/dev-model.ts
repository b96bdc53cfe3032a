// The development model: a model provider on loopback that speaks OpenAI's and Anthropic's protocols and answers
// by rule. It reaches nothing, keeps nothing but counters, and refuses to listen beyond loopback.
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { Attempts } from './attempts.ts';
import { chatCompletions } from './chat-completions.ts';
import { deliverStream, deliverWhole, failureOf, pause, requestId } from './delivery.ts';
import { messages } from './messages.ts';
import { playFor } from './play.ts';
import type { Exchange, Protocol } from './protocol.ts';
import { responses } from './responses.ts';
import { Stats } from './stats.ts';
import { type Failure, RequestError } from './vendor-error.ts';

export interface DevModelOptions {
  /** 0 or nothing: a port the system chooses. */
  port?: number;
  /** A loopback address; 127.0.0.1 when left out. */
  host?: string;
}

export interface DevModel {
  port: number;
  url: string;
  /** Ends every connection and frees the port. */
  stop(): Promise<void>;
}

const LOOPBACK = new Set(['127.0.0.1', '::1', 'localhost']);
const MAX_BODY_BYTES = 32 * 1024 * 1024;
const PROTOCOLS: Protocol[] = [chatCompletions, responses, messages];
const MODEL = { id: 'capstan-dev', object: 'model', created: 1_700_000_000, owned_by: 'capstan' };

/** Starts the server. Rejects with the system's error when the port is taken, RangeError when the host is no loopback. */
export async function startDevModel({
  port = 0,
  host = '127.0.0.1',
}: DevModelOptions = {}): Promise<DevModel> {
  if (!LOOPBACK.has(host)) {
    throw new RangeError(
      `The development model listens on loopback only, not on "${host}"; use 127.0.0.1 or ::1.`,
    );
  }
  const stage: Stage = { stats: new Stats(), attempts: new Attempts() };
  const server = createServer({ keepAliveTimeout: 60_000 }, (request, response) => {
    answer(stage, request, response).catch((error: unknown) => {
      if (!response.headersSent)
        sendFailure(response, chatCompletions, { status: 500, message: String(error) });
      else response.destroy();
    });
  });
  await listen(server, port, host);
  const address = server.address();
  const bound = typeof address === 'object' && address !== null ? address.port : port;
  return {
    port: bound,
    url: `http://${host.includes(':') ? `[${host}]` : host}:${bound}`,
    stop: () => close(server),
  };
}

interface Stage {
  stats: Stats;
  attempts: Attempts;
}

function listen(server: Server, port: number, host: string): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen(port, host, () => {
      server.off('error', reject);
      resolve();
    });
  });
}

function close(server: Server): Promise<void> {
  return new Promise((resolve) => {
    server.close(() => resolve());
    server.closeAllConnections();
  });
}

async function answer(stage: Stage, request: IncomingMessage, response: ServerResponse): Promise<void> {
  const path = (request.url ?? '/').split('?')[0] ?? '/';
  const protocol = PROTOCOLS.find((known) => known.path === path);
  if (protocol !== undefined && request.method === 'POST')
    return answerModel(stage, protocol, { request, response });
  const route = `${request.method} ${path}`;
  request.resume();
  if (route === 'GET /health') return sendJson(response, 200, { status: 'ok' });
  if (route === 'GET /stats') return sendJson(response, 200, stage.stats.report());
  if (route === 'POST /stats/reset') {
    stage.stats.reset();
    stage.attempts.forget();
    return sendJson(response, 200, stage.stats.report());
  }
  if (route === 'GET /v1/models') return sendJson(response, 200, modelList(request));
  const status = protocol === undefined ? 404 : 405;
  const message = `No route ${route}. The development model answers POST ${PROTOCOLS.map((p) => p.path).join(', ')} and GET /v1/models, /stats, /health.`;
  const vendor = request.headers['anthropic-version'] === undefined ? chatCompletions : messages;
  sendFailure(response, vendor, { status, message, code: 'unknown_url' });
}

/** Both vendors list their models at the same address; the version header tells who is asking. */
function modelList(request: IncomingMessage): unknown {
  if (request.headers['anthropic-version'] === undefined) return { object: 'list', data: [MODEL] };
  const { id } = MODEL;
  const created_at = new Date(MODEL.created * 1000).toISOString();
  const data = [{ type: 'model', id, display_name: 'Capstan development model', created_at }];
  return { data, has_more: false, first_id: id, last_id: id };
}

interface Call {
  request: IncomingMessage;
  response: ServerResponse;
}

async function answerModel(stage: Stage, protocol: Protocol, call: Call): Promise<void> {
  const { request, response } = call;
  const outcome = { streamed: false, failed: false, broken: false };
  stage.stats.begin(protocol.name);
  response.once('close', () => {
    outcome.failed = response.statusCode >= 400;
    outcome.broken = !response.writableFinished;
    stage.stats.end(protocol.name, outcome);
  });
  response.setHeader(protocol.requestIdHeader, requestId());
  response.socket?.setNoDelay(true);
  try {
    const exchange = protocol.read(await readJson(request), request.headers);
    outcome.streamed = exchange.stream;
    await perform(stage, exchange, response);
  } catch (error) {
    if (!(error instanceof RequestError)) throw error;
    sendFailure(response, protocol, error.failure);
  }
}

async function perform(stage: Stage, exchange: Exchange, response: ServerResponse): Promise<void> {
  const play = playFor(exchange.conversation, exchange.caching);
  const faults = stage.attempts.due(exchange.conversation, play.faults);
  const [fault] = faults;
  await pause(response, play.pace.ttftMs);
  if (response.destroyed) return;
  const midStream = exchange.stream && fault?.afterPieces !== null;
  if (fault?.kind === 'hang' && !midStream) return;
  if (fault?.kind === 'fail' && !midStream) throw new RequestError(failureOf(fault));
  const due = { ...play, faults };
  await (exchange.stream ? deliverStream(response, exchange, due) : deliverWhole(response, exchange, due));
}

async function readJson(request: IncomingMessage): Promise<unknown> {
  const pieces: Buffer[] = [];
  let size = 0;
  // Read to its end also where it is too long: a client that still sends may not hear the answer before it has sent all.
  for await (const piece of request) {
    size += piece.length;
    if (size <= MAX_BODY_BYTES) pieces.push(piece);
    else pieces.length = 0;
  }
  if (size > MAX_BODY_BYTES) {
    throw new RequestError({ status: 413, message: `The request body is over ${MAX_BODY_BYTES} bytes.` });
  }
  try {
    return JSON.parse(Buffer.concat(pieces).toString('utf8'));
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    throw new RequestError({ status: 400, message: `The request body is not valid JSON: ${why}` });
  }
}

function sendJson(response: ServerResponse, status: number, body: unknown): void {
  const text = JSON.stringify(body);
  response.writeHead(status, {
    'content-type': 'application/json',
    'content-length': Buffer.byteLength(text),
  });
  response.end(text);
}

function sendFailure(response: ServerResponse, protocol: Protocol, failure: Failure): void {
  const id = String(response.getHeader(protocol.requestIdHeader) ?? requestId());
  response.setHeader(protocol.requestIdHeader, id);
  if (failure.retryAfterSeconds !== undefined) response.setHeader('retry-after', failure.retryAfterSeconds);
  sendJson(response, failure.status, protocol.failureBody(failure, id));
}
