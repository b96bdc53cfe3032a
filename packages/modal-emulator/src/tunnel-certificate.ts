// The certificate of encrypted tunnels: of this emulator's own making, for the loopback, kept with its state. Who connects
// trusts `tunnels.pem`, for example by NODE_EXTRA_CA_CERTS.
import {
  createPrivateKey,
  generateKeyPairSync,
  type KeyObject,
  randomBytes,
  sign,
  X509Certificate,
} from 'node:crypto';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

export interface TlsIdentity {
  /** PEM. */
  key: string;
  cert: string;
}

const YEARS = 10;
const RENEWAL_MS = 30 * 24 * 3600_000;

/** The one `stateDir` has, or a new one where it has none that is valid for another month. */
export function tunnelIdentity(stateDir: string): TlsIdentity {
  const paths = { key: join(stateDir, 'state', 'tunnels-key.pem'), cert: join(stateDir, 'tunnels.pem') };
  const known = read(paths);
  if (known !== undefined) return known;
  const made = createIdentity();
  writeFileSync(paths.key, made.key, { mode: 0o600 });
  writeFileSync(paths.cert, made.cert);
  return made;
}

function read(paths: TlsIdentity): TlsIdentity | undefined {
  try {
    const identity = { key: readFileSync(paths.key, 'utf8'), cert: readFileSync(paths.cert, 'utf8') };
    const certificate = new X509Certificate(identity.cert);
    const isOwn = certificate.checkPrivateKey(createPrivateKey(identity.key));
    return isOwn && certificate.validToDate.getTime() > Date.now() + RENEWAL_MS ? identity : undefined;
  } catch {
    return undefined;
  }
}

/** X.509 v3 with ECDSA on P-256 and SHA-256, its own authority, for 127.0.0.1 and localhost. */
export function createIdentity(now = new Date()): TlsIdentity {
  const { publicKey, privateKey } = generateKeyPairSync('ec', { namedCurve: 'prime256v1' });
  const body = certificateBody(publicKey, now);
  const signature = sign('sha256', body, privateKey);
  const bytes = sequence(body, ECDSA_SHA256, der(0x03, Buffer.of(0), signature));
  const text = bytes.toString('base64').replace(/.{1,64}/g, '$&\n');
  return {
    key: privateKey.export({ type: 'pkcs8', format: 'pem' }).toString(),
    cert: `-----BEGIN CERTIFICATE-----\n${text}-----END CERTIFICATE-----\n`,
  };
}

function certificateBody(publicKey: KeyObject, now: Date): Buffer {
  const until = new Date(now);
  until.setUTCFullYear(now.getUTCFullYear() + YEARS);
  const name = sequence(der(0x31, sequence(oid('550403'), der(0x0c, Buffer.from('Capstan local tunnels')))));
  const names = sequence(der(0x82, Buffer.from('localhost')), der(0x87, Buffer.of(127, 0, 0, 1)));
  const extensions = sequence(
    extension('551d13', sequence(der(0x01, Buffer.of(0xff)))),
    extension('551d11', names),
  );
  return sequence(
    der(0xa0, der(0x02, Buffer.of(2))),
    // Positive, and no longer than it may be.
    der(0x02, Buffer.of(1), randomBytes(15)),
    ECDSA_SHA256,
    name,
    sequence(time(now), time(until)),
    name,
    publicKey.export({ type: 'spki', format: 'der' }),
    der(0xa3, extensions),
  );
}

function extension(id: string, value: Buffer): Buffer {
  return sequence(oid(id), der(0x04, value));
}

function time(date: Date): Buffer {
  return der(0x18, Buffer.from(date.toISOString().replace(/[-:T]|\.\d+/g, '')));
}

function oid(hex: string): Buffer {
  return der(0x06, Buffer.from(hex, 'hex'));
}

function sequence(...content: readonly Uint8Array[]): Buffer {
  return der(0x30, ...content);
}

/** A value shorter than 64 KiB. */
function der(tag: number, ...content: readonly Uint8Array[]): Buffer {
  const body = Buffer.concat(content);
  const { length } = body;
  const size =
    length < 0x80 ? [length] : length < 0x100 ? [0x81, length] : [0x82, length >> 8, length & 0xff];
  return Buffer.concat([Buffer.of(tag, ...size), body]);
}

const ECDSA_SHA256 = sequence(oid('2a8648ce3d040302'));
