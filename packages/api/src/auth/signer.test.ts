import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Signer } from './signer.ts';

describe('a signer', () => {
  it('reads back what it signed', async () => {
    const signer = new Signer('root', 'purpose');
    await fc.assert(
      fc.asyncProperty(fc.dictionary(fc.string(), fc.jsonValue()), async (value) => {
        const text = await signer.sign(value);
        expect(text).toMatch(/^[\w.-]+$/);
        expect(await signer.read(text)).toEqual(JSON.parse(JSON.stringify(value)));
      }),
      { numRuns: 50 },
    );
  });

  it('reads nothing that was signed with another root or for another purpose', async () => {
    const text = await new Signer('root', 'purpose').sign({ a: 1 });
    expect(await new Signer('other', 'purpose').read(text)).toBeUndefined();
    expect(await new Signer('root', 'other').read(text)).toBeUndefined();
  });

  it('reads nothing that was changed, cut or made up', async () => {
    const signer = new Signer('root', 'purpose');
    const text = await signer.sign({ a: 1 });
    const [body = '', mac = ''] = text.split('.');
    const other = (await signer.sign({ a: 2 })).split('.');
    for (const forged of [
      '',
      '.',
      'x',
      body,
      `${body}.`,
      `.${mac}`,
      `${other[0]}.${mac}`,
      text.slice(0, -2),
      `x${text}`,
    ])
      expect(await signer.read(forged)).toBeUndefined();
  });
});
