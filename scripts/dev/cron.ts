// Cron expressions as Cloudflare reads them: five fields in UTC, each `*`, a number, a range, a step or a list of those.
const FIELDS: { of: (instant: Date) => number; from: number; to: number }[] = [
  { of: (instant) => instant.getUTCMinutes(), from: 0, to: 59 },
  { of: (instant) => instant.getUTCHours(), from: 0, to: 23 },
  { of: (instant) => instant.getUTCDate(), from: 1, to: 31 },
  { of: (instant) => instant.getUTCMonth() + 1, from: 1, to: 12 },
  // Cloudflare counts weekdays from Sunday = 1.
  { of: (instant) => instant.getUTCDay() + 1, from: 1, to: 7 },
];

/** Whether `expression` names the minute of `instant`; an expression it cannot read is an Error. */
export function minuteMatches(expression: string, instant: Date): boolean {
  const parts = expression.trim().split(/\s+/);
  if (parts.length !== FIELDS.length)
    throw new Error(`cron "${expression}" must have ${FIELDS.length} fields`);
  return FIELDS.every((field, index) =>
    (parts[index] ?? '').split(',').some((part) => partMatches(part, field.of(instant), field)),
  );
}

function partMatches(part: string, value: number, { from, to }: { from: number; to: number }): boolean {
  const found = /^(?:\*|(\d+)(?:-(\d+))?)(?:\/(\d+))?$/.exec(part);
  if (found === null) throw new Error(`cron field "${part}" is not a number, range, step or *`);
  const step = Number(found[3] ?? 1);
  const low = found[1] === undefined ? from : Number(found[1]);
  const single = found[1] !== undefined && found[2] === undefined && found[3] === undefined;
  const high = single ? low : Number(found[2] ?? to);
  if (step < 1 || low < from || high > to || low > high)
    throw new Error(`cron field "${part}" is out of range`);
  return value >= low && value <= high && (value - low) % step === 0;
}
