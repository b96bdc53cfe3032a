import { describe, expect, it } from 'vitest';
import { within } from './within.ts';

describe('waiting within a bound', () => {
  it('gives what comes in time', async () => {
    expect(await within(Promise.resolve('here'), 60_000, null)).toBe('here');
  });

  it('gives the other when nothing comes, or a failure does', async () => {
    expect(await within(new Promise(() => {}), 1, 'other')).toBe('other');
    expect(await within(Promise.reject(new Error('away')), 60_000, 'other')).toBe('other');
  });
});
