import { describe, expect, it } from 'vitest';
import { CookieSigner } from './cookie.ts';

const DAY_MS = 24 * 3600 * 1000;
const principal = { tenantId: 'tnt_a', apiKey: { id: 'key_1', name: 'Täst 😀', lastFour: 'abcd' } };
const now = 1_000_000;

function carrying(setCookie: string): Request {
  const [pair = ''] = setCookie.split(';');
  return new Request('https://capstan.test/', { headers: { cookie: `theme=dark; ${pair}; other=1` } });
}

describe('CookieSigner', () => {
  it('reads back whom it signed in, until the cookie ends', async () => {
    const signer = new CookieSigner('root secret');
    const request = carrying(await signer.issue(principal, { now, secure: true }));
    expect(await signer.read(request, now)).toEqual(principal);
    expect(await signer.read(request, now + 7 * DAY_MS - 1)).toEqual(principal);
    expect(await signer.read(request, now + 7 * DAY_MS)).toBeNull();
  });

  it('knows nothing that another root secret signed', async () => {
    const cookie = await new CookieSigner('one secret').issue(principal, { now, secure: true });
    expect(await new CookieSigner('another secret').read(carrying(cookie), now)).toBeNull();
  });

  it('signs nobody in by a cookie that says something else than it knows', async () => {
    const signer = new CookieSigner('root secret');
    const cookie = await signer.issue(JSON.parse('{"person":"usr_1"}'), { now, secure: true });
    expect(await signer.read(carrying(cookie), now)).toBeNull();
  });

  it('is for secure connections only, where there is one', async () => {
    const signer = new CookieSigner('root secret');
    expect(await signer.issue(principal, { now, secure: true })).toMatch(/; Secure$/);
    expect(await signer.issue(principal, { now, secure: false })).not.toMatch(/Secure/);
  });
});
