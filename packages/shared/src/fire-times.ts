// When a cron expression fires in a time zone: whenever the wall clock shows a minute that it names.
// F1. A minute that the clock skips does not come, and nothing fires in its place; one that it shows twice fires twice.
// F2. Fire times are exact: without seconds, without jitter.
import { type Cron, isCronDay } from '@capstan/schema/cron';
import { type Stretch, WallClock } from './wall-clock.ts';

const MINUTE_MS = 60_000;
const HOUR_MS = 60 * MINUTE_MS;
const DAY_MS = 24 * HOUR_MS;
/** 29 February may be eight years away, and no wall clock is ahead or behind by more than a day. */
const LONGEST_WAIT_DAYS = 9 * 366;

export class FireTimes {
  #cron: Cron;
  #clock: WallClock;

  /** `zone` is one the runtime knows; anything else is a RangeError. */
  constructor(cron: Cron, zone: string) {
    this.#cron = cron;
    this.#clock = new WallClock(zone);
  }

  /** The first `count` after an instant, epoch ms, earliest first. */
  after(instant: number, count: number): number[] {
    const found: number[] = [];
    const today = Math.floor(instant / DAY_MS);
    for (let day = today; day <= today + LONGEST_WAIT_DAYS * count && found.length < count; day++) {
      for (const time of this.#within(day)) if (time > instant) found.push(time);
    }
    return found.slice(0, count);
  }

  /** The last `count` after one instant and up to and with another, epoch ms, earliest first. */
  latest({ after, until, count }: { after: number; until: number; count: number }): number[] {
    let found: number[] = [];
    const first = Math.max(
      Math.floor(after / DAY_MS),
      Math.floor(until / DAY_MS) - LONGEST_WAIT_DAYS * count,
    );
    for (let day = Math.floor(until / DAY_MS); day >= first && found.length < count; day--) {
      found = [...this.#within(day).filter((time) => time > after && time <= until), ...found];
    }
    return found.slice(-count);
  }

  /** All on one day of UTC, which is up to three days somewhere on the wall. */
  #within(day: number): number[] {
    const near = [day - 1, day, day + 1].some((date) => this.#isDay(date * DAY_MS));
    if (!near) return [];
    return this.#clock
      .stretches(day * DAY_MS, (day + 1) * DAY_MS)
      .flatMap((stretch) => this.#during(stretch));
  }

  #during({ from, to, offsetMs }: Stretch): number[] {
    const found: number[] = [];
    const [begin, end] = [from + offsetMs, to + offsetMs];
    for (let date = Math.floor(begin / DAY_MS) * DAY_MS; date < end; date += DAY_MS) {
      if (!this.#isDay(date)) continue;
      for (const hour of this.#cron.hours) {
        for (const minute of this.#cron.minutes) {
          const local = date + hour * HOUR_MS + minute * MINUTE_MS;
          if (local >= begin && local < end) found.push(local - offsetMs);
        }
      }
    }
    return found;
  }

  /** `date`: its midnight, as the wall clock shows it. */
  #isDay(date: number): boolean {
    const shown = new Date(date);
    const [month, day, weekday] = [shown.getUTCMonth() + 1, shown.getUTCDate(), shown.getUTCDay()];
    return isCronDay(this.#cron, { month, day, weekday });
  }
}
