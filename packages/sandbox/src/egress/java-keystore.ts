// Certificates as Java reads them: a JKS key store of trusted ones. The format is that of sun.security.provider.JavaKeyStore:
// numbers big-endian, then a SHA-1 over password and content, which readers without the password pass over.
import { createHash, X509Certificate } from 'node:crypto';

const MAGIC = 0xfeedfeed;
const VERSION = 2;
const TRUSTED_CERTIFICATE = 2;
/** What Java's own stores have. */
const PASSWORD = 'changeit';
const SALT = 'Mighty Aphrodite';

/** Of certificates in PEM, one each. */
export function javaKeystore(certificates: readonly string[]): Buffer {
  const entries = certificates.flatMap((pem, index) => entryOf(new X509Certificate(pem).raw, index));
  const content = Buffer.concat([int(MAGIC), int(VERSION), int(certificates.length), ...entries]);
  const password = Buffer.from(PASSWORD, 'utf16le').swap16();
  const digest = createHash('sha1').update(password).update(SALT).update(content).digest();
  return Buffer.concat([content, digest]);
}

function entryOf(der: Buffer, index: number): Buffer[] {
  const madeAt = Buffer.alloc(8);
  return [int(TRUSTED_CERTIFICATE), text(`ca-${index}`), madeAt, text('X.509'), int(der.length), der];
}

function int(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(value);
  return bytes;
}

function text(value: string): Buffer {
  const length = Buffer.alloc(2);
  length.writeUInt16BE(value.length);
  return Buffer.concat([length, Buffer.from(value)]);
}
