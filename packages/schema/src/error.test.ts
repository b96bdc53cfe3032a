import { describe, expect, it } from 'vitest';
import { ApiError, toApiError } from './error.ts';

describe('an error of any kind', () => {
  it('is itself when it is of the API', () => {
    const error = new ApiError('conflict', 'Not now');
    expect(toApiError(error)).toBe(error);
  });

  it('tells nothing of what it was', () => {
    const thrown = new TypeError('x is not a function');
    expect(toApiError(thrown)).toMatchObject({ code: 'internal', message: 'Internal server error' });
    expect(toApiError(thrown).cause).toBe(thrown);
  });

  it.each([
    new Error('D1_ERROR: database or disk is full: SQLITE_FULL'),
    new Error('Failed query: insert into "files"', {
      cause: new Error('database or disk is full: SQLITE_FULL'),
    }),
    new Error('ENOSPC: no space left on device, write'),
  ])('says that there is no room left: %s', (thrown) => {
    expect(toApiError(thrown)).toMatchObject({ code: 'unavailable', reason: 'storage_full', cause: thrown });
  });
});
