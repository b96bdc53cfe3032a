import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { createIdentities } from './identity.ts';

const [CURRENT, PREVIOUS] = ['the-current-secret-of-the-gateway', 'the-previous-secret-of-the-gateway'];
const header = (pair: string) => `Basic ${Buffer.from(pair).toString('base64')}`;

describe('identities', () => {
  const identities = createIdentities([CURRENT, PREVIOUS]);

  it('know the sandboxes of every secret, and which it was', () => {
    const old = createIdentities([PREVIOUS]);
    expect(identities.identify(header(`sbx-1:${identities.tokenFor('sbx-1')}`))).toEqual({
      sandbox: 'sbx-1',
      secretIndex: 0,
    });
    expect(identities.identify(header(`sbx-1:${old.tokenFor('sbx-1')}`))).toEqual({
      sandbox: 'sbx-1',
      secretIndex: 1,
    });
    expect(old.identify(header(`sbx-1:${identities.tokenFor('sbx-1')}`))).toBeNull();
  });

  it.each([
    undefined,
    '',
    'Basic',
    'Basic !!!',
    'Bearer abc',
    header('sbx-1'),
    header('sbx-1:'),
    header(`sbx-2:${identities.tokenFor('sbx-1')}`),
    header(`:${identities.tokenFor('')}`),
    header(`sbx/1:${identities.tokenFor('sbx/1')}`),
    header(`sbx-1:${identities.tokenFor('sbx-1')}x`),
    header(`sbx-1:${identities.tokenFor('sbx-1').slice(0, -2)}`),
    `Basic ${'a'.repeat(100_000)}`,
  ])('take %j for nobody', (text) => {
    expect(identities.identify(text)).toBeNull();
  });

  it('take no name for another’s, nor what was made up for a token', () => {
    const name = fc.string({ unit: fc.constantFrom(...'abc-._019'), minLength: 1, maxLength: 64 });
    fc.assert(
      fc.property(name, name, fc.base64String(), (one, two, made) => {
        fc.pre(one !== two);
        expect(identities.identify(header(`${one}:${identities.tokenFor(one)}`))?.sandbox).toBe(one);
        expect(identities.identify(header(`${two}:${identities.tokenFor(one)}`))).toBeNull();
        expect(identities.identify(header(`${one}:${made}`))).toBeNull();
      }),
    );
  });
});
