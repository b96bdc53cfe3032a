// Signed tokens in the form the SDK reads: a JWT whose `exp` tells it when to ask again. The key is made from the
// account's secret, so that a token outlives a restart of the emulator as it does one of Modal's servers.
import { createHmac, randomBytes, timingSafeEqual } from 'node:crypto';

const LIFETIME_SECONDS = 20 * 60;

export interface Tokens {
  sign(subject: string): string;
  /** The subject of a valid, unexpired token. */
  verify(token: string): string | undefined;
}

export function createTokens(accountSecret: string): Tokens {
  const key = createHmac('sha256', accountSecret).update('capstan task tokens').digest();
  const digest = (text: string) => createHmac('sha256', key).update(text).digest();
  const nowSeconds = () => Math.floor(Date.now() / 1000);
  return {
    sign(subject) {
      const claims = { sub: subject, iat: nowSeconds(), exp: nowSeconds() + LIFETIME_SECONDS };
      const body = `${encode({ alg: 'HS256', typ: 'JWT' })}.${encode(claims)}`;
      return `${body}.${digest(body).toString('base64url')}`;
    },
    verify(token) {
      const [header, payload, signature, ...rest] = token.split('.');
      if (header === undefined || payload === undefined || signature === undefined || rest.length > 0)
        return undefined;
      const expected = digest(`${header}.${payload}`);
      const given = Buffer.from(signature, 'base64url');
      if (given.length !== expected.length || !timingSafeEqual(given, expected)) return undefined;
      const claims: { sub: string; exp: number } = JSON.parse(
        Buffer.from(payload, 'base64url').toString('utf8'),
      );
      return claims.exp > nowSeconds() ? claims.sub : undefined;
    },
  };
}

/** Compares without telling, by its duration, where two secrets part. */
export function sameSecret(given: string, expected: string): boolean {
  const key = randomBytes(32);
  const digest = (text: string) => createHmac('sha256', key).update(text).digest();
  return timingSafeEqual(digest(given), digest(expected));
}

function encode(value: Record<string, string | number>): string {
  return Buffer.from(JSON.stringify(value)).toString('base64url');
}
