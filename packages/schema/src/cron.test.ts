import { describe, expect, it } from 'vitest';
import { type Cron, isCronDay, parseCron } from './cron.ts';

function read(expression: string): Cron {
  const cron = parseCron(expression);
  if ('problem' in cron) throw new Error(cron.problem);
  return cron;
}

const problemOf = (expression: string) => {
  const cron = parseCron(expression);
  return 'problem' in cron ? cron.problem : 'none';
};

describe('a cron expression', () => {
  it.each([
    ['*/20 * * * *', [0, 20, 40]],
    ['5/20 * * * *', [5, 25, 45]],
    ['10-14 * * * *', [10, 11, 12, 13, 14]],
    ['10-20/5 * * * *', [10, 15, 20]],
    ['30,0,30,5-6 * * * *', [0, 5, 6, 30]],
    ['59 * * * *', [59]],
    ['  07   *  * * * ', [7]],
  ])('%s names minutes %j', (expression, minutes) => {
    expect(read(expression).minutes).toEqual(minutes);
  });

  it('knows months and weekdays by their names, in any case', () => {
    expect([...read('0 0 * jan,Mar-MAY *').months]).toEqual([1, 3, 4, 5]);
    expect([...(read('0 0 * * mon-fri').weekdays ?? [])]).toEqual([1, 2, 3, 4, 5]);
    expect([...(read('0 0 * jul WED').weekdays ?? [])]).toEqual([3]);
  });

  it('counts Sunday as 0 and as 7', () => {
    for (const sunday of ['0', '7', 'sun', '0,7']) {
      expect([...(read(`0 0 * * ${sunday}`).weekdays ?? [])]).toEqual([0]);
    }
    expect([...(read('0 0 * * 5-7').weekdays ?? [])]).toEqual([5, 6, 0]);
    expect([...(read('0 0 * * sat-sun').weekdays ?? [])]).toEqual([6, 0]);
  });

  it.each([
    ['@daily', /^@daily is a shortcut/],
    ['', /^has 0 fields; expected 5: minute, hour/],
    ['* * * *', /^has 4 fields/],
    ['0 0 12 * * *', /^has 6 fields.*none for seconds and years/],
    ['60 * * * *', /^minute: "60" is no value or range of 0 to 59/],
    ['* 24 * * *', /^hour: "24"/],
    ['* * 0 * *', /^day of month: "0"/],
    ['* * 32 * *', /^day of month: "32"/],
    ['* * * 13 *', /^month: "13" is no value or range of 1 to 12 or jan, feb/],
    ['* * * * 8', /^day of week: "8"/],
    ['* * L * *', /^day of month: "L" has L, which is not supported/],
    ['* * 15W * *', /^day of month: "15W" has W/],
    ['* * LW * *', /^day of month: "LW" has L/],
    ['* * * * 5L', /^day of week: "5L" has L/],
    ['* * * * friL', /^day of week: "friL" has L/],
    ['* * * * 2#1', /^day of week: "2#1" has #/],
    ['* * ? * *', /^day of month: "\?" has \?/],
    ['*/0 * * * *', /^minute: "\*\/0" must have one step of at least 1/],
    ['*/5/5 * * * *', /^minute: /],
    ['*/-5 * * * *', /^minute: /],
    ['20-10 * * * *', /^minute: "20-10" goes backwards/],
    ['1-2-3 * * * *', /^minute: /],
    ['1,,2 * * * *', /^minute: ""/],
    ['-5 * * * *', /^minute: /],
    ['1.5 * * * *', /^minute: /],
    ['mon * * * *', /^minute: "mon"/],
    ['* * * monday *', /^month: "monday"/],
    ['99999999999999999999 * * * *', /^minute: /],
    ['0 0 30 2 *', /^day of month: no month of "2" has a day "30"/],
    ['0 0 31 2,4,6 *', /^day of month: no month/],
  ])('%j is refused and the field named', (expression, problem) => {
    expect(problemOf(expression)).toMatch(problem);
  });

  it('on 29 February can fire, and on 31 February when a weekday will do', () => {
    expect(problemOf('0 0 29 2 *')).toBe('none');
    expect(problemOf('0 0 31 2 1')).toBe('none');
    expect(problemOf('0 0 31 2,3 *')).toBe('none');
  });
});

describe('the day of a cron expression', () => {
  const on = (expression: string, day: number, weekday: number) =>
    isCronDay(read(expression), { month: 6, day, weekday });

  it('is one that both fields name when one of them is *', () => {
    expect(on('0 0 13 * *', 13, 2)).toBe(true);
    expect(on('0 0 13 * *', 14, 5)).toBe(false);
    expect(on('0 0 * * 5', 14, 5)).toBe(true);
    expect(on('0 0 */1 * 5', 13, 4)).toBe(false);
  });

  it('is one that either names when both are restricted', () => {
    expect(on('0 0 13 * 5', 13, 2)).toBe(true);
    expect(on('0 0 13 * 5', 20, 5)).toBe(true);
    expect(on('0 0 13 * 5', 14, 2)).toBe(false);
  });

  it('is in a month that is named', () => {
    expect(on('0 0 13 7 5', 13, 5)).toBe(false);
  });
});
