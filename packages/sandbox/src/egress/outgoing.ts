// Outgoing: a sandbox's request as it is sent on: what concerned one hop is gone, the body framed anew, placeholders filled.
import type { IncomingMessage } from 'node:http';
import type { Transform } from 'node:stream';
import { formatAuthority, type Target } from '@capstan/shared/hosts';
import { endToEnd, framingOf, type HeaderPair, pairsOf, valuesOf, without } from './headers.ts';
import { type BodyFilling, bodyFilling, fillHeaders, fillQuery } from './placeholders.ts';
import type { CompiledCredential } from './policy.ts';

export interface Asked {
  request: IncomingMessage;
  target: Target;
  /** Path and query. */
  path: string;
  /** The port that a Host header leaves out. */
  defaultPort: number;
  /** Bound to the target; none on a way in the clear. */
  credentials: readonly CompiledCredential[];
  /** Whether the client asked for a WebSocket. */
  upgrade: boolean;
}

export interface Outgoing {
  path: string;
  headers: HeaderPair[];
  /** The whole body, or what the request's body streams through. */
  body: Buffer | Transform[];
  /** Ids of the credentials put in so far; whole once the body was sent. */
  used(): ReadonlySet<string>;
}

/** A body up to here is filled before it is sent, so that its length can be said; a longer one goes in chunks. */
const MAX_WHOLE_BODY_BYTES = 4 * 1024 * 1024;
const FRAMED_HERE = new Set(['host', 'expect']);
/** An answer that is encoded, or a part, or compressed by frame, could hold a secret where it is not found. */
const HIDING_ANSWERS = new Set(['accept-encoding', 'range', 'if-range', 'sec-websocket-extensions']);
const LENGTH = new Set(['content-length']);
const NO_BODY = /^(GET|HEAD|DELETE|OPTIONS)$/;

export async function toOutgoing(asked: Asked): Promise<Outgoing> {
  const { request, target, path, credentials, upgrade } = asked;
  const pairs = pairsOf(request);
  const passed = without(endToEnd(pairs), FRAMED_HERE);
  const host: HeaderPair = ['Host', formatAuthority(target, asked.defaultPort)];
  const upgrading: HeaderPair[] = upgrade
    ? [
        ['Connection', 'Upgrade'],
        ['Upgrade', 'websocket'],
      ]
    : [];
  const framing = [
    ...framingOf(pairs),
    ...(needsLength(request, pairs) ? ([['Content-Length', '0']] as const) : []),
  ];
  if (credentials.length === 0) {
    const headers = [host, ...passed, ...upgrading, ...framing];
    return { path, headers, body: upgrade ? Buffer.alloc(0) : [], used: () => new Set() };
  }
  const inHeaders = fillHeaders(without(passed, HIDING_ANSWERS), credentials, target.host);
  const inQuery = fillQuery(path, credentials);
  const filling =
    upgrade || isEncoded(pairs) ? null : bodyFilling(credentials, valuesOf(pairs, 'content-type')[0]);
  const body = await toBody(request, pairs, filling);
  const headers = body.framing === null ? [...inHeaders.value, ...framing] : without(inHeaders.value, LENGTH);
  return {
    path: inQuery.value,
    headers: [host, ...headers, ['Accept-Encoding', 'identity'], ...upgrading, ...(body.framing ?? [])],
    body: upgrade ? Buffer.alloc(0) : body.content,
    used: () => new Set([...inHeaders.used, ...inQuery.used, ...(filling?.used ?? [])]),
  };
}

interface Body {
  content: Buffer | Transform[];
  /** Null: as it was framed by the client. */
  framing: HeaderPair[] | null;
}

async function toBody(
  request: IncomingMessage,
  pairs: readonly HeaderPair[],
  filling: BodyFilling | null,
): Promise<Body> {
  const length = Number(valuesOf(pairs, 'content-length')[0] ?? 0);
  const chunked = valuesOf(pairs, 'transfer-encoding').length > 0;
  if (filling === null) return { content: [], framing: null };
  if (!chunked && length === 0) return { content: [], framing: null };
  if (chunked || length > MAX_WHOLE_BODY_BYTES)
    return { content: [filling], framing: [['Transfer-Encoding', 'chunked']] };
  const parts: Buffer[] = [];
  for await (const part of request.pipe(filling)) parts.push(part);
  const content = Buffer.concat(parts);
  return { content, framing: [['Content-Length', String(content.length)]] };
}

/** A method that has a body says so even when it is empty; servers refuse to guess. */
function needsLength({ method = 'GET' }: IncomingMessage, pairs: readonly HeaderPair[]): boolean {
  if (NO_BODY.test(method)) return false;
  return valuesOf(pairs, 'content-length').length + valuesOf(pairs, 'transfer-encoding').length === 0;
}

function isEncoded(pairs: readonly HeaderPair[]): boolean {
  return valuesOf(pairs, 'content-encoding').some((coding) => coding.toLowerCase() !== 'identity');
}
