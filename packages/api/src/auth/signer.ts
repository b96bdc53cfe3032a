// Text that only this platform can have written: a JSON value with its MAC, by a key derived from the root secret for one
// purpose. It can be read by whoever holds it, so no secret belongs in it.
import { fromBase64Url, toBase64Url } from './digest.ts';

export class Signer {
  #rootSecret: string;
  #purpose: string;
  #derived: CryptoKey | null = null;

  /** What is signed for one purpose is not accepted for another. */
  constructor(rootSecret: string, purpose: string) {
    this.#rootSecret = rootSecret;
    this.#purpose = purpose;
  }

  /** Of characters that cookies, queries and headers carry as they are. */
  async sign(value: object): Promise<string> {
    const body = toBase64Url(new TextEncoder().encode(JSON.stringify(value)));
    const mac = await crypto.subtle.sign('HMAC', await this.#key(), new TextEncoder().encode(body));
    return `${body}.${toBase64Url(new Uint8Array(mac))}`;
  }

  /** Undefined when it was not signed here, for this purpose. */
  async read(text: string): Promise<unknown> {
    const [body, mac] = text.split('.');
    const signature = mac === undefined ? null : fromBase64Url(mac);
    if (body === undefined || signature === null) return undefined;
    const key = await this.#key();
    if (!(await crypto.subtle.verify('HMAC', key, signature, new TextEncoder().encode(body))))
      return undefined;
    return JSON.parse(new TextDecoder().decode(fromBase64Url(body) ?? new Uint8Array()));
  }

  async #key(): Promise<CryptoKey> {
    this.#derived ??= await deriveKey(this.#rootSecret, this.#purpose);
    return this.#derived;
  }
}

async function deriveKey(rootSecret: string, purpose: string): Promise<CryptoKey> {
  const raw = new TextEncoder().encode(rootSecret);
  const root = await crypto.subtle.importKey('raw', raw, 'HKDF', false, ['deriveKey']);
  const info = new TextEncoder().encode(`capstan/${purpose}`);
  const derivation = { name: 'HKDF', hash: 'SHA-256', salt: new Uint8Array(), info };
  const use = { name: 'HMAC', hash: 'SHA-256', length: 256 };
  return crypto.subtle.deriveKey(derivation, root, use, false, ['sign', 'verify']);
}
