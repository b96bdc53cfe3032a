import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import { readQuery } from './query.ts';

const schema = z.object({
  limit: z.coerce.number().default(20),
  statuses: z.array(z.string()).optional(),
  'created_at[gte]': z.string().optional(),
});

const read = (text: string) => readQuery(schema, new URLSearchParams(text));

describe('readQuery', () => {
  it('reads lists in every spelling', () => {
    for (const text of [
      'statuses%5B%5D=a&statuses%5B%5D=b',
      'statuses[]=a&statuses=b',
      'statuses=a&statuses=b',
    ]) {
      expect(new Set(read(text).statuses as string[])).toEqual(new Set(['a', 'b']));
    }
    expect(read('statuses=a')).toEqual({ statuses: ['a'] });
  });

  it('keeps ranges under their own names and leaves out what it does not know', () => {
    expect(read('created_at%5Bgte%5D=2026-01-01&beta=true')).toEqual({ 'created_at[gte]': '2026-01-01' });
  });

  it('refuses a single value given twice', () => {
    expect(() => read('limit=1&limit=2')).toThrow('limit: given 2 times; give it once');
  });
});
