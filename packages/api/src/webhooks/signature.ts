// Signatures by the Standard Webhooks specification, which the API's SDKs check: `v1,` and the HMAC-SHA256, in base64, of
// `id.timestamp.body`, under the bytes that the secret is the base64 of. Several of them are separated by spaces.
const PREFIX = 'whsec_';
const SECRET_BYTES = 32;

const encoder = new TextEncoder();

export interface Signed {
  id: string;
  /** Unix seconds. */
  timestamp: number;
  body: string;
}

export function newSigningSecret(): string {
  return PREFIX + toBase64(crypto.getRandomValues(new Uint8Array(SECRET_BYTES)));
}

/** The headers of a delivery, signed with every secret. */
export async function signedHeaders(
  secrets: readonly string[],
  { id, timestamp, body }: Signed,
): Promise<Record<string, string>> {
  const content = `${id}.${timestamp}.${body}`;
  const signatures = await Promise.all(secrets.map((secret) => sign(secret, content)));
  return {
    'webhook-id': id,
    'webhook-timestamp': String(timestamp),
    'webhook-signature': signatures.join(' '),
  };
}

async function sign(secret: string, content: string): Promise<string> {
  const bytes = Uint8Array.from(atob(secret.slice(PREFIX.length)), (char) => char.charCodeAt(0));
  const algorithm = { name: 'HMAC', hash: 'SHA-256' };
  const key = await crypto.subtle.importKey('raw', bytes, algorithm, false, ['sign']);
  return `v1,${toBase64(new Uint8Array(await crypto.subtle.sign('HMAC', key, encoder.encode(content))))}`;
}

function toBase64(bytes: Uint8Array): string {
  return btoa(String.fromCharCode(...bytes));
}
