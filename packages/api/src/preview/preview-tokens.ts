// What lets somebody see a preview: a token for one port of one session, until it expires. It is in the link once, and then in
// a cookie that scripts cannot read; programs send it in a header.
import type { SessionAddress } from '@capstan/session/address';
import { z } from 'zod';
import { Signer } from '../auth/signer.ts';
import type { PreviewPlace } from './preview-origin.ts';

export const TOKEN_PARAMETER = 'capstan_preview_token';
export const TOKEN_HEADER = 'x-capstan-preview-token';

const grant = z.object({
  tenantId: z.string(),
  sessionId: z.string(),
  port: z.int(),
  /** Epoch ms. */
  expiresAt: z.number(),
});
export type Grant = z.infer<typeof grant>;

export class PreviewTokens {
  #signer: Signer;

  constructor(rootSecret: string) {
    this.#signer = new Signer(rootSecret, 'preview-url');
  }

  issue({ tenantId, sessionId, port, expiresAt }: Grant): Promise<string> {
    return this.#signer.sign({ tenantId, sessionId, port, expiresAt });
  }

  /** Null when it is none, is for another place, or has expired at `now` (epoch ms). */
  async read(token: string, { sessionId, port }: PreviewPlace, now: number): Promise<Grant | null> {
    const { data } = grant.safeParse(await this.#signer.read(token));
    if (data === undefined || data.expiresAt <= now) return null;
    return data.sessionId === sessionId && data.port === port ? data : null;
  }
}

/** Where the token of a request is, and the request's own address without it. */
export function findToken(request: Request): { token: string | null; inLink: boolean; url: URL } {
  const url = new URL(request.url);
  const linked = url.searchParams.get(TOKEN_PARAMETER);
  if (linked !== null) url.searchParams.delete(TOKEN_PARAMETER);
  const token = linked ?? request.headers.get(TOKEN_HEADER) ?? readCookie(request, url);
  return { token, inLink: linked !== null, url };
}

/** The `set-cookie` value that keeps a token until it expires. */
export function keepingCookie(token: string, { url, seconds }: { url: URL; seconds: number }): string {
  const attributes = ['Path=/', `Max-Age=${seconds}`, 'HttpOnly', 'SameSite=Lax'];
  return [`${cookieName(url)}=${token}`, ...attributes, ...(isSecure(url) ? ['Secure'] : [])].join('; ');
}

/** The cookies of a request without the token's. */
export function otherCookies(request: Request): string {
  const name = cookieName(new URL(request.url));
  return pairsOf(request)
    .filter((pair) => !pair.startsWith(`${name}=`))
    .join('; ');
}

export function addressOf({ tenantId, sessionId }: Grant): SessionAddress {
  return { tenantId, sessionId };
}

function readCookie(request: Request, url: URL): string | null {
  const name = cookieName(url);
  return (
    pairsOf(request)
      .find((pair) => pair.startsWith(`${name}=`))
      ?.slice(name.length + 1) ?? null
  );
}

function pairsOf(request: Request): string[] {
  const pairs = (request.headers.get('cookie') ?? '').split(';').map((pair) => pair.trim());
  return pairs.filter((pair) => pair !== '');
}

/** No other origin can set a cookie of this prefix, which browsers take over https only. */
function cookieName(url: URL): string {
  return isSecure(url) ? '__Host-capstan_preview' : 'capstan_preview';
}

function isSecure({ protocol }: URL): boolean {
  return protocol === 'https:';
}
