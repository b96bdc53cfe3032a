import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { createSigner, createVerifier, SIGNATURE_HEADERS, type SignedRequest } from './hmac.ts';

const SECRET = 'a'.repeat(32);
const OTHER = 'b'.repeat(32);
const NOW = 1_800_000_000_000;
const request: SignedRequest = {
  method: 'POST',
  path: '/v1/exec?x=1',
  body: new TextEncoder().encode('{"command":"true"}'),
};

const reader = (headers: Record<string, string>) => (name: string) => headers[name] ?? null;
const sign = (secret = SECRET, at = NOW) => createSigner(secret, () => at).sign(request);

describe('hmac', () => {
  it('accepts a signed request once and refuses its replay', async () => {
    const verifier = createVerifier([SECRET], () => NOW);
    const headers = reader(await sign());
    expect(await verifier.verify(request, headers)).toEqual({ ok: true });
    expect(await verifier.verify(request, headers)).toEqual({ ok: false, reason: 'replayed' });
  });

  it('accepts one of two simultaneous replays', async () => {
    const verifier = createVerifier([SECRET], () => NOW);
    const headers = reader(await sign());
    const verdicts = await Promise.all([1, 2, 3].map(() => verifier.verify(request, headers)));
    expect(verdicts.filter((verdict) => verdict.ok)).toHaveLength(1);
  });

  it('takes nothing that was signed before it began, and tells it from a forgery', async () => {
    const first = createVerifier([SECRET], () => NOW);
    const headers = reader(await sign());
    expect(await first.verify(request, headers)).toEqual({ ok: true });
    const second = createVerifier([SECRET], () => NOW + 5, NOW + 1);
    expect(await second.verify(request, headers)).toEqual({ ok: false, reason: 'earlier' });
    expect(await second.verify(request, reader(await sign(OTHER)))).toEqual({ ok: false, reason: 'forged' });
    expect(await second.verify(request, reader(await sign(SECRET, NOW + 1)))).toEqual({ ok: true });
  });

  it('refuses another method, path, query or body', async () => {
    const headers = reader(await sign());
    const changed: Partial<SignedRequest>[] = [
      { method: 'PUT' },
      { path: '/v1/exec?x=2' },
      { path: '/v1/exec' },
      { body: new TextEncoder().encode('{"command":"false"}') },
    ];
    for (const change of changed) {
      const verdict = await createVerifier([SECRET], () => NOW).verify({ ...request, ...change }, headers);
      expect(verdict).toEqual({ ok: false, reason: 'forged' });
    }
  });

  it('refuses another secret and a moved timestamp or nonce', async () => {
    const verifier = createVerifier([SECRET], () => NOW);
    const headers = await sign();
    const forged = { ok: false, reason: 'forged' };
    expect(await verifier.verify(request, reader(await sign(OTHER)))).toEqual(forged);
    const later = { ...headers, [SIGNATURE_HEADERS.timestamp]: String(NOW + 1) };
    expect(await verifier.verify(request, reader(later))).toEqual(forged);
    const renamed = { ...headers, [SIGNATURE_HEADERS.nonce]: crypto.randomUUID() };
    expect(await verifier.verify(request, reader(renamed))).toEqual(forged);
  });

  it('refuses a request more than 30 s old or early', async () => {
    for (const skew of [-30_001, 30_001]) {
      const verdict = await createVerifier([SECRET], () => NOW + skew).verify(request, reader(await sign()));
      expect(verdict).toEqual({ ok: false, reason: 'expired' });
    }
    const edge = createVerifier([SECRET], () => NOW + 30_000);
    expect(await edge.verify(request, reader(await sign()))).toEqual({ ok: true });
  });

  it('remembers a nonce for as long as its timestamp is valid', async () => {
    let now = NOW - 30_000;
    const verifier = createVerifier([SECRET], () => now);
    const headers = reader(await sign());
    expect(await verifier.verify(request, headers)).toEqual({ ok: true });
    now = NOW + 29_999;
    expect(await verifier.verify(request, headers)).toEqual({ ok: false, reason: 'replayed' });
  });

  it('accepts the previous secret while it is rotated', async () => {
    const verifier = createVerifier([OTHER, SECRET], () => NOW);
    expect(await verifier.verify(request, reader(await sign(SECRET)))).toEqual({ ok: true });
    expect(await verifier.verify(request, reader(await sign(OTHER)))).toEqual({ ok: true });
  });

  it('refuses whatever is not a signature', async () => {
    const verifier = createVerifier([SECRET], () => NOW);
    await fc.assert(
      fc.asyncProperty(fc.string(), fc.string(), fc.string(), async (timestamp, nonce, signature) => {
        const verdict = await verifier.verify(
          request,
          reader({
            [SIGNATURE_HEADERS.timestamp]: timestamp,
            [SIGNATURE_HEADERS.nonce]: nonce,
            [SIGNATURE_HEADERS.signature]: signature,
          }),
        );
        expect(verdict.ok).toBe(false);
      }),
    );
    expect(await verifier.verify(request, () => null)).toEqual({ ok: false, reason: 'unsigned' });
  });

  it('refuses to work with a short secret', () => {
    expect(() => createSigner('short')).toThrow(/at least 32/);
    expect(() => createVerifier([SECRET, 'short'])).toThrow(/at least 32/);
    expect(() => createVerifier([])).toThrow(/at least one/);
  });
});
