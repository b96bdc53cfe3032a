import { isApiError } from '@capstan/schema/error';
import { ROUTES } from '@capstan/schema/routes';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { limitOf, RateLimiter } from './rate-limit.ts';

const MINUTE_MS = 60_000;

/** Seconds to wait, or null when the request passed. */
function ask(limiter: RateLimiter, key: string, kind: 'creates' | 'reads'): number | null {
  try {
    limiter.admit(key, kind);
    return null;
  } catch (error) {
    if (!isApiError(error) || error.code !== 'rate_limited') throw error;
    return error.retryAfterSeconds ?? Number.NaN;
  }
}

describe('a rate limiter', () => {
  it('lets a minute of requests pass at once and refuses the next', () => {
    const limiter = new RateLimiter({ creates: 300, reads: 1_200 }, { now: () => 0 });
    const answers = Array.from({ length: 301 }, () => ask(limiter, 'key_a', 'creates'));
    expect(answers.filter((wait) => wait === null)).toHaveLength(300);
    expect(answers.at(-1)).toBe(1);
  });

  it('counts keys and kinds apart', () => {
    const limiter = new RateLimiter({ creates: 1, reads: 1 }, { now: () => 0 });
    expect(ask(limiter, 'key_a', 'creates')).toBeNull();
    expect(ask(limiter, 'key_a', 'creates')).toBe(60);
    expect(ask(limiter, 'key_a', 'reads')).toBeNull();
    expect(ask(limiter, 'key_b', 'creates')).toBeNull();
  });

  it('admits whoever waits as long as it was told, and never more than the burst and the rate allow', () => {
    const waits = fc.array(fc.nat({ max: 4_000 }), { minLength: 1, maxLength: 400 });
    fc.assert(
      fc.property(waits, fc.integer({ min: 1, max: 200 }), (steps, perMinute) => {
        let now = 0;
        let passed = 0;
        const limiter = new RateLimiter({ creates: perMinute, reads: 1 }, { now: () => now });
        for (const step of steps) {
          now += step;
          const wait = ask(limiter, 'key', 'creates');
          if (wait === null) passed += 1;
          else {
            now += wait * 1_000;
            expect(ask(limiter, 'key', 'creates')).toBeNull();
            passed += 1;
          }
        }
        expect(passed).toBeLessThanOrEqual(perMinute + (now * perMinute) / MINUTE_MS + 1e-6);
      }),
    );
  });

  it('lets nobody in sooner when the clock goes back', () => {
    let now = 1_000_000;
    const limiter = new RateLimiter({ creates: 1, reads: 1 }, { now: () => now });
    ask(limiter, 'key', 'creates');
    now = 0;
    expect(ask(limiter, 'key', 'creates')).toBe(60);
  });
});

describe('limitOf', () => {
  it('counts what makes a resource, and every read', () => {
    const named = (limit: 'creates' | 'reads') =>
      ROUTES.filter((route) => limitOf(route) === limit).map(({ operationId }) => operationId);
    expect(named('creates')).toEqual(expect.arrayContaining(['createAgent', 'createSession', 'uploadFile']));
    const asking = ['validateVaultCredential', 'pingWebhookEndpoint', 'replayWebhookEvents'];
    expect(named('creates')).toEqual(expect.arrayContaining(asking));
    expect(named('creates')).toContain('updateModelCard');
    expect(named('creates')).not.toContain('sendEvents');
    expect(named('reads')).toEqual(expect.arrayContaining(['listAgents', 'retrieveSession']));
    expect(named('reads')).not.toContain('health');
  });
});
