// Failures on the way to an MCP server, sorted once: who is told what, and whether a call may have been performed.

import type { McpErrorType } from '@capstan/schema/events/session-events';
import { isSafeFetchError, type SafeFetchReason } from '@capstan/shared/safe-fetch';
import { ProtocolError, SdkError, SdkErrorCode, SdkHttpError } from '@modelcontextprotocol/client';
import { STREAM_ENDED } from './answered-stream.ts';

export class McpFailure extends Error {
  override name = 'McpFailure';
  /** Null: the server can be used, and this one call failed. */
  type: McpErrorType | null;
  /** The server has it, and may have acted upon it. */
  sent: boolean;
  /** The server has forgotten the connection: a new one may do. */
  forgotten: boolean;

  constructor(message: string, { type, sent, forgotten = false }: Sorted, cause: unknown) {
    super(message, { cause });
    this.type = type;
    this.sent = sent;
    this.forgotten = forgotten;
  }
}

interface Sorted {
  type: McpErrorType | null;
  sent: boolean;
  forgotten?: boolean;
}

const LOST: Sorted = { type: 'mcp_connection_failed_error', sent: true };
const UNSENT: Sorted = { type: 'mcp_connection_failed_error', sent: false };
const REFUSED: Sorted = { type: 'mcp_authentication_failed_error', sent: false };
const MAX_WORDS = 1_000;

/** These are found out before anything is sent. */
const BEFORE: ReadonlySet<SafeFetchReason> = new Set([
  'malformed_url',
  'scheme_not_allowed',
  'credentials_in_url',
  'port_not_allowed',
  'address_not_public',
  'unresolvable',
]);

/** `status`: of the last answer, null when there was none. */
export function toMcpFailure(error: unknown, status: number | null): McpFailure {
  if (error instanceof McpFailure) return error;
  const fetched = causeOf(error, isSafeFetchError);
  if (fetched !== null)
    return new McpFailure(fetched.message, BEFORE.has(fetched.reason) ? UNSENT : LOST, error);
  if (status === 401 || status === 403) {
    const mend = 'Its credential in the vaults is missing, wrong or has ended.';
    return new McpFailure(`the server refuses access (${status}). ${mend}`, REFUSED, error);
  }
  if (error instanceof SdkHttpError) return ofStatus(error, status ?? error.status);
  if (error instanceof ProtocolError) {
    if (error.code === STREAM_ENDED) return new McpFailure('its answer broke off', LOST, error);
    return new McpFailure(words(error.message), { type: null, sent: true }, error);
  }
  if (error instanceof SdkError && error.code === SdkErrorCode.RequestTimeout)
    return new McpFailure('no answer came in time', { type: null, sent: true }, error);
  return new McpFailure(error instanceof Error ? words(error.message) : 'the exchange failed', LOST, error);
}

function ofStatus(error: unknown, status: number): McpFailure {
  // With the id of a connection this says that it is over; the request was not taken.
  if (status === 404) return new McpFailure('nothing is there (404)', { ...UNSENT, forgotten: true }, error);
  return new McpFailure(`it answers with status ${status}`, status < 500 ? UNSENT : LOST, error);
}

function causeOf<T extends Error>(error: unknown, is: (value: unknown) => value is T): T | null {
  for (let at = error, depth = 0; at instanceof Error && depth < 5; at = at.cause, depth++)
    if (is(at)) return at;
  return null;
}

/** What another server says goes to people and models: bounded, and on one line. */
function words(text: string): string {
  return text.replaceAll(/\s+/g, ' ').slice(0, MAX_WORDS);
}
