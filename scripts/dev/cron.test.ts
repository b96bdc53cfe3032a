import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { minuteMatches } from './cron.ts';

const at = (text: string) => new Date(`${text}:00Z`);

describe('a cron expression', () => {
  it.each([
    ['* * * * *', '2026-11-21T07:20', true],
    ['17 * * * *', '2026-11-21T07:17', true],
    ['17 * * * *', '2026-11-21T07:18', false],
    ['*/15 7 * * *', '2026-11-21T07:45', true],
    ['*/15 7 * * *', '2026-11-21T07:46', false],
    ['0 9-17 * * 2-6', '2026-11-20T17:00', true],
    ['0 9-17 * * 2-6', '2026-11-21T17:00', false],
    ['0,30 0 1 1,7 *', '2026-07-01T00:30', true],
    ['5/20 * * * *', '2026-07-01T00:45', true],
  ])('%s at %s: %s', (expression, instant, matches) => {
    expect(minuteMatches(expression, at(instant))).toBe(matches);
  });

  it('names exactly the minutes of its step', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 59 }), fc.date({ noInvalidDate: true }), (step, instant) => {
        expect(minuteMatches(`*/${step} * * * *`, instant)).toBe(instant.getUTCMinutes() % step === 0);
      }),
    );
  });

  it.each(['* * * *', '61 * * * *', 'a * * * *', '*/0 * * * *', '5-2 * * * *', '* * * * 0'])(
    '%s is refused',
    (expression) => {
      expect(() => minuteMatches(expression, at('2026-11-21T00:00'))).toThrow('cron');
    },
  );
});
