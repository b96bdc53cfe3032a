// What the log tells of a boot.
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type Boot, type Phase, toBoot } from './boot.ts';
import { NOTHING_RECORDED } from './lifecycle.ts';
import { booted, entered, filled, replaced } from './record-changes.ts';

const phase = (name: Phase['name'], beganAt: number, endedAt: number): Phase => ({
  name,
  beganAt,
  endedAt,
  url: null,
});
const BOOT: Boot = {
  sandboxId: 'sb-1',
  sandbox: 'created',
  beganAt: 1_000,
  phases: [phase('create', 1_200, 1_500), phase('image', 1_000, 1_200)],
  filled: false,
};
const made = replaced(
  NOTHING_RECORDED,
  { sandboxId: 'sb-1', expiresAt: 9, from: null },
  { newsId: 'sevt_0', upTo: null },
);

describe('a boot', () => {
  it('has its phases in the order they began, beside each other or not', () => {
    const phases = [...BOOT.phases, phase('skills', 1_500, 1_900), phase('files', 1_600, 1_700)];
    expect(toBoot({ ...BOOT, phases })).toEqual({
      sandbox: 'created',
      started_at: '1970-01-01T00:00:01.000Z',
      duration_ms: 900,
      phases: [
        { name: 'image', started_after_ms: 0, duration_ms: 200, repository_url: null },
        { name: 'create', started_after_ms: 200, duration_ms: 300, repository_url: null },
        { name: 'skills', started_after_ms: 500, duration_ms: 400, repository_url: null },
        { name: 'files', started_after_ms: 600, duration_ms: 100, repository_url: null },
      ],
    });
  });

  it('has no negative times, whatever the clock did, and is as long as what ends last', () => {
    const instant = fc.integer({ min: 0, max: 10_000 });
    const phases = fc.array(fc.tuple(instant, instant).map(([from, to]) => phase('clone', from, to)));
    fc.assert(
      fc.property(phases, instant, (some, beganAt) => {
        const told = toBoot({ ...BOOT, beganAt, phases: some });
        const ends = told.phases.map((each) => each.started_after_ms + each.duration_ms);
        expect(Math.min(0, ...told.phases.flatMap((each) => [each.started_after_ms, each.duration_ms]))).toBe(
          0,
        );
        expect(told.duration_ms).toBe(Math.max(0, ...ends));
      }),
    );
  });

  it('is filled once, and told once', () => {
    const once = filled(booted(made, BOOT), 'sb-1', [phase('files', 1_500, 1_600)]);
    const again = filled(once, 'sb-1', [phase('files', 2_500, 2_600)]);
    expect(again).toBe(once);
    const told = entered(again, 'sevt_1');
    expect(told.news).toMatchObject([{ id: 'sevt_1', kind: 'booted', boot: { duration_ms: 600 } }]);
    expect(entered(told, 'sevt_2')).toBe(told);
  });

  it('of another sandbox, or of one that is in use, changes nothing', () => {
    const other = { ...BOOT, sandboxId: 'sb-2' };
    expect(booted(made, other)).toBe(made);
    expect(filled(booted(made, BOOT), 'sb-2', [])).toEqual(booted(made, BOOT));
    const live = made.live && { ...made.live, used: true };
    expect(booted({ ...made, live }, BOOT).boot).toBeUndefined();
  });
});
