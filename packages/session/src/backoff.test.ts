import { describe, expect, it } from 'vitest';
import { Backoff } from './backoff.ts';
import type { MarkName } from './ports.ts';
import { say } from './scripted-harness.ts';
import { hello, Stage } from './testing/stage.ts';
import { quiesce } from './testing.ts';

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

describe('a session whose control plane is away', () => {
  it('looks for it ever more seldom, and is right soon after it is back', async () => {
    const stage = await Stage.open();
    const { world } = stage;
    world.indexFails = true;
    await stage.send(hello);
    await stage.replies([say('hi')]);
    await stage.rests();
    const since = world.now;
    let looks = 0;
    for (; world.now < since + 3_600_000; looks++) {
      await quiesce();
      expect((world.alarmAt ?? 0) - world.now).toBeLessThanOrEqual(300_000);
      await world.ring(stage.runtime);
    }
    // Every three seconds it was 1,200.
    expect(looks).toBeLessThan(50);
    world.indexFails = false;
    const back = world.now;
    for (await quiesce(); world.alarmAt !== null; await quiesce()) await world.ring(stage.runtime);
    expect(world.index?.status).toBe('idle');
    expect(world.ledger.size).toBe(1);
    expect(world.now - back).toBeLessThanOrEqual(300_000);
  });
});
