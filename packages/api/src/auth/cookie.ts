// The Console's cookie: who signed in and until when, signed with a key derived from the root secret.
// It holds no secret, scripts cannot read it, and other sites' requests do not carry it.
import { z } from 'zod';
import type { Principal } from '../call.ts';
import { fromBase64Url, toBase64Url } from './digest.ts';

const NAME = 'capstan_console';
const LIFETIME_SECONDS = 7 * 24 * 3600;

const payload = z.object({
  tenantId: z.string(),
  apiKey: z.object({ id: z.string(), name: z.string(), lastFour: z.string() }),
  /** Epoch ms. */
  expiresAt: z.number(),
});

export class CookieSigner {
  #rootSecret: string;
  #derived: CryptoKey | null = null;

  constructor(rootSecret: string) {
    this.#rootSecret = rootSecret;
  }

  /** The `set-cookie` value that signs `principal` in from `now` (epoch ms). */
  async issue(principal: Principal, { now, secure }: { now: number; secure: boolean }): Promise<string> {
    const text = JSON.stringify({ ...principal, expiresAt: now + LIFETIME_SECONDS * 1000 });
    const body = toBase64Url(new TextEncoder().encode(text));
    const mac = await crypto.subtle.sign('HMAC', await this.#key(), new TextEncoder().encode(body));
    return attributes(`${body}.${toBase64Url(new Uint8Array(mac))}`, LIFETIME_SECONDS, secure);
  }

  /** Null: no cookie, a forged one, one of another release, or one that ended before `now` (epoch ms). */
  async read(request: Request, now: number): Promise<Principal | null> {
    const [body, mac] = cookieValue(request)?.split('.') ?? [];
    const signature = mac === undefined ? null : fromBase64Url(mac);
    if (body === undefined || signature === null) return null;
    const key = await this.#key();
    if (!(await crypto.subtle.verify('HMAC', key, signature, new TextEncoder().encode(body)))) return null;
    const text = new TextDecoder().decode(fromBase64Url(body) ?? new Uint8Array());
    const { data } = payload.safeParse(JSON.parse(text));
    return data !== undefined && data.expiresAt > now
      ? { tenantId: data.tenantId, apiKey: data.apiKey }
      : null;
  }

  async #key(): Promise<CryptoKey> {
    this.#derived ??= await deriveKey(this.#rootSecret);
    return this.#derived;
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

async function deriveKey(rootSecret: string): Promise<CryptoKey> {
  const root = await crypto.subtle.importKey('raw', new TextEncoder().encode(rootSecret), 'HKDF', false, [
    'deriveKey',
  ]);
  const info = new TextEncoder().encode('capstan/console-cookie');
  const derivation = { name: 'HKDF', hash: 'SHA-256', salt: new Uint8Array(), info };
  const use = { name: 'HMAC', hash: 'SHA-256', length: 256 };
  return crypto.subtle.deriveKey(derivation, root, use, false, ['sign', 'verify']);
}
