// Whether an MCP server takes a token: it is greeted with it, and asked for its tools, as a session would.
import type { CapturedResponse } from '@capstan/schema/credentials';
import { captureResponse } from '@capstan/shared/captured-response';
import { isSafeFetchError, type Reach, safeFetch } from '@capstan/shared/safe-fetch';

/** The step that failed; `response` null: there was no answer. */
export interface FailedProbe {
  method: 'initialize' | 'tools/list';
  response: CapturedResponse | null;
}

const PROTOCOL = '2025-06-18';
const TIMEOUT_MS = 10_000;
const MAX_BYTES = 1_048_576;
const SESSION_HEADER = 'mcp-session-id';

interface Server {
  url: string;
  token: string;
  reach: Reach;
}

/** Null: the server takes it. */
export async function probeServer(server: Server): Promise<FailedProbe | null> {
  const params = {
    protocolVersion: PROTOCOL,
    capabilities: {},
    clientInfo: { name: 'capstan', version: '1' },
  };
  const greeted = await ask(server, { method: 'initialize', params, session: null });
  if ('failed' in greeted) return greeted.failed;
  const { session } = greeted;
  const listed = await ask(server, { method: 'tools/list', params: {}, session });
  if (session !== null) await leave(server, session);
  return 'failed' in listed ? listed.failed : null;
}

interface Question {
  method: FailedProbe['method'];
  params: object;
  session: string | null;
}

async function ask(
  server: Server,
  { method, params, session }: Question,
): Promise<{ failed: FailedProbe } | { session: string | null }> {
  const { url, token } = server;
  const headers = headersOf(server, session);
  headers.set('content-type', 'application/json');
  headers.set('accept', 'application/json, text/event-stream');
  const body = JSON.stringify({ jsonrpc: '2.0', id: 1, method, params });
  try {
    const response = await safeFetch(url, { method: 'POST', headers, body }, policyOf(server));
    if (!response.ok) return { failed: { method, response: await captureResponse(response, [token]) } };
    await response.body?.cancel();
    return { session: response.headers.get(SESSION_HEADER) };
  } catch (error) {
    if (!isSafeFetchError(error)) throw error;
    return { failed: { method, response: null } };
  }
}

/** Without it the server waits for more. */
async function leave(server: Server, session: string): Promise<void> {
  try {
    const headers = headersOf(server, session);
    const response = await safeFetch(server.url, { method: 'DELETE', headers }, policyOf(server));
    await response.body?.cancel();
  } catch (error) {
    // A server may want none of it.
    if (!isSafeFetchError(error)) throw error;
  }
}

function headersOf({ token }: Server, session: string | null): Headers {
  const headers = new Headers({ authorization: `Bearer ${token}`, 'mcp-protocol-version': PROTOCOL });
  if (session !== null) headers.set(SESSION_HEADER, session);
  return headers;
}

function policyOf({ reach }: Server) {
  return { ...reach, timeoutMs: TIMEOUT_MS, maxBytes: MAX_BYTES, redirects: 0 };
}
