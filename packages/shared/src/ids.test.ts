import { describe, expect, it } from 'vitest';
import { newId } from './ids.ts';

describe('newId', () => {
  it('carries the prefix of its kind and 24 characters', () => {
    expect(newId('session')).toMatch(/^sesn_[0-9a-hjkmnp-tv-z]{24}$/);
  });

  it('sorts by time', () => {
    const ids = [5, 1_700_000_000_000, 1_700_000_000_001, 4_000_000_000_000].map((at) => newId('event', at));
    expect([...ids].sort()).toEqual(ids);
  });

  it('does not repeat within one millisecond', () => {
    const ids = new Set(Array.from({ length: 10_000 }, () => newId('event', 1)));
    expect(ids.size).toBe(10_000);
  });
});
