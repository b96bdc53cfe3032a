// The previews' own site: every request whose host is a preview's.
//  1. Nothing is shown without a token for that very session and port that has not expired.
//  2. Previews of different people may be neighbours under one domain, so browsers count them as one site: what a page of
//     another preview asks for is refused, unless somebody follows a link there.
import { isApiError } from '@capstan/schema/error';
import type { SessionAddress } from '@capstan/session/address';
import type { Logger } from '@capstan/shared/logger';
import { asksForSocket } from '../socket.ts';
import { type Exposed, passOn } from './preview-exchange.ts';
import { isPreviewHost, toPreviewPlace } from './preview-origin.ts';
import { addressOf, findToken, type Grant, keepingCookie, type PreviewTokens } from './preview-tokens.ts';

/** A place to connect to is asked for again after this long, and as soon as nobody answers there. */
const KNOWN_MS = 60_000;
const MOST_KNOWN = 500;

export interface PreviewPorts {
  /** Without a port, in lower case. */
  host: string;
  tokens: PreviewTokens;
  /** Refuses (`conflict`) when the session has no sandbox that runs. */
  expose(address: SessionAddress, port: number): Promise<Exposed>;
  clock: { now(): number };
  logger: Logger;
}

export class PreviewSite {
  #ports: PreviewPorts;
  #known = new Map<string, { exposed: Exposed; until: number }>();

  constructor(ports: PreviewPorts) {
    this.#ports = ports;
  }

  has(request: Request): boolean {
    return isPreviewHost(new URL(request.url).hostname, this.#ports.host);
  }

  async fetch(request: Request): Promise<Response> {
    const { host, tokens, clock, logger } = this.#ports;
    const place = toPreviewPlace(new URL(request.url).hostname, host);
    if (place === null) return page(404, 'There is no preview at this address.');
    const { token, inLink, url } = findToken(request);
    const grant = token === null ? null : await tokens.read(token, place, clock.now());
    if (token === null || grant === null) {
      return page(401, 'This preview opens with a link that has not expired. Ask for a new one.');
    }
    if (isForeign(request, url))
      return page(403, 'A page of another site may not ask this preview for anything.');
    const isSocket = asksForSocket(request);
    if (inLink && !isSocket && request.method === 'GET') return this.#keep(token, grant, url);
    const answer = await this.#answer(request, url, grant);
    logger.info('preview.request', { session_id: place.sessionId, port: place.port, status: answer.status });
    return answer;
  }

  /** The token leaves the address before any page sees it. */
  #keep(token: string, { expiresAt }: Grant, url: URL): Response {
    const seconds = Math.floor((expiresAt - this.#ports.clock.now()) / 1000);
    const headers = { location: url.href, 'set-cookie': keepingCookie(token, { url, seconds }) };
    return new Response(null, { status: 303, headers: { ...headers, ...PRIVATE } });
  }

  async #answer(request: Request, url: URL, grant: Grant): Promise<Response> {
    const { port } = grant;
    const name = `${grant.tenantId} ${grant.sessionId} ${port}`;
    try {
      return await passOn(request, url, await this.#expose(name, grant));
    } catch (error) {
      this.#known.delete(name);
      if (isApiError(error)) return page(error.code === 'not_found' ? 404 : 503, error.message);
      this.#ports.logger.warn('preview.unreachable', {
        session_id: grant.sessionId,
        port,
        cause: String(error),
      });
      return page(502, `Nothing answers on port ${port} of the session's sandbox.`);
    }
  }

  async #expose(name: string, grant: Grant): Promise<Exposed> {
    const now = this.#ports.clock.now();
    const known = this.#known.get(name);
    if (known !== undefined && known.until > now) return known.exposed;
    const exposed = await this.#ports.expose(addressOf(grant), grant.port);
    const oldest = this.#known.keys().next().value;
    if (this.#known.size >= MOST_KNOWN && oldest !== undefined) this.#known.delete(oldest);
    this.#known.set(name, { exposed, until: now + KNOWN_MS });
    return exposed;
  }
}

/** What browsers say of who asks; programs say nothing, and hold the token themselves. */
function isForeign(request: Request, { origin }: URL): boolean {
  const from = request.headers.get('origin');
  if (asksForSocket(request)) return from !== null && from !== origin;
  const site = request.headers.get('sec-fetch-site');
  if (site === null || site === 'same-origin' || site === 'none') return false;
  return request.method !== 'GET' || request.headers.get('sec-fetch-mode') !== 'navigate';
}

const PRIVATE = { 'cache-control': 'no-store', 'referrer-policy': 'no-referrer' };

function page(status: number, text: string): Response {
  return new Response(`${text}\n`, {
    status,
    headers: { 'content-type': 'text/plain; charset=utf-8', 'x-content-type-options': 'nosniff', ...PRIVATE },
  });
}
