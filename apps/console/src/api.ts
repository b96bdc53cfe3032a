// Requests to the platform, typed by the schema's routes. Only types are imported, so no validator is in the bundle;
// a method or path that differs from the route's does not compile. The cookie of this origin is the credential.
import type { agentRoutes } from '@capstan/schema/agents';
import type { consoleRoutes } from '@capstan/schema/console-login';
import type { eventRoutes } from '@capstan/schema/events';
import type { RouteOutput, RouteRequest, RouteSpec } from '@capstan/schema/route';
import type { sessionRoutes } from '@capstan/schema/sessions';

/** A request that was refused or could not be made. `status` 0: no answer came. */
export class Failure extends Error {
  override name = 'Failure';
  status: number;
  requestId: string | null;

  constructor(status: number, message: string, requestId: string | null = null) {
    super(message);
    this.status = status;
    this.requestId = requestId;
  }
}

type Part = 'params' | 'query' | 'body';
type Input<R extends RouteSpec> = {
  [K in Part as RouteRequest<R>[K] extends undefined ? never : K]: RouteRequest<R>[K];
};
interface Options {
  signal?: AbortSignal | undefined;
  idempotencyKey?: string;
}

export const api = {
  login: endpoint<typeof consoleRoutes.login>('post', '/api/login'),
  logout: endpoint<typeof consoleRoutes.logout>('post', '/api/logout'),
  me: endpoint<typeof consoleRoutes.me>('get', '/api/me'),
  listAgents: endpoint<typeof agentRoutes.list>('get', '/v1/agents'),
  createAgent: endpoint<typeof agentRoutes.create>('post', '/v1/agents'),
  listSessions: endpoint<typeof sessionRoutes.list>('get', '/v1/sessions'),
  createSession: endpoint<typeof sessionRoutes.create>('post', '/v1/sessions'),
  retrieveSession: endpoint<typeof sessionRoutes.retrieve>('get', '/v1/sessions/{session_id}'),
  listEvents: endpoint<typeof eventRoutes.list>('get', '/v1/sessions/{session_id}/events'),
  sendEvents: endpoint<typeof eventRoutes.send>('post', '/v1/sessions/{session_id}/events'),
};

function endpoint<R extends RouteSpec>(method: R['method'], path: R['path']) {
  return async (input: Input<R>, options: Options = {}): Promise<RouteOutput<R>> => {
    const parts: { [K in Part]?: unknown } = input;
    const headers = new Headers({ accept: 'application/json' });
    if (parts.body !== undefined) headers.set('content-type', 'application/json');
    if (options.idempotencyKey !== undefined) headers.set('idempotency-key', options.idempotencyKey);
    const response = await request(fill(path, parts.params) + search(parts.query), {
      method: method.toUpperCase(),
      headers,
      body: parts.body === undefined ? undefined : JSON.stringify(parts.body),
      signal: options.signal,
    });
    try {
      return await response.json();
    } catch (error) {
      if (options.signal?.aborted) throw error;
      throw unreachable();
    }
  };
}

/** Fires when the cookie is no longer good, whichever request noticed. */
export const signedOut = new EventTarget();

/** Makes a request and answers only with a 2xx response; anything else is thrown as a `Failure`. */
export async function request(url: string, init: RequestInit): Promise<Response> {
  let response: Response;
  try {
    response = await fetch(url, init);
  } catch (error) {
    if (init.signal?.aborted) throw error;
    throw unreachable();
  }
  if (response.ok) return response;
  if (response.status === 401 && url !== '/api/login') signedOut.dispatchEvent(new Event('change'));
  throw await toFailure(response);
}

function unreachable(): Failure {
  return new Failure(
    0,
    'The server cannot be reached, or the line broke before it answered. Try again in a moment.',
  );
}

async function toFailure(response: Response): Promise<Failure> {
  const requestId = response.headers.get('request-id');
  const body: unknown = await response.json().catch(() => null);
  const message = messageOf(body) ?? `The server answered ${response.status} without saying why.`;
  return new Failure(response.status, message, requestId);
}

function messageOf(body: unknown): string | null {
  if (typeof body !== 'object' || body === null || !('error' in body)) return null;
  const { error } = body;
  if (typeof error !== 'object' || error === null || !('message' in error)) return null;
  return typeof error.message === 'string' ? error.message : null;
}

function fill(path: string, params: unknown): string {
  const values = new Map(Object.entries(params ?? {}));
  return path.replace(/\{(\w+)\}/g, (_, name: string) => encodeURIComponent(String(values.get(name))));
}

function search(query: unknown): string {
  const params = new URLSearchParams();
  for (const [name, value] of Object.entries(query ?? {})) {
    if (Array.isArray(value)) for (const one of value) params.append(`${name}[]`, String(one));
    else if (value !== undefined) params.set(name, String(value));
  }
  return params.size === 0 ? '' : `?${params}`;
}

/** 128 random bits. `crypto.randomUUID` is missing where the page is not served over https or from localhost. */
export function randomKey(): string {
  return Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) =>
    byte.toString(16).padStart(2, '0'),
  ).join('');
}
