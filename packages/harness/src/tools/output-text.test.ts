import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { clean, decode, isBinary, MAX_RESULT_CHARS, present, wholeChars } from './output-text.ts';

const encode = (text: string) => new TextEncoder().encode(text);

describe('text of output', () => {
  it('is valid, without control characters but tabs and line ends, whatever the bytes', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 400 }), (bytes) => {
        const text = decode(bytes);
        expect(text.isWellFormed()).toBe(true);
        for (const char of text) {
          const code = char.codePointAt(0) ?? 0;
          expect(code >= 32 || char === '\t' || char === '\n' || char === '\r').toBe(true);
        }
      }),
    );
  });

  it('is the same text when there is nothing to clean', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'grapheme' }), (text) => {
        // biome-ignore lint/suspicious/noControlCharactersInRegex: what clean removes is not generated
        const plain = text.replace(/[\u0000-\u001f\u007f]/g, '');
        expect(clean(plain)).toBe(plain);
      }),
    );
  });

  it('loses terminal sequences whole', () => {
    expect(clean('\u001b[1;31mred\u001b[0m \u001b]0;title\u0007end\r\n')).toBe('red end\n');
  });

  it('is told from binary', () => {
    expect(isBinary(encode('héllo wörld'))).toBe(false);
    expect(isBinary(new Uint8Array([65, 0, 66]))).toBe(true);
    expect(isBinary(Uint8Array.from({ length: 256 }, (_, at) => (at % 127) + 128))).toBe(true);
  });

  it('is whole up to the limit and a beginning beyond it', () => {
    const limit = encode('x'.repeat(MAX_RESULT_CHARS));
    expect(present({ bytes: limit, more: false, path: '/f' })).toHaveLength(MAX_RESULT_CHARS);
    const over = present({ bytes: encode('x'.repeat(MAX_RESULT_CHARS + 1)), more: false, path: '/f' });
    expect(over).toContain('/f');
    expect(over.length).toBeLessThan(MAX_RESULT_CHARS);
    expect(present({ bytes: encode('short'), more: true, path: '/f' })).toContain('/f');
  });

  it('is never cut inside a character', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'grapheme' }), fc.nat(20), (text, limit) => {
        expect(wholeChars(text, limit).isWellFormed()).toBe(true);
      }),
    );
  });
});
