// The gateway: the Sandboxes port over HTTP. POST /v1/<operation> carries one signed call, GET /health asks Modal.
//  1. Nothing but /health happens without a valid signature, and the body is read only up to its limit.
//  2. It holds no state that matters: killed at any moment, its successor goes on with the same runs.
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { isOperation } from '@capstan/sandbox/arguments';
import { isSandboxError, SANDBOX_ERRORS, SandboxError } from '@capstan/sandbox/error';
import { decodeFrame, frameParts } from '@capstan/sandbox/frame';
import { MAX_CHUNK_BYTES, MAX_COMMAND_BYTES, type Sandboxes } from '@capstan/sandbox/port';
import { createVerifier, type Verifier } from '@capstan/shared/hmac';
import type { Logger } from '@capstan/shared/logger';
import { perform } from './calls.ts';

/** The longest content, or a command whose every character JSON writes as six, and room for the rest. */
const MAX_BODY_BYTES = Math.max(MAX_CHUNK_BYTES, 6 * MAX_COMMAND_BYTES) + 1024 * 1024;

export interface GatewayPorts {
  sandboxes: Sandboxes;
  /** The current secret first. */
  secrets: readonly string[];
  log: Logger;
}

/** A server that does not listen yet. Throws RangeError when a secret is too short. */
export function createGateway(ports: GatewayPorts): Server {
  const verifier = createVerifier(ports.secrets);
  const server = createServer((request, response) => {
    void answer(ports, verifier, { request, response });
  });
  // Callers wait for runs, so answers may take their time; requests may not.
  server.requestTimeout = 60_000;
  server.keepAliveTimeout = 120_000;
  return server;
}

interface Exchange {
  request: IncomingMessage;
  response: ServerResponse;
}

async function answer(ports: GatewayPorts, verifier: Verifier, exchange: Exchange): Promise<void> {
  const { request, response } = exchange;
  const startedAt = performance.now();
  const operation = operationOf(request);
  const end = (outcome: string, cause?: unknown) => {
    const fields = { operation, outcome, duration_ms: Math.round(performance.now() - startedAt) };
    if (outcome === 'internal') ports.log.error('gateway.call', fields, cause);
    else ports.log.info('gateway.call', fields);
  };
  try {
    if (operation === 'health' && request.method === 'GET') await sendHealth(ports.sandboxes, response);
    else send(response, await call(ports.sandboxes, verifier, exchange));
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

async function call(
  sandboxes: Sandboxes,
  verifier: Verifier,
  { request, response }: Exchange,
): Promise<Uint8Array[]> {
  const operation = operationOf(request);
  if (request.method !== 'POST' || !isOperation(operation)) {
    throw new SandboxError('invalid', 'There is only POST /v1/<operation> and GET /health here');
  }
  const body = await readBody(request);
  const signed = { method: 'POST', path: request.url ?? '', body };
  const verdict = await verifier.verify(signed, (name) => firstOf(request.headers[name]));
  if (!verdict.ok) {
    const code = verdict.reason === 'busy' ? 'unavailable' : 'unauthenticated';
    throw new SandboxError(code, `The signature is refused: ${verdict.reason}`);
  }
  const abandoned = new AbortController();
  response.once('close', () => abandoned.abort());
  return frameParts(await perform(sandboxes, { operation, args: parseBody(body), signal: abandoned.signal }));
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

async function readBody(request: IncomingMessage): Promise<Uint8Array> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of request) {
    if (!Buffer.isBuffer(chunk)) continue;
    size += chunk.length;
    if (size > MAX_BODY_BYTES)
      throw new SandboxError('too_large', `The body is over ${MAX_BODY_BYTES} bytes`);
    chunks.push(chunk);
  }
  return chunks.length === 1 && chunks[0] ? chunks[0] : Buffer.concat(chunks, size);
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
