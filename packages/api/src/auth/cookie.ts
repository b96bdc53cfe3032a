// The Console's cookie: who signed in and until when, signed with a key derived from the root secret.
// It holds no secret, scripts cannot read it, and other sites' requests do not carry it.
import { z } from 'zod';
import type { Principal } from '../call.ts';
import { Signer } from './signer.ts';

const NAME = 'capstan_console';
const LIFETIME_SECONDS = 7 * 24 * 3600;

const payload = z.object({
  tenantId: z.string(),
  apiKey: z.object({ id: z.string(), name: z.string(), lastFour: z.string() }),
  /** Epoch ms. */
  expiresAt: z.number(),
});

export class CookieSigner {
  #signer: Signer;

  constructor(rootSecret: string) {
    this.#signer = new Signer(rootSecret, 'console-cookie');
  }

  /** The `set-cookie` value that signs `principal` in from `now` (epoch ms). */
  async issue(principal: Principal, { now, secure }: { now: number; secure: boolean }): Promise<string> {
    const value = await this.#signer.sign({ ...principal, expiresAt: now + LIFETIME_SECONDS * 1000 });
    return attributes(value, LIFETIME_SECONDS, secure);
  }

  /** Null: no cookie, a forged one, one of another release, or one that ended before `now` (epoch ms). */
  async read(request: Request, now: number): Promise<Principal | null> {
    const value = cookieValue(request);
    const { data } = payload.safeParse(value === undefined ? undefined : await this.#signer.read(value));
    return data !== undefined && data.expiresAt > now
      ? { tenantId: data.tenantId, apiKey: data.apiKey }
      : null;
  }
}

/** The `set-cookie` value that signs out. */
export function clearedCookie(secure: boolean): string {
  return attributes('', 0, secure);
}

function attributes(value: string, maxAge: number, secure: boolean): string {
  const parts = [`${NAME}=${value}`, 'Path=/', `Max-Age=${maxAge}`, 'HttpOnly', 'SameSite=Strict'];
  return [...parts, ...(secure ? ['Secure'] : [])].join('; ');
}

function cookieValue(request: Request): string | undefined {
  const pairs = (request.headers.get('cookie') ?? '').split(';').map((pair) => pair.trim());
  return pairs.find((pair) => pair.startsWith(`${NAME}=`))?.slice(NAME.length + 1);
}
