import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { readFrontMatter } from './front-matter.ts';

const read = (...lines: string[]) => readFrontMatter(['---', ...lines, '---', '# Body'].join('\n'));
const described = (...lines: string[]) => read('name: a', ...lines).description;
const refusal = (message: RegExp) =>
  expect.objectContaining({ code: 'invalid_request', message: expect.stringMatching(message) });

describe('front matter', () => {
  it('has a name and a description, whatever stands beside them', () => {
    expect(
      read(
        '# made by hand',
        'name: pdf   # a comment',
        'license: Apache-2.0',
        'allowed-tools:',
        '- Read',
        '  - "x: y"',
        'metadata:',
        '  author: someone',
        '  version: "1.0"',
        '',
        'description: Reads PDF files, e.g. forms#1',
      ),
    ).toEqual({ name: 'pdf', description: 'Reads PDF files, e.g. forms#1' });
    expect(readFrontMatter('\ufeff---\r\nname: a\r\ndescription: b\r\n---\r\n')).toEqual({
      name: 'a',
      description: 'b',
    });
  });

  it('has neither when it says nothing of them', () => {
    for (const line of ['name:', 'name: ""', 'name: ~', 'name: null', 'name: # later', 'other: x'])
      expect(read(line).name, line).toBeNull();
  });

  it('has texts over several lines, in every style', () => {
    expect(described('description: one', '  two', '', '  three')).toBe('one two\nthree');
    expect(described('description:', '  one', '  two')).toBe('one two');
    expect(described('description: >-', '  one', '  two', '', '  three', '    kept', '  four')).toBe(
      'one two\nthree\n  kept\nfour',
    );
    expect(described('description: |', '  one', '    two', '', '  three')).toBe('one\n  two\n\nthree');
    expect(described('description: |2-', '   one', '  two')).toBe('one\ntwo');
    expect(described('description: "one', '  two \\', '  three\\n\\u00fc\\x41"')).toBe('one two three\nüA');
    expect(described("description: 'it''s # it,", "  fine' # yes")).toBe("it's # it, fine");
  });

  it('keeps any text that is quoted', () => {
    const line = fc.string({ unit: 'binary' }).filter((text) => !/[\r\n]/.test(text));
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), (text) => {
        const expected = text.trim() === '' ? null : text.trim();
        expect(described(`description: ${JSON.stringify(text)}`)).toBe(expected);
      }),
    );
    fc.assert(
      fc.property(line, (text) => {
        const expected = text.trim() === '' ? null : text.trim();
        expect(described(`description: '${text.replaceAll("'", "''")}'`)).toBe(expected);
      }),
    );
  });

  it('is refused with its line where it could be read in two ways', () => {
    const refused: [RegExp, ...string[]][] = [
      [/line 3 has ": " in a text without quotes/, 'description: Use when: always'],
      [/line 3 is not a text/, 'description: [a, b]'],
      [/line 3 is not a text/, 'description: *anchor'],
      [/line 3 is not a text/, 'description: !!python/object x'],
      [/line 3 is not a text/, 'description:', '- a', '- b'],
      [/line 3 has ": "/, 'description:', '  nested: map'],
      [/line 3 has a text whose quotes are not closed/, 'description: "open'],
      [/line 3 goes on behind its closing quotes/, 'description: "a" b'],
      [/line 3 has \\q, which is no escape/, 'description: "\\q"'],
      [/line 3 has a block whose header/, 'description: |x', '  a'],
      [/line 3 has a block that is indented unevenly/, 'description: |4', '    a', '  b'],
      [/line 4 has description again/, 'description: a', 'description: b'],
      [/line 3 is not "key: value"/, 'just words'],
    ];
    for (const [message, ...lines] of refused)
      expect(() => read('name: a', ...lines), lines.join('/')).toThrow(refusal(message));
    expect(() => read('  indented: x')).toThrow(refusal(/line 2 is not "key: value"/));
  });

  it('is refused when it does not begin or end', () => {
    expect(() => readFrontMatter('# Title')).toThrow(refusal(/begin with front matter/));
    expect(() => readFrontMatter('---\nname: a')).toThrow(refusal(/does not end/));
    expect(() => readFrontMatter(`---\na: ${'x'.repeat(70_000)}\n---`)).toThrow(refusal(/does not end/));
  });

  it('never fails in another way than by a refusal', () => {
    const pieces = fc.constantFrom(
      '"',
      "'",
      '\\',
      ':',
      ' ',
      '\n',
      '- ',
      '|',
      '>',
      '#',
      '  ',
      'a',
      'description: ',
      'name: ',
      '\t',
    );
    fc.assert(
      fc.property(fc.array(pieces, { maxLength: 30 }), (text) => {
        try {
          read(...text.join('').split('\n'));
        } catch (error) {
          expect(error).toMatchObject({ code: 'invalid_request' });
        }
      }),
      { numRuns: 500 },
    );
  });
});
