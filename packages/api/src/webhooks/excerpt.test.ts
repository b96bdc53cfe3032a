import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { excerptOf } from './excerpt.ts';

describe('what is kept of an answer', () => {
  it.each([
    ['', null],
    [' \r\n\u0000 ', null],
    ['no such route', 'no such route'],
    ['<h1>502</h1>\r\n\r\n\u001b[31mbad\u0000 gateway', '<h1>502</h1> [31mbad gateway'],
    ['Authorization: Bearer abc.def', '[removed]'],
    ['{"password":"hunter2","x":1}', '{"[removed]","x":1}'],
    ['key sk-ant-api03-abcdef is wrong', 'key [removed] is wrong'],
    ['got whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw', 'got [removed]'],
    ['eyJhbGciOi.eyJzdWIi.c2ln expired', '[removed] expired'],
    [`id ${'a1'.repeat(20)}`, 'id [removed]'],
    ['x y '.repeat(100), 'x y '.repeat(50)],
  ])('of %j is %j', (text, excerpt) => {
    expect(excerptOf(text)).toBe(excerpt);
  });

  it('is one short line, whatever it was', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary', maxLength: 3_000 }), (text) => {
        const excerpt = excerptOf(text) ?? '';
        expect([...excerpt].length).toBeLessThanOrEqual(200);
        expect(excerpt).not.toMatch(/[\p{Cc}]/u);
      }),
    );
  });
});
