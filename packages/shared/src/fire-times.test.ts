import { type Cron, parseCron } from '@capstan/schema/cron';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { FireTimes } from './fire-times.ts';

const MINUTE_MS = 60_000;
const DAY_MS = 86_400_000;

function read(expression: string): Cron {
  const cron = parseCron(expression);
  if ('problem' in cron) throw new Error(cron.problem);
  return cron;
}

const firesOf = (expression: string, zone: string) => new FireTimes(read(expression), zone);
const iso = (times: readonly number[]) => times.map((time) => new Date(time).toISOString().slice(0, 16));

/** Asks, minute by minute, what the wall shows and whether the expression names it, field by field as they are written. */
function oracle(expression: string, zone: string, { from, to }: { from: number; to: number }): number[] {
  const format = new Intl.DateTimeFormat('en-GB', {
    timeZone: zone,
    hourCycle: 'h23',
    ...{ month: 'numeric', day: 'numeric', hour: 'numeric', minute: 'numeric', weekday: 'short' },
  });
  const [minutes = '', hours = '', days = '', months = '', weekdays = ''] = expression.split(' ');
  const found: number[] = [];
  for (let time = Math.ceil(from / MINUTE_MS) * MINUTE_MS; time <= to; time += MINUTE_MS) {
    const shown = new Map(format.formatToParts(time).map(({ type, value }) => [type, value]));
    const part = (name: Intl.DateTimeFormatPartTypes) => Number(shown.get(name));
    const weekday = ['Sun', 'Mon', 'Tue', 'Wed', 'Thu', 'Fri', 'Sat'].indexOf(shown.get('weekday') ?? '');
    const dayNamed = names(days, part('day'));
    const weekdayNamed = names(weekdays, weekday) || (weekday === 0 && names(weekdays, 7));
    const either = days !== '*' && weekdays !== '*' ? dayNamed || weekdayNamed : dayNamed && weekdayNamed;
    if (
      either &&
      names(months, part('month')) &&
      names(hours, part('hour')) &&
      names(minutes, part('minute'))
    )
      found.push(time);
  }
  return found;
}

function names(field: string, value: number): boolean {
  return field.split(',').some((item) => {
    const [range = '', step = '1'] = item.split('/');
    const [low, high] = range === '*' ? [0, 99] : range.split('-').map(Number);
    const from = low ?? 0;
    const to = high ?? (item.includes('/') ? 99 : from);
    return value >= from && value <= to && (value - from) % Number(step) === 0;
  });
}

/** Zones with the days on which their clocks are set. */
const CHANGES: [string, string][] = [
  ['Europe/Berlin', '2026-03-29'],
  ['Europe/Berlin', '2026-10-25'],
  ['America/New_York', '2026-03-08'],
  ['America/New_York', '2026-11-01'],
  ['Australia/Lord_Howe', '2026-04-04'],
  ['Australia/Lord_Howe', '2026-10-03'],
  ['Asia/Kolkata', '2026-06-01'],
  ['Asia/Kathmandu', '2026-06-01'],
  ['America/St_Johns', '2026-03-08'],
  ['America/St_Johns', '2010-11-07'],
  ['America/Nuuk', '2026-03-29'],
  ['America/Nuuk', '2026-10-25'],
  ['Pacific/Apia', '2011-12-30'],
  ['Pacific/Kiritimati', '2026-01-01'],
  ['Pacific/Chatham', '2026-09-27'],
  ['Africa/Casablanca', '2026-02-15'],
  ['America/Havana', '2026-11-01'],
  ['Antarctica/Troll', '2026-03-29'],
  ['UTC', '2028-02-29'],
];

const list = (arbitrary: fc.Arbitrary<string>) =>
  fc.array(arbitrary, { minLength: 1, maxLength: 3 }).map((items) => items.join(','));
const value = (from: number, to: number) => fc.integer({ min: from, max: to }).map(String);
const range = (from: number, to: number) =>
  fc
    .tuple(fc.integer({ min: from, max: to }), fc.integer({ min: from, max: to }))
    .map(([a, b]) => `${Math.min(a, b)}-${Math.max(a, b)}`);
const stepped = (from: number, to: number) =>
  fc.tuple(range(from, to), fc.integer({ min: 1, max: 20 })).map(([span, step]) => `${span}/${step}`);
const field = (from: number, to: number) =>
  fc.oneof(
    fc.constant('*'),
    value(from, to),
    list(fc.oneof(value(from, to), range(from, to), stepped(from, to))),
  );
const expressions = fc
  .tuple(field(0, 59), field(0, 23), field(1, 28), fc.oneof(fc.constant('*'), range(1, 12)), field(0, 7))
  .map((fields) => fields.join(' '));

describe('fire times', () => {
  it('are those that a walk over the minutes finds, before and after clocks are set', () => {
    fc.assert(
      fc.property(
        expressions,
        fc.constantFrom(...CHANGES),
        fc.integer({ min: -DAY_MS, max: DAY_MS }),
        (expression, [zone, day], shift) => {
          const from = Date.parse(`${day}T00:00:00Z`) + shift;
          const to = from + 2 * DAY_MS;
          const expected = oracle(expression, zone, { from: from + 1, to });
          const times = firesOf(expression, zone);
          expect(times.after(from, expected.length + 1).filter((time) => time <= to)).toEqual(expected);
          const count = 10;
          expect(times.latest({ after: from, until: to, count })).toEqual(expected.slice(-count));
        },
      ),
      { numRuns: 60 },
    );
  }, 60_000);

  it.each([
    [
      'a time that the clock skips in spring does not fire',
      '30 2 * * *',
      'Europe/Berlin',
      '2026-03-28T00:00',
      ['2026-03-28T01:30', '2026-03-30T00:30'],
    ],
    [
      'a time that it repeats in autumn fires twice',
      '30 2 * * *',
      'Europe/Berlin',
      '2026-10-24T12:00',
      ['2026-10-25T00:30', '2026-10-25T01:30', '2026-10-26T01:30'],
    ],
    [
      'every hour means every hour that passes, in autumn',
      '0 * * * *',
      'America/New_York',
      '2026-11-01T04:30',
      ['2026-11-01T05:00', '2026-11-01T06:00', '2026-11-01T07:00'],
    ],
    [
      'half an hour is repeated on Lord Howe',
      '45 1 * * *',
      'Australia/Lord_Howe',
      '2026-04-04T00:00',
      ['2026-04-04T14:45', '2026-04-04T15:15', '2026-04-05T15:15'],
    ],
    [
      'a day that was left out at the date line has no times',
      '0 12 30 12 *',
      'Pacific/Apia',
      '2011-01-01T00:00',
      ['2012-12-29T22:00'],
    ],
    [
      'the first minute of a year comes first on Kiritimati',
      '0 0 1 1 *',
      'Pacific/Kiritimati',
      '2026-06-01T00:00',
      ['2026-12-31T10:00'],
    ],
    [
      'a quarter of an hour belongs to Kathmandu',
      '0 9 * * 1',
      'Asia/Kathmandu',
      '2026-11-21T00:00',
      ['2026-11-23T03:15'],
    ],
    [
      '29 February is waited for, over a year that has none',
      '0 0 29 2 *',
      'UTC',
      '2096-03-01T00:00',
      ['2104-02-29T00:00'],
    ],
  ])('%s', (_what, ...[expression, zone, from, expected]) => {
    const times = firesOf(expression, zone).after(Date.parse(`${from}Z`), expected.length);
    expect(iso(times)).toEqual(expected);
  });

  it('begin after the instant, and end with it', () => {
    const noon = Date.parse('2026-11-21T12:00:00Z');
    const times = firesOf('0 12 * * *', 'UTC');
    expect(times.after(noon, 1)).toEqual([noon + DAY_MS]);
    expect(times.after(noon - 1, 1)).toEqual([noon]);
    expect(times.latest({ after: noon - DAY_MS, until: noon, count: 5 })).toEqual([noon]);
    expect(times.latest({ after: noon - DAY_MS, until: noon - 1, count: 5 })).toEqual([]);
  });

  it('of half a century are found without looking at each', () => {
    const times = firesOf('* * * * *', 'Europe/Berlin');
    const until = Date.parse('2026-11-21T12:00:00Z');
    const latest = times.latest({ after: until - 50 * 365 * DAY_MS, until, count: 100 });
    expect([latest.length, latest.at(-1)]).toEqual([100, until]);
  });
});
