// Who calls: an API key in `Authorization: Bearer` or `x-api-key`, or the Console's cookie.
// A key that is sent decides alone; a cookie may write only from the Console's own origin.
import { ApiError } from '@capstan/schema/error';
import type { Principal } from '../call.ts';
import type { ApiPorts } from '../ports.ts';
import { asksForSocket } from '../socket.ts';
import { CookieSigner } from './cookie.ts';
import { Keyring } from './keyring.ts';

const LONGEST_KEY = 512;

export class Gate {
  readonly keyring: Keyring;
  readonly cookies: CookieSigner;
  #clock: ApiPorts['clock'];

  constructor(ports: ApiPorts) {
    this.keyring = new Keyring(ports);
    this.cookies = new CookieSigner(ports.secrets.root);
    this.#clock = ports.clock;
  }

  /** Refuses with `unauthenticated`, or `forbidden` for a write from another site. */
  async admit(request: Request): Promise<Principal> {
    const key = sentKey(request);
    if (key !== null) return this.byKey(key);
    const principal = await this.cookies.read(request, this.#clock.now());
    if (principal === null) {
      throw new ApiError(
        'unauthenticated',
        'No API key: send it as `x-api-key: KEY` or `Authorization: Bearer KEY`',
      );
    }
    if (!isRead(request)) requireSameOrigin(request);
    if (await this.keyring.stillHolds(principal)) return principal;
    throw new ApiError('unauthenticated', 'The API key behind this sign-in was revoked: sign in again');
  }

  async byKey(key: string): Promise<Principal> {
    const principal = key.length > LONGEST_KEY ? null : await this.keyring.whose(key);
    if (principal !== null) return principal;
    throw new ApiError('unauthenticated', 'This API key is unknown or was revoked');
  }
}

/**
 * A browser says where a write comes from; anything but our own origin is refused. Behind a forwarded port the
 * address a browser sees is not the one that arrives here, but the browser itself says that the two are the same site.
 */
export function requireSameOrigin(request: Request): void {
  const origin = request.headers.get('origin');
  if (origin === new URL(request.url).origin || request.headers.get('sec-fetch-site') === 'same-origin')
    return;
  throw new ApiError(
    'forbidden',
    `origin: ${origin ?? 'missing'} is not this server's address; only its own pages may do this without an API key`,
  );
}

function sentKey(request: Request): string | null {
  const key = request.headers.get('x-api-key');
  if (key !== null) return key.trim();
  const authorization = request.headers.get('authorization');
  if (authorization === null) return null;
  const [scheme = '', value = ''] = authorization.trim().split(/\s+/, 2);
  if (scheme.toLowerCase() === 'bearer' && value !== '') return value;
  throw new ApiError('unauthenticated', 'authorization: expected `Bearer KEY`');
}

/** What a page of another site cannot read, the browser keeping the answer from it. It does not keep sockets from it. */
function isRead(request: Request): boolean {
  return (request.method === 'GET' || request.method === 'HEAD') && !asksForSocket(request);
}
