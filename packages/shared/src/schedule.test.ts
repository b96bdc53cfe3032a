import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { fireTimesOf, MISSED_AFTER_MS, MOST_MADE_UP, owedBy, type Schedule, startOf } from './schedule.ts';

const MINUTE_MS = 60_000;
const HOUR_MS = 60 * MINUTE_MS;
const at = (text: string) => Date.parse(`2026-11-${text}:00Z`);

const hourly: Schedule = { deploymentId: 'depl_1', expression: '0 * * * *', timezone: 'UTC' };
const times = fireTimesOf(hourly);
/** When the run of an hour starts. */
const start = (hour: number) => startOf(hourly, times, hour);

describe('a schedule', () => {
  const [nine, ten, eleven, noon] = [at('21T09:00'), at('21T10:00'), at('21T11:00'), at('21T12:00')];
  const late = start(eleven) + MISSED_AFTER_MS;
  const from = { handledUpTo: nine };

  const over = { skipped: 0, next: noon, upTo: eleven };
  it.each([
    {
      what: 'nothing before its jitter has passed',
      missedRuns: 'skip',
      now: start(ten) - 1,
      owed: { fire: [], next: ten, upTo: nine, skipped: 0 },
    },
    {
      what: 'the fire time whose jitter has passed',
      missedRuns: 'skip',
      now: start(ten),
      owed: { fire: [ten], next: eleven, upTo: ten, skipped: 0 },
    },
    {
      what: 'the latest of two, when it is not late',
      missedRuns: 'skip',
      now: late,
      owed: { ...over, fire: [eleven], skipped: 1 },
    },
    {
      what: 'none when the latest is late',
      missedRuns: 'skip',
      now: late + 1,
      owed: { ...over, fire: [], skipped: 2 },
    },
    {
      what: 'the latest, however late',
      missedRuns: 'latest',
      now: late + 1,
      owed: { ...over, fire: [eleven], skipped: 1 },
    },
    { what: 'all, however late', missedRuns: 'all', now: late + 1, owed: { ...over, fire: [ten, eleven] } },
    {
      what: 'all but the one whose jitter has not passed',
      missedRuns: 'all',
      now: start(eleven) - 1,
      owed: { fire: [ten], next: eleven, upTo: ten, skipped: 0 },
    },
  ] as const)('owes $what ($missedRuns)', ({ missedRuns, now, owed: { fire, next, upTo, skipped } }) => {
    const owed = owedBy(hourly, { ...from, missedRuns }, now);
    expect(owed).toEqual({ fire: [...fire], handledUpTo: upTo, skipped, nextAt: start(next) });
  });

  it('makes up for a hundred runs and no more', () => {
    const minutely = { ...hourly, expression: '* * * * *' };
    const owed = owedBy(
      minutely,
      { handledUpTo: at('01T00:00'), missedRuns: 'all' },
      at('21T09:00') + 30_000,
    );
    expect(owed.fire).toHaveLength(MOST_MADE_UP);
    expect(owed.fire.at(-1)).toBe(nine);
    expect(owed.fire.at(0)).toBe(nine - (MOST_MADE_UP - 1) * MINUTE_MS);
  });

  it('owes each fire time once, however often it is asked', () => {
    const gaps = fc.array(fc.integer({ min: 1, max: 90 * MINUTE_MS }), { minLength: 1, maxLength: 60 });
    fc.assert(
      fc.property(gaps, fc.constantFrom('*/7 * * * *', '0 * * * *', '30 2 * * *'), (waits, expression) => {
        const schedule = { ...hourly, expression, timezone: 'Europe/Berlin' };
        let [now, handledUpTo] = [at('20T00:00'), at('20T00:00')];
        const fired: number[] = [];
        for (const wait of waits) {
          now += wait;
          const owed = owedBy(schedule, { handledUpTo, missedRuns: 'all' }, now);
          expect(owed.nextAt ?? 0).toBeGreaterThan(now);
          fired.push(...owed.fire);
          ({ handledUpTo } = owed);
        }
        const due = fireTimesOf(schedule)
          .latest({ after: at('20T00:00'), until: now, count: 10_000 })
          .filter((time) => startOf(schedule, fireTimesOf(schedule), time) <= now);
        expect(fired).toEqual(due);
      }),
      { numRuns: 60 },
    );
  });
});

describe('jitter', () => {
  const jitterOf = (expression: string, deploymentId = 'depl_1') => {
    const schedule = { ...hourly, expression, deploymentId };
    const all = fireTimesOf(schedule);
    return all.after(at('21T00:00'), 200).map((time) => startOf(schedule, all, time) - time);
  };

  it.each([
    ['* * * * *', 9_000],
    ['*/2 * * * *', 18_000],
    ['0 * * * *', 9 * MINUTE_MS],
    ['0 9 * * *', 9 * MINUTE_MS],
  ])('of %s is below %i ms, and uses most of it', (expression, longest) => {
    const all = jitterOf(expression);
    expect(Math.min(...all)).toBeGreaterThanOrEqual(0);
    expect(Math.max(...all)).toBeLessThan(longest);
    expect(Math.max(...all)).toBeGreaterThan(longest * 0.9);
    expect(Math.min(...all)).toBeLessThan(longest * 0.1);
  });

  it('is the same for the same run, and another for another deployment', () => {
    expect(jitterOf('0 * * * *')).toEqual(jitterOf('0 * * * *'));
    expect(jitterOf('0 * * * *')).not.toEqual(jitterOf('0 * * * *', 'depl_2'));
    expect(start(at('21T09:00'))).toBe(startOf(hourly, fireTimesOf(hourly), at('21T09:00')));
    expect(start(at('21T09:00')) - at('21T09:00')).toBeLessThan(HOUR_MS * 0.15);
  });
});
