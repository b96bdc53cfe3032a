// Cron expressions: minute, hour, day of month, month and day of week, as POSIX has them, and with names and steps.
// When both day fields are restricted, a day that either of them names will do; a field written `*` restricts nothing.

export interface Cron {
  /** Each sorted, without repetitions. Weekdays count from Sunday, 0. */
  minutes: readonly number[];
  hours: readonly number[];
  /** Null: any day of the month. */
  days: ReadonlySet<number> | null;
  months: ReadonlySet<number>;
  /** Null: any day of the week. */
  weekdays: ReadonlySet<number> | null;
}

/** What is wrong with an expression, and with which field of it. */
export interface CronProblem {
  problem: string;
}

interface Field {
  name: string;
  from: number;
  to: number;
  /** Names of its values, beginning with `from`. */
  names?: readonly string[];
}

const MONTHS = ['jan', 'feb', 'mar', 'apr', 'may', 'jun', 'jul', 'aug', 'sep', 'oct', 'nov', 'dec'];
const WEEKDAYS = ['sun', 'mon', 'tue', 'wed', 'thu', 'fri', 'sat'];

const MINUTE: Field = { name: 'minute', from: 0, to: 59 };
const HOUR: Field = { name: 'hour', from: 0, to: 23 };
const DAY: Field = { name: 'day of month', from: 1, to: 31 };
const MONTH: Field = { name: 'month', from: 1, to: 12, names: MONTHS };
const WEEKDAY: Field = { name: 'day of week', from: 0, to: 7, names: WEEKDAYS };
const FIELDS = [MINUTE, HOUR, DAY, MONTH, WEEKDAY];

/** What other crons have: `L`, `5L`, `L-3`, `15W`, `LW`, `2#1`, `?`. */
const SPECIAL = /(?<character>[#?])|^(?:\d{0,2}|[a-z]{3})(?<character>[LW])(?:W|-\d+)?$/i;

/** Of each month in the longest year. */
const LENGTHS = [31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];

export const MAX_CRON_CHARS = 512;

/** Reads an expression that can fire at all; anything else is a problem that says how to mend it. */
export function parseCron(expression: string): Cron | CronProblem {
  const text = expression.trim();
  if (text.startsWith('@')) return { problem: `${text} is a shortcut; write its five fields instead` };
  const parts = text.split(/\s+/);
  if (parts.length !== FIELDS.length) return { problem: countProblem(text === '' ? 0 : parts.length) };
  const [minutes, hours, days, months, weekdays] = FIELDS.map((field, index) =>
    parseField(parts[index] ?? '', field),
  );
  for (const read of [minutes, hours, days, months, weekdays]) if (read && 'problem' in read) return read;
  const cron = {
    minutes: valuesOf(minutes),
    hours: valuesOf(hours),
    days: isAny(days) ? null : new Set(valuesOf(days)),
    months: new Set(valuesOf(months)),
    weekdays: isAny(weekdays) ? null : new Set(valuesOf(weekdays).map((day) => day % 7)),
  };
  return canFire(cron)
    ? cron
    : { problem: `day of month: no month of "${parts[3]}" has a day "${parts[2]}"` };
}

/** Whether it fires on a day of the calendar; `weekday` counts from Sunday, 0. */
export function isCronDay(cron: Cron, date: { month: number; day: number; weekday: number }): boolean {
  if (!cron.months.has(date.month)) return false;
  const { days, weekdays } = cron;
  if (days === null) return weekdays === null || weekdays.has(date.weekday);
  return days.has(date.day) || (weekdays?.has(date.weekday) ?? false);
}

interface Values {
  values: number[];
  /** Written `*`. */
  any: boolean;
}

function isAny(read: Values | CronProblem | undefined): boolean {
  return read !== undefined && 'any' in read && read.any;
}

function valuesOf(read: Values | CronProblem | undefined): number[] {
  return read !== undefined && 'values' in read ? read.values : [];
}

function countProblem(count: number): string {
  const hint = count > FIELDS.length ? '; there are none for seconds and years' : '';
  const fields = FIELDS.map(({ name }) => name).join(', ');
  return `has ${count} fields; expected ${FIELDS.length}: ${fields}${hint}`;
}

function parseField(text: string, field: Field): Values | CronProblem {
  const values = new Set<number>();
  for (const item of text.split(',')) {
    const found = parseItem(item, field);
    if (!Array.isArray(found)) return { problem: `${field.name}: ${found.problem}` };
    for (const value of found) values.add(value);
  }
  return { values: [...values].sort((a, b) => a - b), any: text === '*' || text === '*/1' };
}

/** `*`, a value or a range, with or without a step; a value with a step begins there and goes on to the end. */
function parseItem(item: string, field: Field): number[] | CronProblem {
  const special = SPECIAL.exec(item)?.groups?.character;
  if (special) return { problem: `"${item}" has ${special.toUpperCase()}, which is not supported` };
  const [range = '', stepText, ...rest] = item.split('/');
  const step = stepText === undefined ? 1 : readNumber(stepText);
  if (rest.length > 0 || step === null || step < 1)
    return { problem: `"${item}" must have one step of at least 1 behind its "/"` };
  const bounds = parseRange(range, field, stepText !== undefined);
  if ('problem' in bounds) return bounds;
  const { low, high } = bounds;
  return Array.from({ length: Math.floor((high - low) / step) + 1 }, (_, index) => low + index * step);
}

function parseRange(
  range: string,
  field: Field,
  stepped: boolean,
): { low: number; high: number } | CronProblem {
  const { from, to } = field;
  if (range === '*') return { low: from, high: to };
  const [first = '', second, ...rest] = range.split('-');
  const low = readValue(first, field);
  const last = second === undefined ? null : readValue(second, field);
  if (low === null || (second !== undefined && last === null) || rest.length > 0) {
    const names = field.names ? ` or ${field.names.slice(0, 2).join(', ')}, …` : '';
    return { problem: `"${range}" is no value or range of ${from} to ${to}${names}` };
  }
  const high = last ?? (stepped ? to : low);
  // Saturday to Sunday: Sunday also counts as the last day of the week.
  const wrapped = field === WEEKDAY && high === 0 && low > 0 ? 7 : high;
  if (low > wrapped) return { problem: `"${range}" goes backwards; write it as two ranges` };
  return { low, high: wrapped };
}

function readValue(text: string, { from, to, names }: Field): number | null {
  const named = names?.indexOf(text.toLowerCase()) ?? -1;
  const value = named === -1 ? readNumber(text) : from + named;
  return value === null || value < from || value > to ? null : value;
}

function readNumber(text: string): number | null {
  return /^\d{1,4}$/.test(text) ? Number(text) : null;
}

/** Some day of some of its months exists. */
function canFire({ days, months, weekdays }: Cron): boolean {
  if (days === null || weekdays !== null) return true;
  const first = Math.min(...days);
  return LENGTHS.some((length, index) => months.has(index + 1) && first <= length);
}
