// The gateway: the Sandboxes port over HTTP. POST /v1/<operation> carries one signed call, GET /health asks Modal.
//  1. Nothing but /health happens without a valid signature, and the body is read only up to its limit.
//  2. It holds no state that matters: killed at any moment, its successor goes on with the same runs.
//  3. Nothing that a predecessor accepted is accepted again (shared/hmac says for which clocks).
//  4. A stop answers whoever waits: waits that are safe to repeat at once, the rest when its time is over.
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { isOperation } from '@capstan/sandbox/arguments';
import { isSandboxError, SANDBOX_ERRORS, SandboxError } from '@capstan/sandbox/error';
import { decodeFrame, frameParts } from '@capstan/sandbox/frame';
import type { Sandboxes } from '@capstan/sandbox/port';
import { type Refusal, type Verifier, verifiersBy } from '@capstan/shared/hmac';
import type { Logger } from '@capstan/shared/logger';
import { type Bodies, createBodies } from './bodies.ts';
import { perform } from './calls.ts';
import { nodeHashing } from './hashing.ts';

/** Waits of these are asked again without harm. */
const REPEATABLE: ReadonlySet<string> = new Set(['startRun', 'readRun']);
/** How long answers to calls that are cut may take to leave. */
const FAREWELL_MS = 1_000;

export interface GatewayPorts {
  sandboxes: Sandboxes;
  /** The current secret first. */
  secrets: readonly string[];
  log: Logger;
}

export interface Gateway {
  /** Does not listen yet. */
  server: Server;
  /** Takes no more calls, gives those under way `drainMs`, and resolves when every connection is closed. */
  stop(drainMs: number): Promise<void>;
}

interface World extends GatewayPorts {
  verifier: Verifier;
  bodies: Bodies;
  /** Aborted when it begins to stop, and when its time is over. */
  stopping: AbortController;
  over: AbortController;
}

interface Exchange {
  request: IncomingMessage;
  response: ServerResponse;
}

/** Throws RangeError when a secret is too short. */
export function createGateway(ports: GatewayPorts): Gateway {
  const world: World = {
    ...ports,
    verifier: verifiersBy(nodeHashing)(ports.secrets, Date.now, Date.now()),
    bodies: createBodies(),
    stopping: new AbortController(),
    over: new AbortController(),
  };
  const server = createServer((request, response) => {
    void answer(world, { request, response });
  });
  // Callers wait for runs, so answers may take their time; requests may not.
  server.requestTimeout = 60_000;
  server.keepAliveTimeout = 120_000;
  return { server, stop: (drainMs) => stop(world, server, drainMs) };
}

function stop(world: World, server: Server, drainMs: number): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  server.close(() => resolve());
  world.stopping.abort(stopped());
  server.closeIdleConnections();
  setTimeout(() => {
    world.over.abort(stopped());
    setTimeout(() => server.closeAllConnections(), FAREWELL_MS).unref();
  }, drainMs).unref();
  return promise;
}

function stopped(): SandboxError {
  return new SandboxError('unavailable', 'The gateway is stopping: ask again');
}

async function answer(world: World, exchange: Exchange): Promise<void> {
  const { request, response } = exchange;
  const { log, sandboxes } = world;
  const startedAt = performance.now();
  const operation = operationOf(request);
  const end = (outcome: string, cause?: unknown) => {
    const fields = { operation, outcome, duration_ms: Math.round(performance.now() - startedAt) };
    if (outcome === 'internal') log.error('gateway.call', fields, cause);
    else log.info('gateway.call', fields);
  };
  if (world.stopping.signal.aborted) response.setHeader('connection', 'close');
  try {
    if (operation === 'health' && request.method === 'GET') await sendHealth(sandboxes, response);
    else send(response, await call(world, operation, exchange));
    end('ok');
  } catch (error) {
    if (response.destroyed) return end('abandoned');
    const known = isSandboxError(error)
      ? error
      : new SandboxError('internal', 'The gateway failed', { cause: error });
    sendError(exchange, known);
    end(known.code, known.cause ?? error);
  }
}

async function call(world: World, operation: string, exchange: Exchange): Promise<Uint8Array[]> {
  const { request, response } = exchange;
  const { verifier, bodies, stopping, over } = world;
  if (request.method !== 'POST' || !isOperation(operation)) {
    throw new SandboxError('invalid', 'There is only POST /v1/<operation> and GET /health here');
  }
  stopping.signal.throwIfAborted();
  const header = (name: string) => firstOf(request.headers[name]);
  refuse(verifier.screen(header));
  const body = await bodies.read(request);
  const verdict = await verifier.verify({ method: 'POST', path: request.url ?? '', body }, header);
  if (!verdict.ok) refuse(verdict.reason);
  const abandoned = new AbortController();
  response.once('close', () => abandoned.abort());
  const patience = REPEATABLE.has(operation) ? stopping.signal : over.signal;
  const signal = AbortSignal.any([abandoned.signal, patience]);
  return frameParts(await perform(world.sandboxes, { operation, args: parseBody(body), signal }));
}

function refuse(reason: Refusal | null): void {
  if (reason === null) return;
  if (reason === 'busy') throw new SandboxError('unavailable', 'The gateway has too many calls: ask again');
  if (reason === 'earlier')
    throw new SandboxError('unavailable', 'The call was signed before this gateway began: ask again');
  throw new SandboxError('unauthenticated', `The signature is refused: ${reason}`);
}

function operationOf(request: IncomingMessage): string {
  if (request.url === '/health') return 'health';
  return /^\/v1\/([A-Za-z]{1,32})$/.exec(request.url ?? '')?.[1] ?? 'unknown';
}

function parseBody(body: Uint8Array): unknown {
  try {
    return decodeFrame(body);
  } catch (error) {
    throw new SandboxError('invalid', 'The body is not a frame', { cause: error });
  }
}

async function sendHealth(sandboxes: Sandboxes, response: ServerResponse): Promise<void> {
  const { detail } = await sandboxes.health();
  sendJson(response, 200, { status: 'ok', detail });
}

function send(response: ServerResponse, parts: readonly Uint8Array[]): void {
  const length = parts.reduce((size, part) => size + part.length, 0);
  response.writeHead(200, { 'content-type': 'application/octet-stream', 'content-length': length });
  // One write to the socket for a small answer.
  response.cork();
  for (const part of parts) response.write(part);
  response.end();
  response.uncork();
}

function sendError({ request, response }: Exchange, error: SandboxError): void {
  // What is left of a refused body is not read.
  if (!request.complete) response.setHeader('connection', 'close');
  sendJson(response, SANDBOX_ERRORS[error.code], { error: { code: error.code, message: error.message } });
}

function sendJson(response: ServerResponse, status: number, value: unknown): void {
  const body = JSON.stringify(value);
  response.writeHead(status, {
    'content-type': 'application/json',
    'content-length': Buffer.byteLength(body),
  });
  response.end(body);
}

function firstOf(header: string | string[] | undefined): string | null {
  return (Array.isArray(header) ? header[0] : header) ?? null;
}
