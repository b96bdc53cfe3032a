// The record of a sandbox through random lives: processes die between any two changes, sandboxes end, snapshots fail. Whatever
// happens, no image is lost or let go while it is needed, and what is told of a loss is true.
import type { SandboxReplacement } from '@capstan/schema/events/sandbox-events';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { leftImages, NOTHING_RECORDED, type SandboxRecord } from './lifecycle.ts';
import * as changes from './record-changes.ts';

type Step =
  | { do: 'use'; changes: boolean; background: boolean }
  | { do: 'open'; restores: boolean }
  | { do: 'begin' | 'ask' | 'record' | 'give up' | 'end' | 'notice' | 'discard' | 'lend' | 'wreck' };

const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 5,
    arbitrary: fc.record({
      do: fc.constant('use' as const),
      changes: fc.boolean(),
      background: fc.boolean(),
    }),
  },
  { weight: 4, arbitrary: fc.record({ do: fc.constant('open' as const), restores: fc.boolean() }) },
  {
    weight: 15,
    arbitrary: fc
      .constantFrom('begin', 'ask', 'record', 'give up', 'end', 'notice', 'discard', 'lend', 'wreck')
      .map((act) => ({ do: act }) as Step),
  },
);

/** What really is, beside what is recorded of it. A file is the number of the change that made it. */
class Life {
  record: SandboxRecord = NOTHING_RECORDED;
  /** Images there are, with the files in them. */
  images = new Map<string, number[]>();
  box: { id: string; files: number[]; runs: boolean; alive: boolean; whole: boolean } | null = null;
  made = 0;
  files = 0;
  told: { replacement: SandboxReplacement; had: number[]; has: number[]; ran: boolean }[] = [];

  change(next: (record: SandboxRecord) => SandboxRecord): void {
    // As it is kept: JSON.
    this.record = JSON.parse(JSON.stringify(next(this.record)));
  }

  take(next: Step): void {
    const { live, taking } = this.record;
    const usable = live !== null && !live.ended && !live.wrecked;
    switch (next.do) {
      case 'use': {
        if (!usable || !this.box?.alive) return;
        this.change((record) => changes.used(record, next.changes));
        if (!next.changes) return;
        this.box.files.push(++this.files);
        this.box.runs ||= next.background;
        return;
      }
      case 'open':
        if (live === null || live.ended) this.open(next.restores);
        return;
      case 'begin': {
        if (!usable || taking !== null) return;
        const running = this.box?.runs ?? false;
        const { sandboxId } = live;
        const snapshotId = `snap_${++this.made}`;
        this.change((record) =>
          changes.began(record, { snapshotId, sandboxId, beganAt: this.made, upTo: null, running }),
        );
        return;
      }
      case 'ask':
        // Perhaps nobody hears the answer. What cannot be used is not photographed.
        if (taking !== null && this.box?.alive && this.box.whole)
          this.images.set(
            `im_${taking.snapshotId}`,
            this.images.get(`im_${taking.snapshotId}`) ?? [...this.box.files],
          );
        return;
      case 'record': {
        const imageId = `im_${taking?.snapshotId}`;
        if (taking !== null && this.images.has(imageId))
          this.change((record) =>
            changes.took(record, { snapshotId: taking.snapshotId, imageId, marked: true }),
          );
        return;
      }
      case 'give up':
        if (taking !== null && !this.images.has(`im_${taking.snapshotId}`))
          this.change((record) => changes.notTaken(record, taking.snapshotId));
        return;
      case 'end':
        if (this.box) this.box.alive = false;
        return;
      case 'notice':
        if (live !== null && !this.box?.alive) this.change((record) => changes.ended(record, live.sandboxId));
        return;
      case 'wreck':
        if (this.box === null || live === null || !this.box.alive) return;
        this.box.whole = false;
        this.change((record) => changes.wrecked(record, live.sandboxId));
        return;
      case 'discard': {
        const [image] = this.record.discarded;
        if (image === undefined) return;
        this.images.delete(image.imageId);
        this.change((record) => changes.letGo(record, image.imageId));
        return;
      }
      case 'lend': {
        const { snapshot } = this.record;
        if (snapshot !== null) this.change((record) => changes.lent(record, snapshot.imageId, this.made));
      }
    }
  }

  open(restores: boolean): void {
    const { snapshot } = this.record;
    const from = restores ? snapshot : null;
    const files = from === null ? [] : [...(this.images.get(from.imageId) ?? [])];
    const before = this.box;
    const sandboxId = `sb_${++this.made}`;
    this.box = { id: sandboxId, files, runs: false, alive: true, whole: true };
    const newsId = `sevt_${this.made}`;
    this.change((record) =>
      changes.replaced(record, { sandboxId, expiresAt: 0, from }, { newsId, upTo: null }),
    );
    const news = this.record.news.find(({ id }) => id === newsId);
    if (news?.kind !== 'replaced') return;
    const had = before?.files ?? [];
    this.told.push({ replacement: news.replacement, had, has: [...files], ran: before?.runs ?? false });
  }
}

function lived(steps: readonly Step[], after: (life: Life) => void = () => {}): Life {
  const life = new Life();
  for (const next of steps) {
    life.take(next);
    after(life);
  }
  return life;
}

const lives = fc.array(step, { maxLength: 60, size: 'max' });

describe('the record of a sandbox', { timeout: 120_000 }, () => {
  it('has every image there is, and no image it still needs is to go', () => {
    fc.assert(
      fc.property(lives, (steps) => {
        lived(steps, ({ record, images }) => {
          const known = new Set(leftImages(record).map(({ imageId }) => imageId));
          if (record.taking !== null) known.add(`im_${record.taking.snapshotId}`);
          for (const imageId of images.keys()) expect(known).toContain(imageId);
          const { snapshot, discarded } = record;
          if (snapshot === null) return;
          expect(images.has(snapshot.imageId)).toBe(true);
          expect(discarded.map(({ imageId }) => imageId)).not.toContain(snapshot.imageId);
        });
      }),
      { numRuns: 2_000 },
    );
  });

  it('never tells that less was lost than was', () => {
    fc.assert(
      fc.property(lives, (steps) => {
        for (const { replacement, had, has, ran } of lived(steps).told) {
          const { restored, lost } = replacement;
          const gone = had.filter((file) => !has.includes(file));
          if (lost.files === 'none') expect(gone).toEqual([]);
          if (restored === null && had.length > 0) expect(lost.files).toBe('all');
          if (ran) expect(lost.processes).toBe(true);
        }
      }),
      { numRuns: 2_000 },
    );
  });

  it('knows that what was changed is on no snapshot, until it is', () => {
    fc.assert(
      fc.property(lives, (steps) => {
        lived(steps, ({ record, images, box }) => {
          const { live, snapshot, taking } = record;
          if (live === null || taking !== null || box?.id !== live.sandboxId || live.changed) return;
          const kept = snapshot === null ? [] : (images.get(snapshot.imageId) ?? []);
          expect(kept).toEqual(expect.arrayContaining(box.files));
        });
      }),
      { numRuns: 2_000 },
    );
  });
});

describe('a change of the record', () => {
  const made = { sandboxId: 'sb-1', expiresAt: 5, from: null };
  const first = changes.replaced(NOTHING_RECORDED, made, { newsId: 'sevt_1', upTo: 'sevt_0' });

  it('tells nothing of the first sandbox, nor of one that nobody used', () => {
    expect(first.news).toEqual([]);
    const next = changes.replaced(first, { ...made, sandboxId: 'sb-2' }, { newsId: 'sevt_2', upTo: null });
    expect(next.news).toEqual([]);
  });

  it('is the same record when it is known already', () => {
    const used = changes.used(first, true);
    expect(changes.used(used, true)).toBe(used);
    expect(changes.used(used, false)).toBe(used);
    expect(changes.replaced(used, made, { newsId: 'sevt_3', upTo: null })).toBe(used);
    expect(changes.ended(used, 'sb-other')).toBe(used);
    expect(changes.wrecked(used, 'sb-other')).toBe(used);
    const wrecked = changes.wrecked(used, 'sb-1');
    expect(changes.wrecked(wrecked, 'sb-1')).toBe(wrecked);
    expect(changes.told(used, 'sevt_none')).toBe(used);
  });

  it('asks for no snapshot of a sandbox that cannot be used, and forgets that with the sandbox', () => {
    const taking = { snapshotId: 'snap_1', sandboxId: 'sb-1', beganAt: 1, upTo: null, running: false };
    const wrecked = changes.wrecked(first, 'sb-1');
    expect(changes.began(wrecked, taking)).toBe(wrecked);
    const next = changes.replaced(
      changes.ended(wrecked, 'sb-1'),
      { ...made, sandboxId: 'sb-2' },
      { newsId: 'sevt_2', upTo: null },
    );
    expect(next.live?.wrecked ?? false).toBe(false);
  });

  it('remembers after which call a replacement was made: what came before may have run in the other', () => {
    const used = changes.used(first, true);
    const next = changes.replaced(used, { ...made, sandboxId: 'sb-2' }, { newsId: 'sevt_2', upTo: 'sevt_9' });
    expect([first.live?.madeAfter, next.live?.madeAfter]).toEqual([null, 'sevt_9']);
  });

  it('lets a snapshot that two processes record be one, and one that came too late go', () => {
    const taking = { snapshotId: 'snap_1', sandboxId: 'sb-1', beganAt: 1, upTo: null, running: false };
    const image = { snapshotId: 'snap_1', imageId: 'im-1', marked: true };
    const took = changes.took(changes.began(first, taking), image);
    expect(took.snapshot?.imageId).toBe('im-1');
    expect(changes.took(took, image)).toBe(took);
    const late = changes.took(took, { ...image, snapshotId: 'snap_0', imageId: 'im-0' });
    expect(late.discarded).toEqual([{ imageId: 'im-0', lentAt: null }]);
  });
});
