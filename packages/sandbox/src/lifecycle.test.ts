import { describe, expect, it } from 'vitest';
import {
  type Care,
  type Caring,
  care,
  type KeptSnapshot,
  LAST_MS,
  LEND_MS,
  type LiveSandbox,
  LOOK_MS,
  NOTHING_RECORDED,
  type Opening,
  opening,
  RENEW_MS,
  REST_MS,
  type SandboxRecord,
  type Sight,
  type Taking,
  TRUSTED_MS,
} from './lifecycle.ts';

const NOW = 1_000_000_000;
const LONG = 20 * 60 * 60_000;

const live = (more: Partial<LiveSandbox> = {}): LiveSandbox => ({
  sandboxId: 'sb-1',
  expiresAt: NOW + LONG,
  used: true,
  wanted: false,
  changed: true,
  ended: false,
  madeAfter: null,
  ...more,
});
const snapshot: KeptSnapshot = {
  imageId: 'im-1',
  lentAt: null,
  snapshotId: 'snap_1',
  sandboxId: 'sb-1',
  takenAt: NOW - LONG,
  upTo: 'sevt_1',
  running: false,
  marked: true,
};
const taking: Taking = {
  snapshotId: 'snap_2',
  sandboxId: 'sb-1',
  beganAt: NOW,
  upTo: 'sevt_2',
  running: false,
};
const record = (more: Partial<SandboxRecord>): SandboxRecord => ({ ...NOTHING_RECORDED, ...more });

describe('whoever needs a sandbox', () => {
  const sight = (more: Partial<Sight> = {}): Sight => ({
    now: NOW,
    seenAt: NOW - 1,
    calls: 0,
    look: null,
    keep: false,
    ...more,
  });
  const still = { at: NOW, running: false };
  const running = { at: NOW, running: true };
  const soon = (ms: number) => record({ live: live({ expiresAt: NOW + ms }), snapshot });
  const ended = live({ ended: true });
  const wrecked = live({ wrecked: true });
  const cases: [string, SandboxRecord, Sight, Opening['do']][] = [
    ['there never was one', NOTHING_RECORDED, sight(), 'spawn'],
    ['a fork that begins with a snapshot', record({ snapshot }), sight(), 'restore'],
    ['it answered a moment ago', record({ live: live() }), sight(), 'use'],
    ['it answered long ago', record({ live: live() }), sight({ seenAt: NOW - TRUSTED_MS }), 'check'],
    ['this process has never asked it', record({ live: live() }), sight({ seenAt: null }), 'check'],
    ['the clock was set back', record({ live: live() }), sight({ seenAt: NOW + 1 }), 'check'],
    ['it has ended, without a snapshot', record({ live: ended }), sight(), 'spawn'],
    ['it has ended, with a snapshot', record({ live: ended, snapshot }), sight(), 'restore'],
    ['it has ended as it was photographed', record({ live: ended, snapshot, taking }), sight(), 'finish'],
    ['it cannot be used any more', record({ live: wrecked, snapshot }), sight(), 'end'],
    [
      'it cannot be used, and nobody knows whether it lives',
      record({ live: wrecked }),
      sight({ seenAt: 0 }),
      'end',
    ],
    [
      'it cannot be used, and another call is under way',
      record({ live: wrecked }),
      sight({ calls: 1 }),
      'wait',
    ],
    [
      'it cannot be used, and was photographed before',
      record({ live: wrecked, taking }),
      sight({ calls: 1 }),
      'finish',
    ],
    [
      'it could not be used, and has ended',
      record({ live: { ...wrecked, ended: true }, snapshot }),
      sight(),
      'restore',
    ],
    [
      'it could not be used, and its time is nearly over',
      record({ live: { ...wrecked, expiresAt: NOW } }),
      sight(),
      'end',
    ],
    ['an hour is left of its time', soon(RENEW_MS + 1), sight(), 'use'],
    ['less is left', soon(RENEW_MS), sight(), 'look'],
    [
      'less is left, and it was looked at long ago',
      soon(RENEW_MS),
      sight({ look: { ...still, at: 0 } }),
      'look',
    ],
    ['less is left, and nothing runs in it', soon(RENEW_MS), sight({ look: still }), 'renew'],
    ['less is left, and something runs in it', soon(RENEW_MS), sight({ look: running }), 'use'],
    ['less is left, and a call is under way', soon(RENEW_MS), sight({ calls: 1, look: still }), 'use'],
    ['less is left, and replacing it has failed', soon(RENEW_MS), sight({ look: still, keep: true }), 'use'],
    ['hardly anything is left, whatever runs', soon(LAST_MS), sight({ look: running }), 'renew'],
    ['hardly anything is left, and a call is under way', soon(LAST_MS), sight({ calls: 2 }), 'use'],
    ['its time is over, and it still answers', soon(-1), sight(), 'renew'],
  ];
  it.each(cases)('%s', (...[, what, seen, expected]) => {
    expect(opening(what, seen).do).toBe(expected);
  });
});

describe('a sandbox that nobody needs just now', () => {
  const caring = (more: Partial<Caring> = {}): Caring => ({
    now: NOW,
    restsSince: NOW - REST_MS,
    restMs: REST_MS,
    look: null,
    ...more,
  });
  const still = { at: NOW, running: false };
  const running = { at: NOW - 1_000, running: true };
  const wait = (until: number | null): Care => ({ do: 'wait', until });
  const used = record({ live: live() });
  const unused = live({ used: false, changed: false });
  const last = live({ expiresAt: NOW + LAST_MS });
  const lent = { imageId: 'im-0', lentAt: NOW - 1_000 };
  const cases: [string, SandboxRecord, Caring, Care][] = [
    ['there is none', NOTHING_RECORDED, caring(), wait(null)],
    ['nothing was changed in it', record({ live: live({ changed: false }) }), caring(), wait(null)],
    ['nobody has used it', record({ live: unused }), caring(), { do: 'spare', sandboxId: 'sb-1' }],
    [
      'nobody has used it, and its session works',
      record({ live: unused }),
      caring({ restsSince: null }),
      wait(null),
    ],
    ['nobody has used it yet', record({ live: unused }), caring({ restsSince: NOW }), wait(NOW + REST_MS)],
    [
      'nobody has used it, and somebody wants it',
      record({ live: { ...unused, wanted: true } }),
      caring(),
      wait(null),
    ],
    ['it has ended', record({ live: live({ ended: true }) }), caring(), wait(null)],
    [
      'it cannot be used any more',
      record({ live: live({ wrecked: true }) }),
      caring({ restsSince: NOW, look: still }),
      { do: 'end', sandboxId: 'sb-1' },
    ],
    [
      'it cannot be used, and its session works',
      record({ live: live({ wrecked: true, expiresAt: NOW }) }),
      caring({ restsSince: null, look: still }),
      wait(null),
    ],
    [
      'it could not be used, and has ended',
      record({ live: live({ wrecked: true, ended: true }) }),
      caring(),
      wait(null),
    ],
    ['its session works', used, caring({ restsSince: null }), wait(NOW + LONG - LAST_MS)],
    ['its session has just come to rest', used, caring({ restsSince: NOW }), wait(NOW + REST_MS)],
    ['its session rests, and nobody has looked', used, caring(), { do: 'look' }],
    ['nothing runs in it', used, caring({ look: still }), { do: 'snapshot' }],
    [
      'nothing ran in it long ago',
      used,
      caring({ look: { at: NOW - LOOK_MS, running: false } }),
      { do: 'look' },
    ],
    ['something runs in it', used, caring({ look: running }), wait(running.at + LOOK_MS)],
    [
      'something ran in it when it was last looked at',
      used,
      caring({ look: { at: NOW - LOOK_MS, running: true } }),
      { do: 'look' },
    ],
    [
      'its time is nearly over, and something runs',
      record({ live: last }),
      caring({ look: running }),
      { do: 'snapshot' },
    ],
    [
      'its time is nearly over, and its session works',
      record({ live: last }),
      caring({ restsSince: null, look: still }),
      { do: 'snapshot' },
    ],
    [
      'its time is nearly over, and nobody has looked',
      record({ live: last }),
      caring({ restsSince: null }),
      { do: 'look' },
    ],
    [
      'it was photographed at its last, and its session works on',
      record({ live: last, snapshot: { ...snapshot, takenAt: NOW } }),
      caring({ restsSince: null }),
      wait(null),
    ],
    [
      'what was photographed at the last was another one',
      record({ live: last, snapshot: { ...snapshot, sandboxId: 'sb-0', takenAt: NOW } }),
      caring({ restsSince: null, look: still }),
      { do: 'snapshot' },
    ],
    [
      'a process died as it was photographed',
      record({ live: live(), taking }),
      caring({ restsSince: null }),
      { do: 'finish' },
    ],
    [
      'a superseded snapshot is left',
      record({ discarded: [{ imageId: 'im-0', lentAt: null }] }),
      caring({ restsSince: null }),
      { do: 'discard', image: { imageId: 'im-0', lentAt: null } },
    ],
    [
      'a superseded snapshot was just lent',
      record({ discarded: [lent] }),
      caring(),
      wait(lent.lentAt + LEND_MS),
    ],
  ];
  it.each(cases)('%s', (...[, what, seen, expected]) => {
    expect(care(what, seen)).toEqual(expected);
  });
});
