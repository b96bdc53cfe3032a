// What carries the messages to one MCP server: safe-fetch with the authorization that the vaults have for it.
//  H1 Authorization goes to the server's own origin alone; redirects are left to the client, which stays within it.
//  H2 After a 401 it is renewed and the request sent once more: the server has not taken it.
//  H3 A stream that breaks off before its answer ends the request, unless the server lets it be taken up again.
//  H4 Of a list of tools no more is read than models could be offered, and of nothing more than a process can hold.
//  H5 No stream is kept open beside the requests: an idle session holds no connection.
import type { Reach } from '@capstan/shared/safe-fetch';
import { safeFetch } from '@capstan/shared/safe-fetch';
import { answeredStream } from './answered-stream.ts';

export interface Authorization {
  for(serverUrl: string): Promise<string | null>;
  renew(serverUrl: string): Promise<string | null>;
}

export interface McpFetchDeps {
  url: string;
  reach: Reach;
  authorization: Authorization;
  /** Told the status of each answer to a message. */
  answered(status: number): void;
}

/** Longer than any call: what ends one is the call's own limit. */
const LONGEST_MS = 330_000;
const MAX_ANSWER_BYTES = 8 * 1024 * 1024;
const MAX_LIST_BYTES = 1024 * 1024;

type Fetch = (url: string | URL, init?: RequestInit) => Promise<Response>;

export function createMcpFetch({ url: server, reach, authorization, answered }: McpFetchDeps): Fetch {
  const { origin } = new URL(server);
  return async (url, init = {}) => {
    if (init.method === 'GET' && !new Headers(init.headers).has('last-event-id'))
      return new Response(null, { status: 405 });
    const own = new URL(url).origin === origin;
    const send = (token: string | null) => exchange(url, init, { reach, token });
    let response = await send(own ? await authorization.for(server) : null);
    if (response.status === 401 && own) {
      const renewed = await authorization.renew(server);
      if (renewed !== null) {
        await response.body?.cancel();
        response = await send(renewed);
      }
    }
    answered(response.status);
    return withEnd(response, init.body);
  };
}

interface Sending {
  reach: Reach;
  token: string | null;
}

function exchange(url: string | URL, init: RequestInit, { reach, token }: Sending): Promise<Response> {
  const headers = new Headers(init.headers);
  if (token !== null) headers.set('authorization', token);
  const { method = 'GET', body, signal } = init;
  const sent = {
    method,
    headers,
    ...(typeof body === 'string' ? { body } : {}),
    ...(signal ? { signal } : {}),
  };
  const listing = typeof body === 'string' && questionOf(body).method === 'tools/list';
  const maxBytes = listing ? MAX_LIST_BYTES : MAX_ANSWER_BYTES;
  return safeFetch(url, sent, { ...reach, timeoutMs: LONGEST_MS, maxBytes, redirects: 0 });
}

function withEnd(response: Response, asked: RequestInit['body']): Response {
  const { body, status, headers } = response;
  const streams = headers.get('content-type')?.toLowerCase().startsWith('text/event-stream');
  const id = typeof asked === 'string' && streams ? requestId(asked) : null;
  if (body === null || id === null) return response;
  return new Response(answeredStream(body, id), { status, headers });
}

function requestId(message: string): string | number | null {
  const { id } = questionOf(message);
  return typeof id === 'string' || typeof id === 'number' ? id : null;
}

function questionOf(message: string): { id?: unknown; method?: unknown } {
  const read: unknown = JSON.parse(message);
  return typeof read === 'object' && read !== null ? read : {};
}
