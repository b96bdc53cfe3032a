// Certificate: X.509 v3 with ECDSA on P-256 and SHA-256, for an authority and for the servers it speaks for (RFC 5280).
import { createHash, createPublicKey, type KeyObject, sign } from 'node:crypto';
import { parseIpv4, parseIpv6 } from '@capstan/shared/addresses';
import type { Host } from '@capstan/shared/hosts';
import { bits, explicit, implicit, integer, octets, oid, sequence, set, TRUE, time, utf8 } from './der.ts';

export interface CertificateRequest {
  subject: string;
  issuer: string;
  /** Of the subject. */
  publicKey: KeyObject;
  /** Of the issuer. */
  signingKey: KeyObject;
  serial: Uint8Array;
  /** Epoch milliseconds, whole seconds. */
  validFrom: number;
  validUntil: number;
  /** Null: an authority, for servers only. */
  host: Host | null;
}

const ECDSA_SHA256 = sequence(oid('1.2.840.10045.4.3.2'));
const VERSION_3 = explicit(0, integer(Uint8Array.of(2)));

/** PEM. */
export function createCertificate(request: CertificateRequest): string {
  const body = sequence(
    VERSION_3,
    integer(request.serial),
    ECDSA_SHA256,
    nameOf(request.issuer),
    sequence(time(request.validFrom), time(request.validUntil)),
    nameOf(request.subject),
    spkiOf(request.publicKey),
    explicit(3, sequence(...extensionsOf(request))),
  );
  const signature = sign('sha256', body, request.signingKey);
  const text = sequence(body, ECDSA_SHA256, bits(signature)).toString('base64');
  return `-----BEGIN CERTIFICATE-----\n${text.replace(/.{1,64}/g, '$&\n')}-----END CERTIFICATE-----\n`;
}

/** Identifies a public key; RFC 7093's first method. */
export function keyIdOf(publicKey: KeyObject): Buffer {
  return createHash('sha256').update(spkiOf(publicKey)).digest().subarray(0, 20);
}

function extensionsOf({ host, publicKey, signingKey }: CertificateRequest): Buffer[] {
  const keyId = extension('2.5.29.14', octets(keyIdOf(publicKey)));
  if (host === null) {
    return [
      keyId,
      // An authority for no further authorities.
      critical('2.5.29.19', sequence(TRUE, integer(Uint8Array.of(0)))),
      // keyCertSign
      critical('2.5.29.15', bits(Uint8Array.of(0b0000_0100), 2)),
    ];
  }
  return [
    keyId,
    extension('2.5.29.35', sequence(implicit(0, keyIdOf(createPublicKey(signingKey))))),
    critical('2.5.29.19', sequence()),
    // digitalSignature
    critical('2.5.29.15', bits(Uint8Array.of(0b1000_0000), 7)),
    // serverAuth
    extension('2.5.29.37', sequence(oid('1.3.6.1.5.5.7.3.1'))),
    extension('2.5.29.17', sequence(alternativeNameOf(host))),
  ];
}

function alternativeNameOf({ kind, text }: Host): Buffer {
  if (kind === 'name') return implicit(2, Buffer.from(text));
  return implicit(7, Buffer.from(parseIpv4(text) ?? parseIpv6(text) ?? []));
}

function extension(id: string, value: Buffer): Buffer {
  return sequence(oid(id), octets(value));
}

function critical(id: string, value: Buffer): Buffer {
  return sequence(oid(id), TRUE, octets(value));
}

function nameOf(text: string): Buffer {
  return sequence(set(sequence(oid('2.5.4.3'), utf8(text))));
}

function spkiOf(publicKey: KeyObject): Buffer {
  return publicKey.export({ type: 'spki', format: 'der' });
}
