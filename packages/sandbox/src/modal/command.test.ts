import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { MAX_COMMAND_BYTES } from '../port.ts';
import { toArgumentFile, toEntries, toParts, toSeconds } from './command.ts';

describe('command', { timeout: 120_000 }, () => {
  it('splits a script into parts that Linux takes and that join to it', () => {
    const script = fc
      .string({ unit: 'binary', minLength: 1, maxLength: 5 })
      .map((text) => text.repeat(30_000).replaceAll('\0', ' '));
    fc.assert(
      fc.property(script, (text) => {
        fc.pre(Buffer.byteLength(text) <= MAX_COMMAND_BYTES);
        const [kind, ...parts] = toParts(text);
        expect(kind).toBe('script');
        expect(Buffer.from(parts.join('')).equals(Buffer.from(text))).toBe(true);
        expect(parts.map((part) => Buffer.from(part).toString()).join('')).toBe(parts.join(''));
        for (const part of parts) expect(Buffer.byteLength(part)).toBeLessThan(128 * 1024);
      }),
      { numRuns: 30 },
    );
  });

  it('leaves an argument list as it stands', () => {
    expect(toParts(['a', '', 'c d'])).toEqual(['argv', 'a', '', 'c d']);
  });

  it('refuses commands that could not run', () => {
    expect(() => toParts('')).toThrow(/is empty/);
    expect(() => toParts([])).toThrow(/is empty/);
    expect(() => toParts(['', 'x'])).toThrow(/is empty/);
    expect(() => toParts('a\0b')).toThrow(/NUL/);
    expect(() => toParts(['x', 'y'.repeat(128 * 1024)])).toThrow(/one argument has/);
    expect(() => toParts('x'.repeat(MAX_COMMAND_BYTES + 1))).toThrow(/the limit is/);
  });

  it('writes environment entries, refusing names that bash would not export', () => {
    expect(toEntries({ A: '1', _b2: 'x=y' })).toEqual(['A=1', '_b2=x=y']);
    for (const name of ['', '1A', 'A-B', 'A B', 'A[0]'])
      expect(() => toEntries({ [name]: '1' })).toThrow(/no variable name/);
  });

  it('moves long argument lists to a file', () => {
    expect(toArgumentFile(['short'])).toBeNull();
    const long = ['x'.repeat(60_000), '', 'end'];
    expect(
      Buffer.from(toArgumentFile(long) ?? [])
        .toString()
        .split('\0'),
    ).toEqual([...long, '']);
  });

  it('writes milliseconds as seconds', () => {
    expect([0, 1, 1500, 86_400_000].map(toSeconds)).toEqual(['0', '0.001', '1.500', '86400.000']);
  });
});
