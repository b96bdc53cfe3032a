import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { DiskUse } from './disk-use.ts';
import { DiskWatch } from './disk-watch.ts';

const LIMIT = 1600;
const FILES = 160;

describe('DiskWatch', () => {
  let free: { bytes: number; files: number; share: number };
  let disk: DiskWatch;
  let measured: number;
  let onMeasure: () => Promise<void> | void;
  beforeEach(() => {
    free = { bytes: 100_000, files: 10_000, share: 0.5 };
    measured = 0;
    onMeasure = () => {};
    disk = new DiskWatch(async () => ({ ...free }));
  });
  afterEach(() => disk.close());

  const sandbox = (use: DiskUse) => {
    const told: DiskUse[] = [];
    const past: DiskUse[] = [];
    const stops: (() => void)[] = [];
    disk.add({
      diskBytes: LIMIT,
      files: FILES,
      measure: async () => {
        measured += 1;
        const seen = { ...use };
        await onMeasure();
        return seen;
      },
      onExceeded: (seen) => {
        told.push(seen);
        return new Promise<void>((resolve) => stops.push(resolve));
      },
      onPast: (seen) => past.push(seen),
    });
    /** Nothing of it that was told goes on. */
    const stop = async () => {
      for (const resolve of stops.splice(0)) resolve();
      await Promise.resolve();
    };
    return { use, told, past, stop };
  };
  const write = async (one: { use: DiskUse }, bytes: number, files = 0) => {
    one.use.bytes += bytes;
    one.use.files += files;
    free.bytes -= bytes;
    free.files -= files;
    await disk.look();
  };

  it('measures nothing while the disk hardly fills', async () => {
    const one = sandbox({ bytes: 2000, files: 1 });
    await disk.look();
    for (let index = 0; index < 9; index++) await write(one, 10, 1);
    expect([measured, one.told]).toEqual([0, []]);
    await write(one, 10, 1);
    expect([measured, one.told.length]).toEqual([1, 1]);
  });

  it('tells of who is over its bytes or its files, and of nobody else', async () => {
    const [one, two, three] = [1, 2, 3].map(() => sandbox({ bytes: 0, files: 0 }));
    if (!one || !two || !three) throw new RangeError('three');
    await disk.look();
    await write(one, LIMIT);
    await write(two, 0, FILES);
    expect([one.told, two.told]).toEqual([[], []]);
    await write(one, LIMIT);
    await write(two, 0, FILES);
    expect([one.told, two.told, three.told]).toEqual([
      [{ bytes: 2 * LIMIT, files: 0 }],
      [{ bytes: 0, files: 2 * FILES }],
      [],
    ]);
  });

  it('leaves one that clears up to it, and tells again when it grows, or comes over its limit anew', async () => {
    const [one, two] = [sandbox({ bytes: 0, files: 0 }), sandbox({ bytes: 0, files: 0 })];
    await disk.look();
    await write(one, LIMIT + 200);
    await one.stop();
    await write(one, -100);
    await write(two, 200);
    expect(one.told).toHaveLength(1);
    await write(one, 200);
    expect(one.told).toHaveLength(2);
    await one.stop();
    await write(one, -one.use.bytes);
    await write(two, 200);
    await write(one, LIMIT + 200);
    expect([one.told.length, two.told]).toEqual([3, []]);
  });

  it('does not tell of what one wrote until it was stopped, however long that took', async () => {
    const [one, two] = [sandbox({ bytes: 0, files: 0 }), sandbox({ bytes: 0, files: 0 })];
    await disk.look();
    await write(one, LIMIT + 200);
    await write(one, 200);
    await write(one, 200);
    one.use.bytes += 200;
    await one.stop();
    // Somebody clears up, while the disk fills by others.
    await write(two, 200);
    await write(two, 200);
    expect(one.told).toHaveLength(1);
    await write(one, 200);
    expect([one.told.length, one.past]).toEqual([2, []]);
  });

  it('measures anew what was stopped while it was measured', async () => {
    const one = sandbox({ bytes: 0, files: 0 });
    await disk.look();
    await write(one, LIMIT + 200);
    onMeasure = () => {
      onMeasure = () => {};
      one.use.bytes += 100;
      return one.stop();
    };
    await write(one, 200);
    await write(one, 200);
    expect(one.told).toHaveLength(1);
    await write(one, 200);
    expect(one.told).toHaveLength(2);
  });

  it('tells that one with more than twice what it may have is past it, stopped or not', async () => {
    const one = sandbox({ bytes: 0, files: 0 });
    await disk.look();
    await write(one, LIMIT + 200);
    await write(one, LIMIT);
    expect([one.told.length, one.past]).toEqual([1, [{ bytes: 2 * LIMIT + 200, files: 0 }]]);
    await one.stop();
    await write(one, 200, FILES);
    expect([one.told.length, one.past.length]).toEqual([1, 2]);
  });

  it('tells of the largest one when little is left for others, whatever it may have', async () => {
    const [one, two] = [sandbox({ bytes: 300, files: 1 }), sandbox({ bytes: 200, files: 1 })];
    await disk.look();
    free.share = 0.02;
    await write(two, 20);
    expect([one.told.length, two.told.length]).toEqual([1, 0]);
  });

  it('outlives a disk that cannot be asked, and a sandbox that cannot be measured', async () => {
    const one = sandbox({ bytes: 0, files: 0 });
    disk.add({
      diskBytes: LIMIT,
      files: FILES,
      measure: () => Promise.reject(new Error('ended')),
      onExceeded: async () => {},
      onPast: () => {},
    });
    await disk.look();
    await write(one, 2 * LIMIT);
    expect(one.told).toHaveLength(1);
    const broken = new DiskWatch(() => Promise.reject(new Error('gone')));
    broken.add({
      diskBytes: 1,
      files: 1,
      measure: async () => ({ bytes: 2, files: 2 }),
      onExceeded: async () => {},
      onPast: () => {},
    });
    await broken.look();
    broken.close();
  });
});
