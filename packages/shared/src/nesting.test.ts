import { describe, expect, it } from 'vitest';
import { MAX_NESTING, nestsWithin } from './nesting.ts';

const lists = (depth: number): unknown => JSON.parse('['.repeat(depth) + ']'.repeat(depth));

describe('nestsWithin', () => {
  it('counts arrays and objects alike', () => {
    expect(nestsWithin('text', 0)).toBe(true);
    expect(nestsWithin([], 0)).toBe(false);
    expect(nestsWithin({ a: 1, b: [{ c: null }] }, 3)).toBe(true);
    expect(nestsWithin({ a: 1, b: [{ c: null }] }, 2)).toBe(false);
  });

  it('looks no deeper than it has to', () => {
    expect(nestsWithin(lists(MAX_NESTING))).toBe(true);
    expect(nestsWithin(lists(MAX_NESTING + 1))).toBe(false);
    expect(nestsWithin(lists(1_000_000))).toBe(false);
  });
});
