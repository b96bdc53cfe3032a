import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { maskSecrets, secretForms } from './secret-mask.ts';

const SECRET = 'canary/of+a secret="1"';

describe('a secret in a text', () => {
  it.each([
    ['as it stands', SECRET],
    ['in a url', encodeURIComponent(SECRET)],
    ['in a form', new URLSearchParams({ a: SECRET }).toString().slice(2)],
    ['in JSON', JSON.stringify({ a: SECRET })],
    ['in hexadecimal', Buffer.from(SECRET).toString('hex')],
  ])('is masked %s', (_, text) => {
    const masked = maskSecrets(`before ${text} after`, [SECRET]);
    expect(masked).toContain('***');
    expect(masked).toMatch(/^before .*after$/);
    expect(masked).not.toContain('canary');
  });

  it('is masked within base64, wherever it begins there', () => {
    const text = fc.string({ unit: 'grapheme' });
    fc.assert(
      fc.property(text, text, (before, after) => {
        const bytes = Buffer.from(before + SECRET + after);
        for (const encoded of [bytes.toString('base64'), bytes.toString('base64url')]) {
          const forms = secretForms(SECRET).filter((form) => encoded.includes(form));
          expect(forms).not.toEqual([]);
          expect(maskSecrets(encoded, [SECRET])).toContain('***');
        }
      }),
    );
  });

  it('is left where there is none', () => {
    expect(maskSecrets('nothing to see', [SECRET, 'abc', ''])).toBe('nothing to see');
  });
});
