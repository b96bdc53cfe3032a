import { describe, expect, it } from 'vitest';
import { Backoff } from './backoff.ts';
import type { MarkName } from './ports.ts';

class Clock {
  at = 0;
  jitter = 1;
  marks = new Map<MarkName, string>();

  backoff(): Backoff {
    return new Backoff(
      {
        now: () => this.at,
        random: () => this.jitter,
        marks: {
          get: (name) => this.marks.get(name) ?? null,
          set: (name, value) => this.marks.set(name, value),
        },
      },
      'index',
    );
  }

  /** How long each of so many tries is waited for. */
  waits(backoff: Backoff, tries: number): number[] {
    return Array.from({ length: tries }, () => {
      backoff.failed('row');
      const until = backoff.until ?? 0;
      const waited = until - this.at;
      expect(backoff.allows('row')).toBe(false);
      this.at = until;
      expect(backoff.allows('row')).toBe(true);
      return waited;
    });
  }
}

describe('what failed', () => {
  it('is tried again ever later, up to a bound', () => {
    const clock = new Clock();
    expect(clock.waits(clock.backoff(), 9)).toEqual([
      3_000, 6_000, 12_000, 24_000, 48_000, 96_000, 192_000, 300_000, 300_000,
    ]);
  });

  it('is tried at moments that spread, and never later than that', () => {
    const clock = new Clock();
    clock.jitter = 0;
    expect(clock.waits(clock.backoff(), 2)).toEqual([2_250, 4_500]);
  });

  it('holds up nothing else', () => {
    const backoff = new Clock().backoff();
    expect(backoff.allows('row')).toBe(true);
    backoff.failed('row');
    expect(backoff.allows('another')).toBe(true);
  });

  it('is tried at once by a new process, which goes on from how often it has failed', () => {
    const clock = new Clock();
    clock.waits(clock.backoff(), 4);
    const next = clock.backoff();
    expect(next.allows('row')).toBe(true);
    expect(clock.waits(next, 1)).toEqual([48_000]);
  });

  it('begins anew once it has worked', () => {
    const clock = new Clock();
    const backoff = clock.backoff();
    clock.waits(backoff, 4);
    backoff.worked();
    expect(backoff.until).toBeNull();
    expect(clock.waits(backoff, 1)).toEqual([3_000]);
  });
});
