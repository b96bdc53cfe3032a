// One line per figure, with what it is to be and whether it is.
export interface Figure {
  name: string;
  value: number;
  unit: string;
  /** Absent: shown for what it explains. */
  aim?: { most: number } | { least: number };
  note?: string;
}

let missed = 0;

export function show({ name, value, unit, aim, note }: Figure): void {
  const figure = `${name.padEnd(56)} ${format(value).padStart(10)} ${unit.padEnd(9)}`;
  console.log(`${figure} ${verdict(value, aim)}${note === undefined ? '' : ` ${note}`}`);
}

/** How many of the figures shown are not what they are to be. */
export function aimsMissed(): number {
  return missed;
}

function verdict(value: number, aim: Figure['aim']): string {
  if (aim === undefined) return ''.padEnd(16);
  const kept = 'most' in aim ? value <= aim.most : value >= aim.least;
  if (!kept) missed += 1;
  const bound = 'most' in aim ? `≤ ${format(aim.most)}` : `≥ ${format(aim.least)}`;
  return `${kept ? '✓' : '✗'} ${bound}`.padEnd(16);
}

function format(value: number): string {
  return value.toLocaleString('en', { maximumFractionDigits: Math.abs(value) < 1_000 ? 1 : 0 });
}
