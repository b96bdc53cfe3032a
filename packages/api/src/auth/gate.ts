// Who calls: a key in `Authorization: Bearer` or `x-api-key`, or the Console's cookie, which counts as its API key.
// A key that is sent decides alone (an empty header sends none); a cookie may write only from the Console's own origin. Workers of self-hosted
// environments show keys and tokens of their own, which only the routes take that say so.
import { ApiError } from '@capstan/schema/error';
import type { Credential } from '@capstan/schema/route';
import type { Principal } from '../call.ts';
import type { ApiPorts } from '../ports.ts';
import { asksForSocket } from '../socket.ts';
import { CookieSigner } from './cookie.ts';
import { Keyring } from './keyring.ts';
import { credentialOf, WorkerKeys } from './worker-keys.ts';

const LONGEST_KEY = 512;

export class Gate {
  readonly keyring: Keyring;
  readonly cookies: CookieSigner;
  readonly workers: WorkerKeys;
  #clock: ApiPorts['clock'];

  constructor(ports: ApiPorts) {
    this.keyring = new Keyring(ports);
    this.cookies = new CookieSigner(ports.secrets.root);
    this.workers = new WorkerKeys(ports);
    this.#clock = ports.clock;
  }

  /** Refuses with `unauthenticated`, or `forbidden`: a write from another site, a credential that is not among `callers`. */
  async admit(request: Request, callers: readonly Credential[] = ['api_key']): Promise<Principal> {
    const key = sentKey(request);
    if (key !== null) {
      const kind = credentialOf(key);
      const principal = await this.#holderOf(key, kind);
      requireCaller(kind, callers);
      return principal;
    }
    const principal = await this.cookies.read(request, this.#clock.now());
    if (principal === null) {
      throw new ApiError(
        'unauthenticated',
        'No API key: send it as `x-api-key: KEY` or `Authorization: Bearer KEY`',
      );
    }
    if (!isRead(request)) requireSameOrigin(request);
    requireCaller('api_key', callers);
    if (await this.keyring.stillHolds(principal)) return principal;
    throw new ApiError('unauthenticated', 'The API key behind this sign-in was revoked: sign in again');
  }

  #holderOf(key: string, kind: Credential): Promise<Principal> {
    if (kind === 'environment_key') return this.workers.byKey(key);
    return kind === 'sessions_token' ? this.workers.byToken(key) : this.byKey(key);
  }

  async byKey(key: string): Promise<Principal> {
    const principal = key.length > LONGEST_KEY ? null : await this.keyring.whose(key);
    if (principal !== null) return principal;
    throw new ApiError('unauthenticated', 'This API key is unknown or was revoked');
  }
}

const NAMES: Record<Credential, string> = {
  api_key: 'an API key',
  environment_key: "the environment's key (sk-ant-oat01-…)",
  sessions_token: 'the sessions token of the work item (sk-ant-req-…)',
};

function requireCaller(kind: Credential, callers: readonly Credential[]): void {
  if (callers.includes(kind)) return;
  const wanted = callers.map((caller) => NAMES[caller]).join(' or ');
  throw new ApiError('forbidden', `This call takes ${wanted}; what was sent is ${NAMES[kind]}`);
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
  const key = request.headers.get('x-api-key')?.trim();
  if (key) return key;
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
