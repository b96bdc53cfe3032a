import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { argumentPiecesOf, newId, piecesOf } from './reply.ts';

describe('piecesOf', () => {
  it('joins back to the text, whatever it holds', () => {
    const text = fc.oneof(
      fc.string({ unit: 'grapheme' }),
      fc.string({ unit: fc.constantFrom('a', ' ', '\n', 'é') }),
    );
    fc.assert(
      fc.property(text, (said) => {
        expect(piecesOf(said).join('')).toBe(said);
        expect(argumentPiecesOf(said).join('')).toBe(said);
      }),
    );
  });

  it('is one piece a word, and sixteen words a piece when the text is long', () => {
    expect(piecesOf('one two  three')).toEqual(['one', ' two', '  three']);
    expect(piecesOf('word '.repeat(3200))).toHaveLength(200);
  });
});

describe('newId', () => {
  it('never repeats', () => {
    expect(new Set(Array.from({ length: 1000 }, () => newId('call'))).size).toBe(1000);
  });
});
