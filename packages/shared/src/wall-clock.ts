// What clocks on the wall of a time zone show: how far they are from UTC, and when they are set forward or back.
// Local times are epoch ms as if the wall clock showed UTC.

/** A stretch of time, `from` ≤ t < `to`, during which the wall clock stays `offsetMs` ahead of UTC. */
export interface Stretch {
  from: number;
  to: number;
  offsetMs: number;
}

const SECOND_MS = 1_000;
/** No zone sets its clocks twice within it. */
const PROBE_MS = 6 * 3_600_000;
const MOST_FORMATS = 200;

const formats = new Map<string, Intl.DateTimeFormat>();

export class WallClock {
  #format: Intl.DateTimeFormat;

  /** `zone` is one the runtime knows; anything else is a RangeError. */
  constructor(zone: string) {
    this.#format = formatOf(zone);
  }

  offsetMs(instant: number): number {
    const shown = new Map(
      this.#format.formatToParts(instant).map(({ type, value }) => [type, Number(value)] as const),
    );
    const part = (name: Intl.DateTimeFormatPartTypes) => shown.get(name) ?? 0;
    const local = Date.UTC(
      part('year'),
      part('month') - 1,
      part('day'),
      part('hour'),
      part('minute'),
      part('second'),
    );
    return local - Math.floor(instant / SECOND_MS) * SECOND_MS;
  }

  /** All between two instants, in order and without gaps. */
  stretches(from: number, to: number): Stretch[] {
    const found: Stretch[] = [];
    let open: Stretch = { from, to, offsetMs: this.offsetMs(from) };
    for (let probed = from; probed < to; ) {
      const next = Math.min(probed + PROBE_MS, to);
      const offsetMs = this.offsetMs(next);
      if (offsetMs !== open.offsetMs) {
        const changed = this.#change(probed, next, open.offsetMs);
        found.push({ ...open, to: changed });
        open = { from: changed, to, offsetMs };
      }
      probed = next;
    }
    return open.from < to ? [...found, open] : found;
  }

  /** The first second after `before` at which the offset is another. */
  #change(before: number, after: number, offsetMs: number): number {
    let [low, high] = [Math.floor(before / SECOND_MS), Math.ceil(after / SECOND_MS)];
    while (high - low > 1) {
      const middle = Math.floor((low + high) / 2);
      if (this.offsetMs(middle * SECOND_MS) === offsetMs) low = middle;
      else high = middle;
    }
    return high * SECOND_MS;
  }
}

/** Making one takes far longer than using it. */
function formatOf(zone: string): Intl.DateTimeFormat {
  const known = formats.get(zone);
  if (known) return known;
  const number = 'numeric';
  const made = new Intl.DateTimeFormat('en-US', {
    timeZone: zone,
    hourCycle: 'h23',
    ...{ year: number, month: number, day: number, hour: number, minute: number, second: number },
  });
  if (formats.size >= MOST_FORMATS) formats.clear();
  formats.set(zone, made);
  return made;
}
