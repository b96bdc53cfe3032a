import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { isLeftover, SkillPaths } from './skill-paths.ts';

const added = (...paths: string[]) => {
  const book = new SkillPaths();
  return paths.map((path) => book.add(path));
};

describe('the paths of a skill', () => {
  it('lie below one top directory, whose name they lose', () => {
    expect(added('a/SKILL.md', 'a/b/c.txt', 'a/b/ü d')).toEqual(['SKILL.md', 'b/c.txt', 'b/ü d']);
  });

  it('are refused by name when they leave it, are ambiguous or cannot be names', () => {
    const refused: [RegExp, ...string[]][] = [
      [/"SKILL\.md" lies in no directory/, 'SKILL.md'],
      [/"b\/x" lies outside of "a"/, 'a/SKILL.md', 'b/x'],
      [/"a\/\.\.\/x" leaves its directory/, 'a/../x'],
      [/"\.\.\/a\/x" leaves its directory/, '../a/x'],
      [/"\/a\/x" is absolute/, '/a/x'],
      [/"C:\/a\/x" is absolute/, 'C:/a/x'],
      [/has a backslash/, 'a\\x'],
      [/has an empty name/, 'a//x'],
      [/has an empty name/, './a/x'],
      [/characters that names cannot have/, 'a/x\ny'],
      [/characters that names cannot have/, 'a/x\0'],
      [/a file has no name/, ''],
      [/longer than 200 bytes/, `a/${'ü'.repeat(101)}`],
      [/longer than 400 bytes/, `a/${'abcdefghi/'.repeat(11)}${'x'.repeat(190)}/${'y'.repeat(190)}`],
      [/directories deep/, `${'a/'.repeat(20)}x`],
      [/"a\/x" is given twice/, 'a/x', 'a/x'],
      [/"a\/X" differs from "x" only by case/, 'a/x', 'a/X'],
      [/"a\/B\/y" differs from "b" only by case/, 'a/b/x', 'a/B/y'],
      [/"a\/u\u0308" differs from "ü" only by case or accents/, 'a/\u00fc', 'a/u\u0308'],
      [/"a\/x\/y" needs "x" as a directory, but it is a file/, 'a/x', 'a/x/y'],
      [/"a\/x" needs "x" as a file, but it is a directory/, 'a/x/y', 'a/x'],
    ];
    for (const [message, ...paths] of refused) expect(() => added(...paths), paths.join()).toThrow(message);
    const many = Array.from({ length: 1_001 }, (_, index) => `a/${index}`);
    expect(() => added(...many)).toThrow(/"a\/1000" is one too many/);
  });

  it('stay below it, whatever they are', () => {
    const name = fc.constantFrom('..', '.', '', 'a', 'A', 'b', '\\', '/', 'C:', '\0', 'x y');
    fc.assert(
      fc.property(fc.array(fc.array(name, { maxLength: 5 }), { maxLength: 6 }), (paths) => {
        const book = new SkillPaths();
        const kept: string[] = [];
        for (const names of paths) {
          try {
            kept.push(book.add(names.join('/')));
          } catch (error) {
            expect(error).toMatchObject({ code: 'invalid_request' });
          }
        }
        for (const path of kept) expect(path).toMatch(/^(?!\/)(?!.*(^|\/)\.{0,2}(\/|$))[^\\]+$/);
        expect(new Set(kept.map((path) => path.toLowerCase())).size).toBe(kept.length);
      }),
    );
  });

  it('are none of what systems leave in directories', () => {
    const names = ['a/.DS_Store', '__MACOSX/a/x', 'a/._x', 'a/.git', 'a/__MACOSX'];
    expect(names.map(isLeftover)).toEqual([true, true, true, false, false]);
  });
});
