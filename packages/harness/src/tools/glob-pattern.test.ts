import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { searchRoot, toPosixRegex } from './glob-pattern.ts';

/** JavaScript reads the expressions this module makes as POSIX does. */
function matches(pattern: string, path: string, root = '/w'): boolean {
  return new RegExp(`^(?:${toPosixRegex(root, pattern)})$`, 'u').test(path);
}

describe('toPosixRegex', () => {
  it.each([
    ['*.ts', '/w/a.ts', true],
    ['*.ts', '/w/.ts', true],
    ['*.ts', '/w/d/a.ts', false],
    ['**/*.ts', '/w/a.ts', true],
    ['**/*.ts', '/w/d/e/a.ts', true],
    ['d/**', '/w/d/e/a', true],
    ['d/**/a', '/w/d/a', true],
    ['d/**/a', '/w/da', false],
    ['?.md', '/w/a.md', true],
    ['?.md', '/w//.md', false],
    ['*.{js,t[sx]}', '/w/a.tx', true],
    ['*.{js,t[sx]}', '/w/a.ty', false],
    ['[!a-c]x', '/w/dx', true],
    ['[!a-c]x', '/w/bx', false],
    ['a[!b]c', '/w/a/c', false],
    ['a\\*b', '/w/a*b', true],
    ['a\\*b', '/w/axb', false],
    ['a+(b).c', '/w/a+(b).c', true],
    ['/etc/*.conf', '/etc/x.conf', true],
  ])('%s on %s: %s', (pattern, path, expected) => {
    expect(matches(pattern, path)).toBe(expected);
  });

  it('matches any name written literally, whatever is in it', () => {
    const names = fc.string({ unit: 'binary-ascii', minLength: 1 }).filter((name) => !/[/\0\n]/.test(name));
    fc.assert(
      fc.property(names, (name) => {
        const literal = name.replace(/[\\*?[\]{},]/g, '\\$&');
        expect(matches(literal, `/w/${name}`)).toBe(true);
        expect(matches(literal, `/w/${name}x`)).toBe(false);
      }),
    );
  });

  it.each(['a[', 'a{b', 'a\\', '[a/b]'])('refuses %s', (pattern) => {
    expect(() => toPosixRegex('/w', pattern)).toThrow(SyntaxError);
  });
});

describe('searchRoot', () => {
  it.each([
    ['*.ts', '/w'],
    ['src/lib/**/*.ts', '/w/src/lib'],
    ['src/{a,b}/x', '/w/src'],
    ['/etc/ssl/*', '/etc/ssl'],
    ['../x/*', '/w'],
  ])('of %s is %s', (pattern, root) => {
    expect(searchRoot('/w', pattern)).toBe(root);
  });
});
