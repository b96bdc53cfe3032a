import { describe, expect, it } from 'vitest';
import { createdAtBounds } from './page.ts';
import { ROUTES } from './routes.ts';

describe('a list that can be bounded by time', () => {
  const bounds = Object.keys(createdAtBounds);
  const bounded = ROUTES.filter(({ query }) => bounds.some((bound) => bound in (query?.shape ?? {})));

  it('takes each bound: one that is not known is ignored, and everything listed', () => {
    expect(bounded.length).toBeGreaterThan(6);
    for (const { query, operationId } of bounded)
      expect(Object.keys(query?.shape ?? {}), operationId).toEqual(expect.arrayContaining(bounds));
  });
});
