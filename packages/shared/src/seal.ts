// Secrets at rest: AES-256-GCM under a key derived from the root secret for one purpose. A sealed text names its key, so that
// the root can change, and opens only for the identity it was sealed for: a copy of it in another row is worth nothing.
/** The purpose of the secrets that tenants hand in. */
export const TENANT_SECRETS = 'tenant-secrets';

const FORMAT = 's1';
const IV_BYTES = 12;

const encoder = new TextEncoder();

type Key = Awaited<ReturnType<typeof crypto.subtle.importKey>>;

interface NamedKey {
  id: string;
  key: Key;
}

export interface Sealer {
  /** `identity` says whose secret it is: tenant, table, row and column. */
  seal(text: string, identity: string): Promise<string>;
  /** Rejects when it was sealed for another identity, under a root that is not known, or was changed. */
  open(sealed: string, identity: string): Promise<string>;
}

/** `roots`: the current root secret, then those that may have been used before. */
export function createSealer(roots: readonly string[], purpose: string): Sealer {
  let derived: Promise<NamedKey[]> | null = null;
  const keys = () => {
    derived ??= Promise.all(roots.map((root) => derive(root, purpose)));
    return derived;
  };
  return {
    async seal(text, identity) {
      const [current] = await keys();
      if (current === undefined) throw new TypeError('There is no root secret to seal with');
      const iv = crypto.getRandomValues(new Uint8Array(IV_BYTES));
      const sealed = await crypto.subtle.encrypt(
        { name: 'AES-GCM', iv, additionalData: encoder.encode(identity) },
        current.key,
        encoder.encode(text),
      );
      return [FORMAT, current.id, toBase64(iv), toBase64(new Uint8Array(sealed))].join('.');
    },
    async open(sealed, identity) {
      const [format, id, iv = '', data = ''] = sealed.split('.');
      const known = (await keys()).find((key) => key.id === id);
      if (format !== FORMAT || known === undefined)
        throw new TypeError('A secret was sealed under a root that is not known here');
      const text = await crypto.subtle.decrypt(
        { name: 'AES-GCM', iv: fromBase64(iv), additionalData: encoder.encode(identity) },
        known.key,
        fromBase64(data),
      );
      return new TextDecoder().decode(text);
    },
  };
}

async function derive(root: string, purpose: string): Promise<NamedKey> {
  const secret = await crypto.subtle.importKey('raw', encoder.encode(root), 'HKDF', false, [
    'deriveKey',
    'deriveBits',
  ]);
  const from = (use: string) => ({
    name: 'HKDF',
    hash: 'SHA-256',
    salt: new Uint8Array(),
    info: encoder.encode(`capstan/seal/${purpose}/${use}`),
  });
  const key = await crypto.subtle.deriveKey(from('key'), secret, { name: 'AES-GCM', length: 256 }, false, [
    'encrypt',
    'decrypt',
  ]);
  const id = new Uint8Array(await crypto.subtle.deriveBits(from('id'), secret, 48));
  return { id: toBase64(id), key };
}

function toBase64(bytes: Uint8Array): string {
  return btoa(String.fromCharCode(...bytes))
    .replaceAll('+', '-')
    .replaceAll('/', '_')
    .replaceAll('=', '');
}

function fromBase64(text: string): Uint8Array<ArrayBuffer> {
  return Uint8Array.from(atob(text.replaceAll('-', '+').replaceAll('_', '/')), (c) => c.charCodeAt(0));
}
