// What becomes of an environment's image: tables, and what holds whatever builds come to.
import type { BuildOutcome } from '@capstan/schema/environment-images';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { OPEN_CLOUD } from './environments.ts';
import {
  afterBuild,
  firstImage,
  type ImageRecord,
  imageDuty,
  REBUILD_MS,
  RETRY_MS,
  stampInUse,
  toEnvironmentImage,
} from './image-record.ts';

const packaged = { ...OPEN_CLOUD, packages: { ...OPEN_CLOUD.packages, pip: ['pandas'] } };
const NOW = Date.parse('2026-11-21T18:00:00Z');
const LATER = NOW + REBUILD_MS;
const BUILT: BuildOutcome = { built: true, imageId: 'im-1' };
const FAILED: BuildOutcome = { built: false, error: 'no such package' };

function first(): ImageRecord {
  const record = firstImage(packaged, NOW);
  if (record === null) throw new TypeError('It has packages.');
  return record;
}
const ready = (at = NOW) => afterBuild(first(), BUILT, at).record;

describe('the image of an environment', () => {
  it('is owed by one that has packages or an image of its own, and by no other', () => {
    expect(first()).toMatchObject({ state: 'building', builtStamp: null, builtAt: null });
    expect(firstImage(OPEN_CLOUD, NOW)).toBeNull();
    expect(firstImage({ type: 'self_hosted' }, NOW)).toBeNull();
    const machine = { image: 'debian:13', dockerfile: [], cpu: null, memory_mib: null, gpu: null };
    expect(firstImage({ ...OPEN_CLOUD, machine }, NOW)).toMatchObject({ state: 'building' });
    expect(firstImage({ ...OPEN_CLOUD, machine: { ...machine, image: null, cpu: 2 } }, NOW)).toBeNull();
  });

  it.each<[string, Parameters<typeof imageDuty>, object]>([
    ['goes on with the build that was begun', [first(), null, LATER], { do: 'build', record: first() }],
    ['sleeps when nobody has used it since it was built', [ready(), NOW - 1, LATER], { do: 'sleep' }],
    ['sleeps when nobody ever used it', [ready(), null, LATER], { do: 'sleep' }],
    [
      'is built anew when it was used, by another stamp',
      [ready(), NOW + 1, LATER],
      { do: 'build', record: { state: 'building', stamp: '2026-11-22T18:00:00.000Z' } },
    ],
    [
      'is tried again when it failed, used or not',
      [afterBuild(first(), FAILED, NOW).record, null, LATER],
      { do: 'build', record: { state: 'building', failures: 1 } },
    ],
  ])('%s', (_what, due, duty) => {
    expect(imageDuty(...due)).toMatchObject(duty);
  });

  it('keeps what is in use until another build has succeeded, and says what failed', () => {
    const used = imageDuty(ready(), NOW + 1, NOW + REBUILD_MS);
    if (used.do !== 'build') throw new TypeError('It is due.');
    expect(stampInUse(used.record)).toBe(first().stamp);
    const { record } = afterBuild(used.record, FAILED, NOW + REBUILD_MS + 1);
    expect(stampInUse(record)).toBe(first().stamp);
    expect(toEnvironmentImage(record)).toEqual({
      state: 'failed',
      built_at: '2026-11-21T18:00:00.000Z',
      error: 'no such package',
    });
  });

  it('waits longer after each failure, at most a day', () => {
    let record = first();
    const waits = Array.from({ length: 10 }, () => {
      const next = afterBuild(record, FAILED, NOW);
      record = next.record;
      return next.dueAt - NOW;
    });
    expect(waits.slice(0, 3)).toEqual([RETRY_MS, 2 * RETRY_MS, 4 * RETRY_MS]);
    expect(waits.at(-1)).toBe(REBUILD_MS);
  });

  it('is made from a build that succeeded once one has, whatever comes after', () => {
    fc.assert(
      fc.property(fc.array(fc.boolean(), { maxLength: 30 }), (builds) => {
        let [record, at] = [first(), NOW];
        const succeeded = new Set<string>();
        for (const built of builds) {
          const duty = imageDuty(record, at, at + 1);
          expect(duty.do).toBe('build');
          if (duty.do === 'build') record = duty.record;
          if (built) succeeded.add(record.stamp);
          const next = afterBuild(record, built ? BUILT : FAILED, at + 1);
          expect(next.dueAt).toBeGreaterThan(at + 1);
          record = next.record;
          // Used a moment after it was built.
          at = next.dueAt;
          if (succeeded.size > 0) expect(succeeded.has(stampInUse(record))).toBe(true);
          expect(record.error === null).toBe(record.state === 'ready');
        }
      }),
    );
  });
});
