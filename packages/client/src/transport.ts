// How requests travel: credentials, paths, queries and refusals. A request that was aborted rejects with its signal's reason.
import { Failure, toFailure, unreachable } from './failure.ts';

export interface ClientOptions {
  /** Origin, with a path prefix if there is one, e.g. `https://capstan.example`. Empty in a page of that origin. */
  baseUrl: string;
  /** Absent: the cookie of the page's origin is the credential. */
  apiKey?: string;
  fetch?: (url: string, init: RequestInit) => Promise<Response>;
}

export interface Parts {
  params?: unknown;
  query?: unknown;
  body?: unknown;
}

export interface Sending {
  signal?: AbortSignal | undefined;
  headers?: Record<string, string>;
}

export interface Outgoing extends Sending {
  method: string;
  path: string;
  parts: Parts;
  /** Sent as it is, in place of a JSON body. */
  content?: BodyInit;
}

export type Transport = (request: Outgoing) => Promise<Response>;

/** Resolves with 2xx answers only; anything else rejects with a `Failure`. */
export function createTransport({ baseUrl, apiKey, ...options }: ClientOptions): Transport {
  const base = baseUrl.replace(/\/+$/, '');
  const send = options.fetch ?? ((url: string, init: RequestInit) => fetch(url, init));
  return async ({ method, path, parts, content, signal, headers }) => {
    const body = content ?? (parts.body === undefined ? undefined : JSON.stringify(parts.body));
    const url = base + fill(path, parts.params) + search(parts.query);
    const init: RequestInit = {
      method: method.toUpperCase(),
      headers: {
        ...(apiKey !== undefined && { 'x-api-key': apiKey }),
        ...(content === undefined && body !== undefined && { 'content-type': 'application/json' }),
        ...headers,
      },
      ...(body !== undefined && { body }),
      ...(signal && { signal }),
    };
    const response = await send(url, init).catch((cause: unknown) => {
      throw signal?.aborted ? signal.reason : unreachable(cause);
    });
    if (response.ok) return response;
    throw await toFailure(response);
  };
}

export async function readAnswer(response: Response, signal: AbortSignal | undefined): Promise<unknown> {
  try {
    return await response.json();
  } catch (cause) {
    if (signal?.aborted) throw signal.reason;
    if (!(cause instanceof SyntaxError)) throw unreachable(cause);
    const requestId = response.headers.get('request-id');
    const message = 'the answer is not JSON: is this the address of the API?';
    throw new Failure({ status: response.status, type: null, message, requestId, retryAfterMs: null }, cause);
  }
}

function fill(path: string, params: unknown): string {
  const values = new Map(Object.entries(params ?? {}));
  return path.replaceAll(/\{(\w+)\}/g, (_, name: string) => {
    const value = values.get(name);
    if (typeof value !== 'string' || value === '')
      throw new TypeError(`${name}: an id is required in ${path}`);
    return encodeURIComponent(value);
  });
}

/** Lists as `k[]=a&k[]=b`, the way the API's own clients send them. */
function search(query: unknown): string {
  const params = new URLSearchParams();
  for (const [name, value] of Object.entries(query ?? {})) {
    if (Array.isArray(value)) for (const one of value) params.append(`${name}[]`, String(one));
    else if (value !== undefined) params.set(name, String(value));
  }
  return params.size === 0 ? '' : `?${params}`;
}
