// How a session's record of its sandbox changes: one function for each thing that happens. Pure, and harmless to repeat.
import type { SandboxReplacement } from '@capstan/schema/events/sandbox-events';
import type { SandboxNews } from '@capstan/schema/sandbox-news';
import { type Boot, type Phase, toBoot } from './boot.ts';
import type { KeptImage, KeptSnapshot, LiveSandbox, SandboxRecord, Taking } from './lifecycle.ts';

export interface Made {
  sandboxId: string;
  expiresAt: number;
  /** What it began with; null: with nothing. */
  from: KeptSnapshot | null;
}

interface Replacing {
  /** Names what there is to tell of it. */
  newsId: string;
  /** The last event of a tool call; null: there was none. */
  upTo: string | null;
}

/** Another sandbox is about to be asked for. */
export function makes(record: SandboxRecord): SandboxRecord {
  return record.making ? record : { ...record, making: true };
}

/** Another sandbox is there. */
export function replaced(record: SandboxRecord, made: Made, { newsId, upTo }: Replacing): SandboxRecord {
  const { live, snapshot } = record;
  const { sandboxId, expiresAt, from } = made;
  if (live?.sandboxId === sandboxId) return record.making ? { ...record, making: false } : record;
  const madeAfter = live?.used === true ? upTo : (live?.madeAfter ?? null);
  const fresh = { sandboxId, expiresAt, used: false, wanted: false, changed: false, ended: false, madeAfter };
  // Nobody has seen what there was before, unless it was used, or came with the session.
  const told = live?.used === true || (snapshot !== null && from === null);
  return {
    ...record,
    live: fresh,
    making: false,
    snapshot: from === null ? null : snapshot,
    discarded: from === null ? withImage(record, snapshot) : record.discarded,
    news: told
      ? [...record.news, { id: newsId, kind: 'replaced', replacement: replacementOf(record, made) }]
      : record.news,
  };
}

function replacementOf({ live, snapshot, taking }: SandboxRecord, { from }: Made): SandboxReplacement {
  const unsaved = live !== null && (live.changed || (taking !== null && taking.sandboxId === live.sandboxId));
  const all = from === null && (unsaved || snapshot !== null);
  return {
    restored: from && { snapshot_taken_at: new Date(from.takenAt).toISOString() },
    lost: {
      files: all ? 'all' : unsaved ? 'since_snapshot' : 'none',
      processes: unsaved || (live !== null && snapshot?.running === true),
    },
  };
}

/** A call is about to be made in it. The same record when that is known already. */
export function used(record: SandboxRecord, changes: boolean): SandboxRecord {
  const { live } = record;
  if (live === null || (live.used && (live.changed || !changes))) return record;
  return withLive(record, { ...live, used: true, changed: live.changed || changes });
}

/** Its time, as somebody who asked was told it. */
export function seen(record: SandboxRecord, sandboxId: string, expiresAt: number): SandboxRecord {
  const { live } = record;
  if (live?.sandboxId !== sandboxId || live.expiresAt === expiresAt) return record;
  return withLive(record, { ...live, expiresAt });
}

export function ended(record: SandboxRecord, sandboxId: string): SandboxRecord {
  const { live } = record;
  return live?.sandboxId === sandboxId ? withLive(record, { ...live, ended: true }) : record;
}

/** It lives, and cannot be used any more. */
export function wrecked(record: SandboxRecord, sandboxId: string): SandboxRecord {
  const { live } = record;
  if (live?.sandboxId !== sandboxId || live.wrecked) return record;
  return withLive(record, { ...live, wrecked: true });
}

/** A snapshot is about to be asked for: what is changed from here on may not be in it. */
export function began(record: SandboxRecord, taking: Taking): SandboxRecord {
  const { live } = record;
  if (record.taking !== null || live?.sandboxId !== taking.sandboxId || live.wrecked) return record;
  return { ...withLive(record, { ...live, changed: false }), taking };
}

export function took(
  record: SandboxRecord,
  { snapshotId, imageId, marked }: { snapshotId: string; imageId: string; marked: boolean },
): SandboxRecord {
  const { taking, snapshot, live } = record;
  const image = { imageId, lentAt: null };
  if (taking?.snapshotId !== snapshotId) {
    // Another process has recorded it, or has given it up.
    return snapshot?.imageId === imageId ? record : { ...record, discarded: withImage(record, image) };
  }
  const done = { ...record, taking: null };
  // Of a sandbox that has been replaced since.
  if (live !== null && live.sandboxId !== taking.sandboxId)
    return { ...done, discarded: withImage(record, image) };
  const { sandboxId, upTo, running, beganAt } = taking;
  const taken: KeptSnapshot = { ...image, snapshotId, sandboxId, takenAt: beganAt, upTo, running, marked };
  const superseded = snapshot?.imageId === imageId ? null : snapshot;
  return { ...done, snapshot: taken, discarded: withImage(record, superseded) };
}

/** It was not taken, and never will be: what it would have had is still only in its sandbox. */
export function notTaken(record: SandboxRecord, snapshotId: string): SandboxRecord {
  const { taking, live } = record;
  if (taking?.snapshotId !== snapshotId) return record;
  const given = { ...record, taking: null };
  return live?.sandboxId === taking.sandboxId ? withLive(given, { ...live, changed: true }) : given;
}

/** Another session begins with the snapshot of that image. */
export function lent(record: SandboxRecord, imageId: string, now: number): SandboxRecord {
  const { snapshot } = record;
  return snapshot?.imageId === imageId ? { ...record, snapshot: { ...snapshot, lentAt: now } } : record;
}

/** The image is gone, or is another session's alone. */
export function letGo(record: SandboxRecord, imageId: string): SandboxRecord {
  return {
    ...record,
    snapshot: record.snapshot?.imageId === imageId ? null : record.snapshot,
    discarded: record.discarded.filter((one) => one.imageId !== imageId),
  };
}

/** Somebody wants it, call or no call. The same record when there is none. */
export function wants(record: SandboxRecord): SandboxRecord {
  const { live } = record;
  return live === null || live.wanted ? record : withLive(record, { ...live, wanted: true });
}

/** It was ended, because nobody had needed it. */
export function spared(record: SandboxRecord, sandboxId: string): SandboxRecord {
  return record.live?.sandboxId === sandboxId ? { ...record, live: null, spared: true } : record;
}

/** Every sandbox there was is given back. */
export function givenBack(record: SandboxRecord): SandboxRecord {
  const { live, making } = record;
  return live === null && !making ? record : { ...record, live: null, making: false };
}

/** Its sandbox was made so. One that is in use already was told before. */
export function booted(record: SandboxRecord, boot: Boot): SandboxRecord {
  const { live } = record;
  return live?.sandboxId === boot.sandboxId && !live.used ? { ...record, boot } : record;
}

/** What belongs into it was brought, in these phases. */
export function filled(record: SandboxRecord, sandboxId: string, phases: readonly Phase[]): SandboxRecord {
  const { boot } = record;
  if (!boot || boot.filled || boot.sandboxId !== sandboxId) return record;
  return { ...record, boot: { ...boot, filled: true, phases: [...boot.phases, ...phases] } };
}

/** Somebody uses it: how it came to be is told. */
export function entered(record: SandboxRecord, newsId: string): SandboxRecord {
  const { boot } = record;
  if (!boot) return record;
  return announced({ ...record, boot: null }, { id: newsId, kind: 'booted', boot: toBoot(boot) });
}

export function announced(record: SandboxRecord, news: SandboxNews): SandboxRecord {
  return { ...record, news: [...record.news, news] };
}

/** The log tells everything up to and with that. */
export function told(record: SandboxRecord, newsId: string): SandboxRecord {
  const at = record.news.findIndex(({ id }) => id === newsId);
  return at < 0 ? record : { ...record, news: record.news.slice(at + 1) };
}

function withLive(record: SandboxRecord, live: LiveSandbox): SandboxRecord {
  return { ...record, live };
}

function withImage({ discarded }: SandboxRecord, image: KeptImage | null): readonly KeptImage[] {
  if (image === null || discarded.some(({ imageId }) => imageId === image.imageId)) return discarded;
  const { imageId, lentAt } = image;
  return [...discarded, { imageId, lentAt }];
}
