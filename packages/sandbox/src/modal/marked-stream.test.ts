import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { MarkedStream } from './marked-stream.ts';

const MARK = '0123456789abcdef0123456789abcdef';
const line = (code: number, more: string, mark = MARK) => Buffer.from(`\n${mark} ${code} ${more}\n`);

/** Output that may hold what looks like a mark, and how it is cut. */
const output = fc.array(
  fc.oneof(
    fc.uint8Array({ maxLength: 100 }),
    fc.constantFrom(line(0, 'more', MARK.replace('0', 'f')), Buffer.from(`\n${MARK}`), Buffer.from('\n')),
  ),
  { maxLength: 5 },
);

describe('a marked stream', () => {
  it('gives the output up to its mark, however it is cut into chunks', () => {
    const cuts = fc.array(fc.nat(40), { minLength: 1, maxLength: 20 });
    fc.assert(
      fc.property(fc.tuple(output, cuts, fc.nat(255), fc.nat(200)), ([parts, sizes, code, room]) => {
        const bytes = Buffer.concat(parts);
        const whole = Buffer.concat([bytes, line(code, 'last')]);
        const stream = new MarkedStream(MARK, room);
        for (let at = 0, turn = 0; at < whole.length; turn++) {
          expect(stream.mark).toBeNull();
          const size = 1 + (sizes[turn % sizes.length] ?? 0);
          stream.take(whole.subarray(at, at + size));
          at += size;
        }
        expect(stream.mark).toEqual({ exitCode: code, last: true });
        const { bytes: given, truncated } = stream.output();
        expect(Buffer.from(given).equals(bytes.subarray(0, room))).toBe(true);
        expect(truncated).toBe(bytes.length > room);
      }),
    );
  });

  it('has no end without its own mark', () => {
    const stream = new MarkedStream(MARK, 100);
    stream.take(Buffer.from(`before\n${MARK} 0 more`));
    expect(stream.mark).toBeNull();
    expect(Buffer.from(stream.output().bytes).toString()).toBe(`before\n${MARK} 0 more`);
    stream.take(Buffer.from('\n'));
    expect(stream.mark).toEqual({ exitCode: 0, last: false });
    expect(Buffer.from(stream.output().bytes).toString()).toBe('before');
  });
});
