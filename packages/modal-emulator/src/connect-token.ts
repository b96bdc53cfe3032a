// Connect tokens of one sandbox: for one port each, and for as long as the sandbox lives, because the key they are signed
// with lives no longer. A token says what it is for, so none is kept.
import { createHmac, randomBytes, timingSafeEqual } from 'node:crypto';

export const TOKEN_PARAMETER = '_modal_connect_token';
/** As Modal has it. */
export const MAX_USER_DATA = 512;

export interface Grant {
  port: number;
  /** Passed on to the server in the sandbox, which may trust it. */
  userData: string;
}

export interface ConnectTokens {
  sign(grant: Grant): string;
  /** Compares in constant time. */
  verify(token: string): Grant | undefined;
}

export interface Admission extends Grant {
  /** The request's target without the token. */
  target: string;
  /** The request's headers without the token, name and value in turn. */
  headers: string[];
}

export function createConnectTokens(): ConnectTokens {
  const key = randomBytes(32);
  const signature = (body: string) => createHmac('sha256', key).update(body).digest();
  return {
    sign({ port, userData }) {
      const body = Buffer.from(JSON.stringify([port, userData])).toString('base64url');
      return `${body}.${signature(body).toString('base64url')}`;
    },
    verify(token) {
      const [body = '', given = '', ...rest] = token.split('.');
      const expected = signature(body);
      const bytes = Buffer.from(given, 'base64url');
      if (bytes.length !== expected.length || !timingSafeEqual(bytes, expected) || rest.length > 0)
        return undefined;
      const [port, userData]: [number, string] = JSON.parse(Buffer.from(body, 'base64url').toString('utf8'));
      return { port, userData };
    },
  };
}

/** Who a request may go to; undefined without a token of this sandbox. The one in the query counts before the header's. */
export function admit(
  tokens: ConnectTokens,
  request: { url?: string; rawHeaders: readonly string[] },
): Admission | undefined {
  const { target, token: inQuery } = withoutToken(request.url ?? '/');
  const headers = pairs(request.rawHeaders);
  const inHeader = headers.map(bearer).find((token) => token !== undefined);
  const token = inQuery ?? inHeader;
  const grant = token === undefined ? undefined : tokens.verify(token);
  if (grant === undefined) return undefined;
  // Beside a token in the query, the header is the server's own affair.
  const kept = headers.filter((header) => bearer(header) !== token);
  return { ...grant, target, headers: kept.flat() };
}

/** Leaves the rest of the target as it was written. */
function withoutToken(url: string): { target: string; token: string | undefined } {
  const at = url.indexOf('?');
  if (at < 0) return { target: url, token: undefined };
  const path = url.slice(0, at);
  const parameters = url.slice(at + 1).split('&');
  const own = (parameter: string) => parameter.startsWith(`${TOKEN_PARAMETER}=`);
  const kept = parameters.filter((parameter) => !own(parameter));
  const token = parameters.find(own)?.slice(TOKEN_PARAMETER.length + 1);
  if (token === undefined) return { target: url, token };
  return { target: kept.length === 0 ? path : `${path}?${kept.join('&')}`, token };
}

function bearer([name, value]: readonly [string, string]): string | undefined {
  return name.toLowerCase() === 'authorization' ? /^bearer +(\S+) *$/i.exec(value)?.[1] : undefined;
}

export function pairs(rawHeaders: readonly string[]): [string, string][] {
  const found: [string, string][] = [];
  for (let at = 0; at + 1 < rawHeaders.length; at += 2)
    found.push([rawHeaders[at] ?? '', rawHeaders[at + 1] ?? '']);
  return found;
}
