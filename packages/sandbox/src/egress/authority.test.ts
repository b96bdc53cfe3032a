import { execFileSync } from 'node:child_process';
import { X509Certificate } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { connect as connectTcp, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { connect, TLSSocket } from 'node:tls';
import { parseHost } from '@capstan/shared/hosts';
import fc from 'fast-check';
import { describe, expect, it, onTestFinished } from 'vitest';
import { createAuthority } from './authority.ts';
import { integer, oid, time } from './der.ts';
import { portOf } from './testing.ts';

const SECRET = 'a-secret-of-thirty-two-characters-';
const authority = createAuthority(SECRET);

/** The certificate a client sees, or the code it refuses it with. */
async function shownTo(
  servername: string | undefined,
  host: string,
  ca: string,
): Promise<X509Certificate | string> {
  const parsed = parseHost(host);
  if (parsed === null) throw new RangeError(host);
  const server = createServer((socket) => {
    const secure = new TLSSocket(socket, { isServer: true, secureContext: authority.contextFor(parsed) });
    secure.on('error', () => {});
  }).listen(0, '127.0.0.1');
  onTestFinished(() => void server.close());
  await new Promise((resolve) => server.once('listening', resolve));
  return new Promise((resolve) => {
    const socket = connect({
      socket: connectTcp(portOf(server), '127.0.0.1'),
      servername,
      host: parsed.text,
      ca,
    });
    socket.once('secureConnect', () => {
      resolve(socket.getPeerX509Certificate() ?? 'none');
      socket.destroy();
    });
    socket.once('error', (error) => resolve('code' in error ? String(error.code) : error.message));
  });
}

function openssl(args: string[], files: Record<string, string>): string {
  const dir = mkdtempSync(join(tmpdir(), 'capstan-ca-'));
  onTestFinished(() => rmSync(dir, { recursive: true }));
  for (const [name, content] of Object.entries(files)) writeFileSync(join(dir, name), content);
  return execFileSync('openssl', args, { cwd: dir, encoding: 'utf8', stdio: 'pipe' });
}

describe('authority', () => {
  it('is the same wherever the same secret is, and another for another', () => {
    const [again, other] = [createAuthority(SECRET), createAuthority(`${SECRET}x`)];
    const keyOf = (pem: string) => new X509Certificate(pem).publicKey.export({ type: 'spki', format: 'pem' });
    expect(keyOf(again.certificate)).toBe(keyOf(authority.certificate));
    expect(new X509Certificate(again.certificate).subject).toBe(
      new X509Certificate(authority.certificate).subject,
    );
    expect(keyOf(other.certificate)).not.toBe(keyOf(authority.certificate));
  });

  it('says what an authority says, to openssl', () => {
    const text = openssl(['x509', '-in', 'ca.pem', '-noout', '-text'], { 'ca.pem': authority.certificate });
    for (const line of [
      'Version: 3',
      'CA:TRUE, pathlen:0',
      'Certificate Sign',
      'ecdsa-with-SHA256',
      'NIST CURVE: P-256',
      'Not After : Dec 31',
    ])
      expect(text).toContain(line);
    expect(text).toMatch(/Basic Constraints: critical[\s\S]*Key Usage: critical/);
  });

  it('makes server certificates that openssl verifies strictly', async () => {
    const shown = await shownTo('api.example.com', 'api.example.com', authority.certificate);
    if (typeof shown === 'string') throw new Error(shown);
    const files = { 'ca.pem': authority.certificate, 'leaf.pem': shown.toString() };
    const check = ['verify', '-x509_strict', '-purpose', 'sslserver', '-CAfile', 'ca.pem'];
    expect(openssl([...check, '-verify_hostname', 'api.example.com', 'leaf.pem'], files)).toContain(
      'leaf.pem: OK',
    );
    expect(() => openssl([...check, '-verify_hostname', 'evil.example.com', 'leaf.pem'], files)).toThrow();
    const text = openssl(['x509', '-in', 'leaf.pem', '-noout', '-text'], files);
    expect(text).toMatch(
      /CA:FALSE[\s\S]*Digital Signature[\s\S]*TLS Web Server Authentication[\s\S]*DNS:api\.example\.com/,
    );
    expect(text.match(/Serial Number:\s*([0-9a-f:]+)/)?.[1]).not.toMatch(/^00:|-/);
  });

  it.each([
    ['api.example.com', undefined],
    [`${'a'.repeat(60)}.${'b'.repeat(60)}.example.com`, undefined],
    ['8.8.8.8', 'no'],
    ['[2606:4700::1111]', 'no'],
  ])('speaks for %s', async (host, none) => {
    expect(await shownTo(none ? undefined : host, host, authority.certificate)).toBeInstanceOf(
      X509Certificate,
    );
  });

  it('speaks for no other name, and to nobody who trusts another authority', async () => {
    expect(await shownTo('b.example.com', 'a.example.com', authority.certificate)).toBe(
      'ERR_TLS_CERT_ALTNAME_INVALID',
    );
    const other = createAuthority(`${SECRET}x`).certificate;
    expect(await shownTo('a.example.com', 'a.example.com', other)).toMatch(
      /UNABLE_TO_(GET_ISSUER_CERT_LOCALLY|VERIFY_LEAF_SIGNATURE)/,
    );
  });

  it('makes a certificate once, and anew before it ends', () => {
    let now = Date.now();
    const own = createAuthority(SECRET, () => now);
    const host = { kind: 'name', text: 'a.example.com' } as const;
    const first = own.contextFor(host);
    now += 3 * 24 * 60 * 60 * 1000;
    expect(own.contextFor(host)).toBe(first);
    now += 24 * 60 * 60 * 1000;
    expect(own.contextFor(host)).not.toBe(first);
  });
});

describe('DER', () => {
  it('writes integers as their shortest non-negative form', () => {
    fc.assert(
      fc.property(fc.bigInt({ min: 0n, max: 2n ** 160n }), fc.nat({ max: 4 }), (value, zeros) => {
        const hex = value.toString(16);
        const bytes = Buffer.concat([
          Buffer.alloc(zeros),
          Buffer.from(hex.length % 2 ? `0${hex}` : hex, 'hex'),
        ]);
        const written = integer(bytes);
        const content = written.subarray(2);
        expect(written[1]).toBe(content.length);
        expect(BigInt(`0x${content.toString('hex')}`)).toBe(value);
        expect((content[0] ?? 0) & 0x80).toBe(0);
        if (content.length > 1) expect(content[0] !== 0 || ((content[1] ?? 0) & 0x80) !== 0).toBe(true);
      }),
    );
  });

  it('writes object identifiers and both kinds of time', () => {
    expect(oid('1.2.840.10045.4.3.2').toString('hex')).toBe('06082a8648ce3d040302');
    expect(time(Date.UTC(2049, 11, 31, 23, 59, 59)).toString('latin1')).toBe('\x17\r491231235959Z');
    expect(time(Date.UTC(2050, 0, 1)).toString('latin1')).toBe('\x18\x0f20500101000000Z');
  });
});
