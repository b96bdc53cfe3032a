import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type Course, judge, type Outcome, RETRY_DELAYS } from './verdict.ts';

const NOW = Date.UTC(2026, 10, 21);
const course: Course = { attempts: 1, firstAt: NOW, failingSince: null, now: NOW, jitter: 0.5 };
const answered = (status: number, retryAfterSeconds: number | null = null): Outcome => ({
  kind: 'answered',
  status,
  retryAfterSeconds,
  excerpt: null,
});
const LAST = RETRY_DELAYS.length + 1;

describe('after an attempt', () => {
  it.each<[string, [Outcome, Partial<Course>?], object]>([
    ['200', [answered(200)], { status: 'delivered', dueAt: null, error: null, disable: null }],
    ['299', [answered(299)], { status: 'delivered' }],
    ['500', [answered(500)], { status: 'pending', dueAt: NOW + 5_000, error: 'answered 500', disable: null }],
    ['400', [answered(400)], { status: 'pending', dueAt: NOW + 5_000 }],
    ['429 that says when', [answered(429, 60)], { dueAt: NOW + 60_000 }],
    ['503 that asks for a year', [answered(503, 31_536_000)], { dueAt: NOW + 6 * 3_600_000 }],
    ['503 that asks for less than is due', [answered(503, 1)], { dueAt: NOW + 5_000 }],
    [
      'no answer',
      [{ kind: 'failed', problem: 'timeout' }, { attempts: 2 }],
      { dueAt: NOW + 30_000, error: 'timeout' },
    ],
    ['410', [answered(410)], { status: 'failed', dueAt: null, disable: expect.stringContaining('gone') }],
    [
      '302',
      [answered(302)],
      { status: 'failed', dueAt: null, disable: expect.stringContaining('redirects') },
    ],
    ['304', [answered(304)], { status: 'failed', disable: expect.any(String) }],
    [
      'an address nothing is sent to',
      [{ kind: 'refused', problem: 'is private' }],
      { status: 'failed', error: 'is private', disable: expect.stringContaining('is private') },
    ],
    [
      'the last failure, with nothing else through',
      [answered(500), { attempts: LAST, failingSince: NOW - 1 }],
      { status: 'failed', dueAt: null, disable: 'Every delivery has failed since 2026-11-20T23:59:59.999Z' },
    ],
    [
      'the last failure, when others got through meanwhile',
      [answered(500), { attempts: LAST, failingSince: NOW + 1 }],
      { status: 'failed', dueAt: null, disable: null },
    ],
    [
      'the last failure, after a success',
      [answered(500), { attempts: LAST }],
      { status: 'failed', disable: null },
    ],
  ])('%s', (_, [outcome, over], verdict) => {
    expect(judge(outcome, { ...course, ...over })).toMatchObject(verdict);
  });

  it('waits for up to a tenth more or less than the table says, and three days in all', () => {
    const attempt = fc.integer({ min: 1, max: RETRY_DELAYS.length });
    fc.assert(
      fc.property(attempt, fc.double({ min: 0, max: 1, noNaN: true }), (attempts, jitter) => {
        const { dueAt } = judge(answered(500), { ...course, attempts, jitter });
        const delay = (RETRY_DELAYS[attempts - 1] ?? 0) * 1_000;
        expect(Math.abs((dueAt ?? 0) - NOW - delay)).toBeLessThanOrEqual(delay / 10);
      }),
    );
    const hours = RETRY_DELAYS.reduce((sum, seconds) => sum + seconds, 0) / 3_600;
    expect(hours).toBeGreaterThan(70);
    expect(hours).toBeLessThanOrEqual(72);
  });
});
