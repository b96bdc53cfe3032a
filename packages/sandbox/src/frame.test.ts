import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { decodeFrame, encodeFrame } from './frame.ts';

describe('frame', () => {
  it('gives back every value it was given', () => {
    const fields = fc.dictionary(fc.string(), fc.oneof(fc.jsonValue(), fc.uint8Array()));
    fc.assert(
      fc.property(fc.oneof(fields, fc.jsonValue()), (value) => {
        expect(normal(decodeFrame(encodeFrame(value)))).toEqual(normal(value));
      }),
    );
  });

  it('refuses a frame that was cut or has more than it says', () => {
    const frame = encodeFrame({ name: 'é\n', content: new Uint8Array([1, 10, 0]) });
    for (let length = 0; length < frame.length; length++) {
      expect(() => decodeFrame(frame.subarray(0, length))).toThrow(SyntaxError);
    }
    expect(() => decodeFrame(new Uint8Array([...frame, 0]))).toThrow(SyntaxError);
  });

  it('refuses what it did not make, and only with a SyntaxError', () => {
    const heads = [
      '',
      '7',
      '{}',
      '{"value":1,"bytes":[["a",0]]}',
      '{"value":{},"bytes":[["a",-1]]}',
      '{"value":{},"bytes":7}',
    ];
    for (const head of heads) {
      expect(() => decodeFrame(new TextEncoder().encode(`${head}\n`))).toThrow(SyntaxError);
    }
  });

  it('cannot be made to change what an object inherits', () => {
    const head = '{"value":{"__proto__":{"polluted":1}},"bytes":[["__proto__",0]]}\n';
    decodeFrame(new TextEncoder().encode(head));
    expect(Object.hasOwn(Object.prototype, 'polluted')).toBe(false);
  });
});

/** Views of one buffer and buffers of their own are the same bytes. */
function normal(value: unknown): unknown {
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    return JSON.parse(JSON.stringify(value));
  return Object.entries(value)
    .map(([name, field]) => [
      name,
      field instanceof Uint8Array ? [...field] : JSON.parse(JSON.stringify(field)),
    ])
    .toSorted(([a], [b]) => (String(a) < String(b) ? -1 : 1));
}
