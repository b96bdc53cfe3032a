import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { shortened, textSize, tokensOf } from './text-size.ts';

const tokens = (text: string) => tokensOf(textSize(text));

describe('the size of text', () => {
  it('is what its script takes: Latin a fraction of a token a character, Chinese, Japanese and Korean more than one', () => {
    expect(tokens('x'.repeat(3_500))).toBe(1_000);
    expect(tokens('Привет'.repeat(100))).toBe(300);
    for (const text of ['你好世界', 'こんにちは', '안녕하세요', '漢字かな交じり文'])
      expect(tokens(text.repeat(100))).toBeGreaterThanOrEqual(text.length * 100);
    expect(tokens('😀'.repeat(100))).toBeGreaterThanOrEqual(200);
  });

  it('is never less than its characters, and that of two texts is the sum of theirs', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), fc.string({ unit: 'binary' }), (one, other) => {
        expect(textSize(one)).toBeGreaterThanOrEqual(one.length);
        expect(textSize(one + other)).toBeCloseTo(textSize(one) + textSize(other), 6);
      }),
    );
  });
});

describe('shortened text', () => {
  it('begins and ends as the whole does, and has no more than the room it was given', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary', maxLength: 300 }), fc.nat(400), (text, room) => {
        const short = shortened(text, room);
        if (textSize(text) <= room) {
          expect(short).toBe(text);
          return;
        }
        const [head = '', tail = ''] = short.split(' […] ', 2);
        expect(textSize(head)).toBeLessThanOrEqual(room / 2);
        if (!text.includes(' […] ')) expect(text.startsWith(head) && text.endsWith(tail)).toBe(true);
      }),
    );
    expect(shortened('你'.repeat(100), 42)).toBe(`${'你'.repeat(5)} […] ${'你'.repeat(5)}`);
  });
});
