import { describe, expect, it } from 'vitest';
import { toSandboxError } from './errors.ts';

/** As the SDK's transport throws it; its class is another in every bundle. */
const clientError = (code: number) =>
  Object.assign(new Error('what Modal says'), { name: 'ClientError', code });

describe('an error of Modal', () => {
  it.each([
    [3, 'invalid'],
    [5, 'not_found'],
    [7, 'misconfigured'],
    [8, 'quota_exceeded'],
    [12, 'misconfigured'],
    [14, 'unavailable'],
    [16, 'misconfigured'],
  ])('of gRPC code %i is %s, and says what was being done', (grpc, code) => {
    const error = toSandboxError(clientError(grpc), 'taking a snapshot');
    expect(error).toMatchObject({ code, message: expect.stringContaining('taking a snapshot') });
  });
});
