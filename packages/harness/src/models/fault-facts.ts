// What an error of one of the client libraries says, whichever library it is: status, code, message, when to come back.
import { at, isDict, parseJson, text } from './values.ts';

export interface Facts {
  status: number | null;
  /** Codes and types the provider gave, in one string; empty when none. */
  code: string;
  message: string;
  retryAfterMs: number | null;
  network: boolean;
}

/** A failure that a provider told in the middle of a stream. */
export class StreamFault extends Error {
  override name = 'StreamFault';
  code: string;

  constructor(code: string, message: string) {
    super(message);
    this.code = code;
  }
}

export function factsOf(error: unknown, now: number): Facts {
  const body = bodyOf(error);
  const inner = isDict(at(body, 'error')) ? at(body, 'error') : body;
  const codes = [at(inner, 'code'), at(inner, 'type'), at(error, 'code'), at(error, 'type')];
  const message = text(at(inner, 'message')) ?? text(at(error, 'message')) ?? '';
  return {
    status: statusOf(error),
    code: codes.filter((code) => typeof code === 'string').join(' '),
    message: rootCause(error, message),
    retryAfterMs: retryAfter(headersOf(error), now),
    network: isNetwork(error),
  };
}

function statusOf(error: unknown): number | null {
  const status = at(error, 'status') ?? at(error, 'statusCode');
  return typeof status === 'number' && status >= 400 ? status : null;
}

function bodyOf(error: unknown): unknown {
  const raw = text(at(error, 'responseBody'));
  return at(error, 'error') ?? at(error, 'data') ?? (raw === undefined ? undefined : parseJson(raw)) ?? error;
}

function headersOf(error: unknown): (name: string) => string | null {
  const headers = at(error, 'headers') ?? at(error, 'responseHeaders');
  if (headers instanceof Headers) return (name) => headers.get(name);
  return (name) => text(at(headers, name)) ?? null;
}

/** From `retry-after-ms`, or `retry-after` in seconds or as a date. */
export function retryAfter(header: (name: string) => string | null, now: number): number | null {
  const ms = Number.parseFloat(header('retry-after-ms') ?? '');
  if (Number.isFinite(ms) && ms >= 0) return Math.ceil(ms);
  const value = header('retry-after')?.trim();
  if (value === undefined || value === '') return null;
  if (/^\d+(\.\d+)?$/.test(value)) return Math.ceil(Number.parseFloat(value) * 1000);
  const date = Date.parse(value);
  return Number.isNaN(date) ? null : Math.max(0, date - now);
}

const NETWORK_NAMES = /^(APIConnectionError|APIConnectionTimeoutError|TypeError|SocketError)$/;
const NETWORK_WORDS =
  /fetch failed|terminated|network|connect|socket|econn|enotfound|epipe|aborted|premature|hang up|other side closed/i;

function isNetwork(error: unknown): boolean {
  for (const each of chain(error)) {
    if (NETWORK_NAMES.test(each.name) && NETWORK_WORDS.test(each.message)) return true;
    if (/^(ECONN|ENOTFOUND|EPIPE|ETIMEDOUT|UND_ERR)/.test(String(at(each, 'code')))) return true;
  }
  return false;
}

/** "fetch failed" says nothing; what it failed of is in the cause. */
function rootCause(error: unknown, message: string): string {
  if (!/^(connection error\.?|fetch failed|cannot connect to api.*|terminated)$/i.test(message))
    return message;
  const reasons = chain(error).map((each) => text(each.message) ?? text(at(each, 'code')) ?? '');
  return reasons.at(-1) || message;
}

function chain(error: unknown): Error[] {
  const found: Error[] = [];
  let each: unknown = error;
  while (each instanceof Error && found.length < 5) {
    found.push(each);
    each = each.cause;
  }
  return found;
}
