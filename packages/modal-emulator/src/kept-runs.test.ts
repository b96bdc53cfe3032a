import { array, assert, asyncProperty, boolean, integer, record } from 'fast-check';
import type { ContainerProcess } from 'modal';
import { describe, expect, it } from 'vitest';
import { type KeptRun, KeptRuns } from './kept-runs.ts';
import { bash, startTestEmulator } from './testing.ts';

const LIMITS = { runs: 4, memoryBytes: 100, diskBytes: 1000, ageMs: 60_000 };

class FakeRun implements KeptRun {
  memoryBytes: number;
  diskBytes: number;
  isRead: boolean;
  isDisposed = false;
  exited: Promise<void>;
  readonly #resolve: () => void;

  constructor({ memoryBytes = 0, diskBytes = 0, isRead = false }) {
    this.memoryBytes = memoryBytes;
    this.diskBytes = diskBytes;
    this.isRead = isRead;
    const { promise, resolve } = Promise.withResolvers<void>();
    this.exited = promise;
    this.#resolve = resolve;
  }

  async end(): Promise<void> {
    this.#resolve();
    await this.exited;
  }

  dispose(): void {
    this.isDisposed = true;
  }
}

const sum = (values: number[]) => values.reduce((total, value) => total + value, 0);

describe('the runs a sandbox keeps', { timeout: 120_000 }, () => {
  it('stay within their limits, except for what runs or is being read, and the first to end go first', async () => {
    const bytes = integer({ min: 0, max: 100 });
    const made = record({
      memoryBytes: bytes,
      diskBytes: integer({ min: 0, max: 1000 }),
      isRead: boolean(),
      ends: boolean(),
    });
    await assert(
      asyncProperty(array(made, { maxLength: 20 }), async (all) => {
        const kept = new KeptRuns<FakeRun>(LIMITS);
        const runs = all.map((options) => new FakeRun(options));
        for (const [index, run] of runs.entries()) kept.add(String(index), run);
        // Backwards: what counts is when they end, not when they began.
        const ended = runs.filter((_, index) => all[index]?.ends).toReversed();
        for (const run of ended) await run.end();
        const left = ended.filter((run) => !run.isDisposed);
        const free = left.filter((run) => !run.isRead);
        expect(runs.filter((run) => run.isDisposed && (run.isRead || !ended.includes(run)))).toEqual([]);
        const unread = ended.filter((run) => !run.isRead);
        expect(free).toEqual(unread.slice(unread.length - free.length));
        if (free.length > 0 && left.every((run) => !run.isRead)) {
          expect(left.length).toBeLessThanOrEqual(LIMITS.runs);
          expect(sum(left.map((run) => run.memoryBytes))).toBeLessThanOrEqual(LIMITS.memoryBytes);
          expect(sum(left.map((run) => run.diskBytes))).toBeLessThanOrEqual(LIMITS.diskBytes);
        }
        for (const [index, run] of runs.entries())
          expect(kept.get(String(index))).toBe(run.isDisposed ? undefined : run);
      }),
    );
  });

  it('are let go of when they ended too long ago', async () => {
    const kept = new KeptRuns<FakeRun>(LIMITS);
    const [old, running] = [new FakeRun({}), new FakeRun({})];
    kept.add('old', old);
    kept.add('running', running);
    await old.end();
    kept.trim();
    expect([kept.get('old'), kept.isBusy]).toEqual([old, true]);
    kept.trim(performance.now() + LIMITS.ageMs + 1);
    expect([kept.get('old'), old.isDisposed, kept.get('running')]).toEqual([undefined, true, running]);
  });

  it('take no more of the disk than the largest output of one, and the last can be read', {
    timeout: 60_000,
  }, async () => {
    const MIB = 1024 * 1024;
    const world = await startTestEmulator({ outputLimitBytes: MIB });
    const sandbox = await world.create();
    const runs: ContainerProcess<Uint8Array>[] = [];
    for (let made = 0; made < 6; made++) {
      const run = await sandbox.exec(['head', '-c', String(MIB), '/dev/zero'], { mode: 'binary' });
      await run.wait();
      runs.push(run);
    }
    expect((await bash(sandbox, 'echo on')).stdout).toBe('on\n');
    const last = runs.at(-1);
    expect((await last?.stdout.readBytes())?.length).toBe(MIB);
    await expect(runs[0]?.stdout.readBytes()).rejects.toThrow(/not found/);
    await world.stop();
  });
});
