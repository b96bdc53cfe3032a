// Authority: the certificate authority of an installation, and the server certificates it makes for hosts with credentials.
// Its key is derived from the gateway's secret: every gateway process has the same one, and nothing of it is kept anywhere.
import {
  createECDH,
  createPrivateKey,
  createPublicKey,
  generateKeyPairSync,
  hkdfSync,
  type KeyObject,
  randomBytes,
} from 'node:crypto';
import { createSecureContext, type SecureContext } from 'node:tls';
import type { Host } from '@capstan/shared/hosts';
import { createCertificate, keyIdOf } from './certificate.ts';

export interface Authority {
  /** PEM; what sandboxes are to trust. */
  certificate: string;
  /** What a server named `host` shows. Made once per host and kept for days. */
  contextFor(host: Host): SecureContext;
}

const HOUR_MS = 60 * 60 * 1000;
const LEAF_LIFE_MS = 7 * 24 * HOUR_MS;
/** Clocks of sandboxes may be behind ours. */
const SKEW_MS = 24 * HOUR_MS;
const MAX_LEAVES = 1000;
/** Constant, so that every process makes a certificate that says the same. */
const AUTHORITY_FROM = Date.UTC(2025, 0, 1);
const AUTHORITY_UNTIL = Date.UTC(2049, 11, 31);
const ORDER_OF_P256 = BigInt('0xffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551');

export function createAuthority(secret: string, now: () => number = Date.now): Authority {
  const privateKey = deriveSigningKey(secret);
  const publicKey = createPublicKey(privateKey);
  const keyId = keyIdOf(publicKey);
  const name = `Capstan egress ${keyId.toString('hex', 0, 4)}`;
  const issued = { issuer: name, signingKey: privateKey };
  // One key for all servers: it never leaves this process, and a sandbox that trusts one trusts them all.
  const leafKeys = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const leaves = new Map<string, { context: SecureContext; renewAt: number }>();
  const certificate = createCertificate({
    ...issued,
    subject: name,
    publicKey,
    serial: keyId.subarray(0, 16),
    validFrom: AUTHORITY_FROM,
    validUntil: AUTHORITY_UNTIL,
    host: null,
  });
  const mint = (host: Host, at: number) =>
    createSecureContext({
      cert: createCertificate({
        ...issued,
        // Longer than a common name may be, a host is named by its alternative name alone.
        subject: host.text.slice(0, 64),
        publicKey: leafKeys.publicKey,
        serial: randomBytes(16),
        validFrom: at - SKEW_MS,
        validUntil: at + LEAF_LIFE_MS,
        host,
      }),
      key: leafKeys.privateKey.export({ type: 'pkcs8', format: 'pem' }),
      minVersion: 'TLSv1.2',
    });
  return {
    certificate,
    contextFor(host) {
      const at = now();
      const known = leaves.get(host.text);
      if (known !== undefined && known.renewAt > at) return known.context;
      const context = mint(host, at);
      leaves.delete(host.text);
      leaves.set(host.text, { context, renewAt: at + LEAF_LIFE_MS / 2 });
      const oldest = leaves.keys().next().value;
      if (leaves.size > MAX_LEAVES && oldest !== undefined) leaves.delete(oldest);
      return context;
    },
  };
}

function deriveSigningKey(secret: string): KeyObject {
  // 16 bytes more than the order has, so that the remainder favours no key.
  const wide = Buffer.from(hkdfSync('sha256', secret, '', 'capstan egress authority', 48)).toString('hex');
  const scalar = (BigInt(`0x${wide}`) % (ORDER_OF_P256 - 1n)) + 1n;
  const d = Buffer.from(scalar.toString(16).padStart(64, '0'), 'hex');
  const curve = createECDH('prime256v1');
  curve.setPrivateKey(d);
  const point = curve.getPublicKey();
  const [x, y] = [point.subarray(1, 33), point.subarray(33)].map((half) => half.toString('base64url'));
  return createPrivateKey({
    key: { kty: 'EC', crv: 'P-256', d: d.toString('base64url'), x, y },
    format: 'jwk',
  });
}
