// Requests between our own programs, signed with a shared secret; WebCrypto, so the same code runs in Workers and Node.
// The signature covers `timestamp.nonce.METHOD.path?query.sha256(body)`, lives 30 s and is accepted once per verifier. A verifier
// that begins takes nothing that was signed before: what its predecessor accepted is not accepted again, as long as the signer's
// clock is not ahead of the verifier's; what a clock that is ahead signed can be replayed for as long as it is ahead.

export const SIGNATURE_HEADERS = {
  timestamp: 'x-capstan-timestamp',
  nonce: 'x-capstan-nonce',
  signature: 'x-capstan-signature',
} as const;

export const MIN_SECRET_LENGTH = 32;
type Key = Awaited<ReturnType<typeof crypto.subtle.importKey>>;

const MAX_SKEW_MS = 30_000;
/** Beyond this many live nonces requests are refused rather than remembered wrongly. */
const MAX_NONCES = 200_000;

export interface SignedRequest {
  method: string;
  /** Path and query as they stand in the request line. */
  path: string;
  body: Uint8Array;
}

/** `earlier`: signed before this verifier began; sign it again. */
export type Refusal = 'unsigned' | 'expired' | 'earlier' | 'forged' | 'replayed' | 'busy';
export type Verdict = { ok: true } | { ok: false; reason: Refusal };

export interface Signer {
  /** The headers that sign this request, once. */
  sign(request: SignedRequest): Promise<Record<string, string>>;
}

export interface Verifier {
  /** What the headers alone are refused for, before a body is read; null: nothing yet. */
  screen(header: (name: string) => string | null): Refusal | null;
  /** `header` gives a request's header by lower-case name. Remembers the nonce of what it accepts. */
  verify(request: SignedRequest, header: (name: string) => string | null): Promise<Verdict>;
}

/** What signatures are verified with. WebCrypto hands each piece of work to another thread, which is slower than the work. */
export interface Hashing {
  sha256(bytes: Uint8Array): Uint8Array | Promise<Uint8Array>;
  /** Tells whether a signature is the secret's; how long that takes tells nothing about either. */
  verifierOf(secret: string): (signature: Uint8Array, signed: Uint8Array) => boolean | Promise<boolean>;
}

/** Throws RangeError when the secret is too short to be one. */
export function createSigner(secret: string, now: () => number = Date.now): Signer {
  const key = importKey(secret);
  return {
    async sign(request) {
      const timestamp = String(now());
      const nonce = crypto.randomUUID();
      const signed = payload(request, { timestamp, nonce }, await webSha256(request.body));
      const signature = new Uint8Array(await crypto.subtle.sign('HMAC', await key, signed));
      return {
        [SIGNATURE_HEADERS.timestamp]: timestamp,
        [SIGNATURE_HEADERS.nonce]: nonce,
        [SIGNATURE_HEADERS.signature]: toHex(signature),
      };
    },
  };
}

/**
 * `secrets`: the current one, then those still accepted while it is being rotated. `since`: signed before it is `earlier`, and
 * a verifier that follows another begins when it does. Throws RangeError when a secret is too short.
 */
export type CreateVerifier = (secrets: readonly string[], now?: () => number, since?: number) => Verifier;

export const createVerifier: CreateVerifier = verifiersBy(webHashing());

export function verifiersBy(hashing: Hashing): CreateVerifier {
  return (secrets, now = Date.now, since = Number.NEGATIVE_INFINITY) => {
    if (secrets.length === 0) throw new RangeError('A verifier needs at least one secret');
    for (const secret of secrets) assertLong(secret);
    const keys = secrets.map((secret) => hashing.verifierOf(secret));
    const nonces = createNonces();
    const read = (header: (name: string) => string | null): Credentials | Refusal => {
      const credentials = parseCredentials(header);
      if (!credentials) return 'unsigned';
      return Math.abs(now() - Number(credentials.timestamp)) > MAX_SKEW_MS ? 'expired' : credentials;
    };
    return {
      screen(header) {
        const credentials = read(header);
        return typeof credentials === 'string' ? credentials : null;
      },
      async verify(request, header) {
        const credentials = read(header);
        if (typeof credentials === 'string') return refuse(credentials);
        const { timestamp, signature } = credentials;
        const signed = payload(request, credentials, await hashing.sha256(request.body));
        // Every key is tried: timing tells neither the key nor the signature.
        const results = await Promise.all(keys.map((verifies) => verifies(signature, signed)));
        if (!results.includes(true)) return refuse('forged');
        if (Number(timestamp) < since) return refuse('earlier');
        return nonces.take(credentials.nonce, now());
      },
    };
  };
}

function webHashing(): Hashing {
  return {
    sha256: webSha256,
    verifierOf: (secret) => {
      const key = importKey(secret);
      return async (signature, signed) =>
        crypto.subtle.verify('HMAC', await key, new Uint8Array(signature), new Uint8Array(signed));
    },
  };
}

async function webSha256(bytes: Uint8Array): Promise<Uint8Array> {
  return new Uint8Array(await crypto.subtle.digest('SHA-256', new Uint8Array(bytes)));
}

interface Credentials {
  timestamp: string;
  nonce: string;
  signature: Uint8Array<ArrayBuffer>;
}

function parseCredentials(header: (name: string) => string | null): Credentials | null {
  const timestamp = header(SIGNATURE_HEADERS.timestamp) ?? '';
  const nonce = header(SIGNATURE_HEADERS.nonce) ?? '';
  const signature = parseSignature(header(SIGNATURE_HEADERS.signature) ?? '');
  if (!/^\d{1,15}$/.test(timestamp) || !/^[\w-]{16,64}$/.test(nonce) || !signature) return null;
  return { timestamp, nonce, signature };
}

/** A nonce is remembered for as long as any timestamp it came with can be valid. */
function createNonces() {
  const expiries = new Map<string, number>();
  return {
    take(nonce: string, at: number): Verdict {
      for (const [old, expiry] of expiries) {
        if (expiry > at) break;
        expiries.delete(old);
      }
      if (expiries.has(nonce)) return refuse('replayed');
      if (expiries.size >= MAX_NONCES) return refuse('busy');
      expiries.set(nonce, at + 2 * MAX_SKEW_MS);
      return { ok: true };
    },
  };
}

function refuse(reason: Refusal): Verdict {
  return { ok: false, reason };
}

function payload(
  request: SignedRequest,
  { timestamp, nonce }: { timestamp: string; nonce: string },
  bodyHash: Uint8Array,
) {
  const text = `${timestamp}.${nonce}.${request.method.toUpperCase()}.${request.path}.${toHex(bodyHash)}`;
  return new TextEncoder().encode(text);
}

function toHex(bytes: Uint8Array): string {
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('');
}

function parseSignature(hex: string): Uint8Array<ArrayBuffer> | null {
  if (!/^[0-9a-f]{64}$/.test(hex)) return null;
  return Uint8Array.from({ length: 32 }, (_, i) => Number.parseInt(hex.slice(2 * i, 2 * i + 2), 16));
}

function importKey(secret: string): Promise<Key> {
  assertLong(secret);
  const bytes = new TextEncoder().encode(secret);
  return crypto.subtle.importKey('raw', bytes, { name: 'HMAC', hash: 'SHA-256' }, false, ['sign', 'verify']);
}

function assertLong(secret: string): void {
  if (secret.length < MIN_SECRET_LENGTH)
    throw new RangeError(`A signing secret needs at least ${MIN_SECRET_LENGTH} characters`);
}
