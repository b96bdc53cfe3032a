// Safe fetch: HTTP to a URL that a user, a model or another server gave.
//  F1 Every URL is judged before it is asked for, redirects like the first: https, no user name, no private place.
//  F2 A name is resolved where `resolve` is given, and refused when any of its addresses is not public or there is none.
//     The runtime resolves it once more when it connects: a name whose addresses change in between is not caught here.
//     Without `resolve` only the text of the URL is judged (public-url.ts).
//  F3 The exchange ends after `timeoutMs`, its body included, and after `maxBytes` of body, counted when decompressed.
//  F4 Headers do not follow a redirect to another origin, but those that say nothing of the caller; a body never does.
import { isPublicAddress } from './addresses.ts';
import { type BodyBounds, boundedBody } from './bounded-body.ts';
import { judgeUrl, type UrlFault, type UrlRules } from './public-url.ts';

/** Every address of a name, v4 and v6. */
export type Resolve = (name: string, signal: AbortSignal) => Promise<readonly string[]>;

/** What of a policy the installation decides, and not the caller. */
export interface Reach extends Pick<UrlRules, 'allowPrivate'> {
  resolve?: Resolve;
}

export interface SafeFetchPolicy extends Reach, UrlRules {
  timeoutMs: number;
  maxBytes: number;
  /** How many redirects are followed; more is a failure. 0: the redirect itself is the answer. */
  redirects: number;
  /** Told each URL before it is asked for, the first one too; throws to refuse it. */
  visit?(url: URL): void;
}

export interface SafeInit {
  method?: string;
  headers?: Headers | Record<string, string>;
  body?: string | Uint8Array<ArrayBuffer>;
  signal?: AbortSignal;
}

export type SafeFetchReason =
  | UrlFault
  | 'unresolvable'
  | 'too_many_redirects'
  | 'redirect_refused'
  | 'timeout'
  | 'too_large'
  | 'unreachable';

/** Its message names the host and never what was sent. */
export class SafeFetchError extends Error {
  override name = 'SafeFetchError';
  reason: SafeFetchReason;

  constructor(reason: SafeFetchReason, message: string, options: { cause?: unknown } = {}) {
    super(message, options);
    this.reason = reason;
  }
}

export function isSafeFetchError(error: unknown): error is SafeFetchError {
  return error instanceof Error && error.name === 'SafeFetchError' && 'reason' in error;
}

/** Whatever the status is answered; rejects with SafeFetchError, with `visit`'s error, or with the reason of `init.signal`. */
export async function safeFetch(
  given: string | URL,
  init: SafeInit,
  policy: SafeFetchPolicy,
): Promise<Response> {
  // Not AbortSignal.timeout: that cannot be taken back, and keeps whoever asked awake until then.
  const deadline = new AbortController();
  const timer = setTimeout(() => deadline.abort(), policy.timeoutMs);
  const ended = () => clearTimeout(timer);
  const signals = init.signal === undefined ? [] : [init.signal];
  const signal = AbortSignal.any([deadline.signal, ...signals]);
  /** The failure as the caller is told it; what came of neither of the two signals is told as `otherwise`. */
  const explain = (otherwise: unknown) => {
    if (init.signal?.aborted) return init.signal.reason;
    if (!deadline.signal.aborted) return otherwise;
    return new SafeFetchError('timeout', `no whole answer within ${policy.timeoutMs / 1000} s`);
  };
  try {
    const headers = new Headers(init.headers);
    const first = { given, method: init.method ?? 'GET', headers, body: init.body };
    const response = await follow(first, { policy, signal });
    return bounded(response, policy.maxBytes, { explain, ended });
  } catch (error) {
    ended();
    throw explain(error);
  }
}

interface Hop {
  given: string | URL;
  method: string;
  headers: Headers;
  body: SafeInit['body'];
}

interface Bounds {
  policy: SafeFetchPolicy;
  signal: AbortSignal;
}

async function follow(first: Hop, { policy, signal }: Bounds): Promise<Response> {
  let hop = first;
  for (let left = policy.redirects; ; left--) {
    const url = await permitted(hop.given, { policy, signal });
    const response = await send(url, hop, signal);
    const location = redirectOf(response);
    if (location === null || policy.redirects === 0) return response;
    await response.body?.cancel();
    if (left === 0)
      throw new SafeFetchError(
        'too_many_redirects',
        `${url.host} redirects more than ${policy.redirects} times`,
      );
    hop = redirected(hop, { from: url, location, status: response.status });
  }
}

async function permitted(given: string | URL, { policy, signal }: Bounds): Promise<URL> {
  const judged = judgeUrl(given, policy);
  if ('fault' in judged) throw new SafeFetchError(judged.fault, `${shown(given)} ${judged.message}`);
  const { url, target, exempt } = judged;
  policy.visit?.(url);
  signal.throwIfAborted();
  if (exempt || target.host.kind !== 'name' || policy.resolve === undefined) return url;
  const addresses = await policy.resolve(target.host.text, signal).catch((cause: unknown) => {
    throw new SafeFetchError('unresolvable', `${url.host} could not be looked up`, { cause });
  });
  if (addresses.length === 0) throw new SafeFetchError('unresolvable', `${url.host} has no address`);
  if (!addresses.every(isPublicAddress))
    throw new SafeFetchError('address_not_public', `${url.host} leads into a private network`);
  return url;
}

async function send(url: URL, { method, headers, body }: Hop, signal: AbortSignal): Promise<Response> {
  try {
    return await fetch(url, { method, headers, body: body ?? null, redirect: 'manual', signal });
  } catch (cause) {
    throw new SafeFetchError('unreachable', `${url.host} cannot be reached`, { cause });
  }
}

const REDIRECTS: ReadonlySet<number> = new Set([301, 302, 303, 307, 308]);

function redirectOf({ status, headers }: Response): string | null {
  return REDIRECTS.has(status) ? headers.get('location') : null;
}

/** What of a request may be told to whomever it is redirected to. */
const HARMLESS: ReadonlySet<string> = new Set(['accept', 'accept-language', 'user-agent']);

function redirected(
  hop: Hop,
  { from, location, status }: { from: URL; location: string; status: number },
): Hop {
  const url = URL.parse(location, from.href);
  if (url === null) throw new SafeFetchError('redirect_refused', `${from.host} redirects to what is no URL`);
  const rewritten = status === 303 || (status < 303 && hop.method === 'POST');
  const method = rewritten && hop.method !== 'HEAD' ? 'GET' : hop.method;
  const body = method === 'GET' || method === 'HEAD' ? undefined : hop.body;
  const headers = new Headers(hop.headers);
  if (body === undefined) for (const name of ['content-type', 'content-length']) headers.delete(name);
  if (url.origin === from.origin) return { given: url, method, headers, body };
  if (body !== undefined)
    throw new SafeFetchError('redirect_refused', `${from.host} sends the request on to another host`);
  for (const name of [...headers.keys()]) if (!HARMLESS.has(name)) headers.delete(name);
  return { given: url, method, headers, body };
}

/** Of these only the decoded body remains. */
const OF_THE_WIRE = ['content-encoding', 'content-length', 'transfer-encoding'];

function bounded(
  response: Response,
  maxBytes: number,
  { explain, ended }: Pick<BodyBounds, 'explain' | 'ended'>,
): Response {
  const { status, statusText } = response;
  const headers = new Headers(response.headers);
  for (const name of OF_THE_WIRE) headers.delete(name);
  if (response.body === null) {
    ended();
    return new Response(null, { status, statusText, headers });
  }
  const tooLarge = () => new SafeFetchError('too_large', `the answer is longer than ${maxBytes} bytes`);
  const broken = (cause: unknown) =>
    isSafeFetchError(cause) ? cause : new SafeFetchError('unreachable', 'the answer ended early', { cause });
  const body = boundedBody(response.body, {
    maxBytes,
    tooLarge,
    ended,
    explain: (error) => explain(broken(error)),
  });
  return new Response(body, { status, statusText, headers });
}

/** The host and no more: a path or query may hold a secret. */
function shown(given: string | URL): string {
  return URL.parse(String(given))?.host || 'This URL';
}
