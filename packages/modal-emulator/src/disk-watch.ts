// What sandboxes write: their trees lie on a disk of the host, and no quota is assumed of it. As long as the disk hardly
// fills, nothing is measured; when it does, whoever is over its limit, or the largest when little is left, is told of.
// 1. Nothing is measured twice at a time. 2. A sandbox is told of again only once it has grown since it was stopped, whatever it
// wrote until then, so that whoever clears up is left to it. 3. One with twice what it may have is past being told.
import { statfs } from 'node:fs/promises';
import type { DiskUse } from './disk-use.ts';

const LOOK_MS = 250;
/** Sandboxes are measured when the disk has lost this part of what one may have; sooner where little is left. */
const STEP = 1 / 16;
const SCARCE_STEP = 1 / 256;
/** Left of the disk for everything else of this machine. */
const RESERVE = 0.03;
const PAST_FACTOR = 2;

export interface Watched {
  measure(): Promise<DiskUse>;
  diskBytes: number;
  files: number;
  /** It is over a limit, and has grown since it was stopped last. Resolves when nothing that ran goes on. */
  onExceeded(use: DiskUse): Promise<unknown>;
  /** It has grown to more than twice a limit. */
  onPast(use: DiskUse): void;
}

interface Told extends DiskUse {
  /** `stopped`: what it had then is not measured yet. */
  state: 'left' | 'stopping' | 'stopped';
}

const NOTHING: Told = { bytes: 0, files: 0, state: 'left' };

interface Free {
  bytes: number;
  files: number;
  share: number;
}

export class DiskWatch {
  readonly #free: () => Promise<Free>;
  readonly #watched = new Map<Watched, Told>();
  readonly #timer: NodeJS.Timeout;
  #last: Free | undefined;
  #looking = false;

  /** `free` tells of the disk that the trees lie on. */
  constructor(free: () => Promise<Free>) {
    this.#free = free;
    this.#timer = setInterval(() => void this.look(), LOOK_MS).unref();
  }

  add(watched: Watched): void {
    this.#watched.set(watched, NOTHING);
  }

  remove(watched: Watched): void {
    this.#watched.delete(watched);
  }

  close(): void {
    clearInterval(this.#timer);
    this.#watched.clear();
  }

  /** Once, now; at most one at a time. */
  async look(): Promise<void> {
    if (this.#looking || this.#watched.size === 0) return;
    this.#looking = true;
    try {
      const free = await this.#free();
      const last = this.#last ?? free;
      this.#last ??= free;
      const scarce = free.share < RESERVE;
      const part = scarce ? SCARCE_STEP : STEP;
      const least = (limit: 'diskBytes' | 'files') =>
        part * Math.min(...[...this.#watched.keys()].map((watched) => watched[limit]));
      const [bytes, files] = [last.bytes - free.bytes, last.files - free.files];
      if (bytes < least('diskBytes') && files < least('files')) {
        if (bytes < 0 || files < 0) this.#last = free;
        return;
      }
      this.#last = free;
      await this.#judge(scarce);
    } catch {
      // A disk that cannot be asked now is asked again.
    } finally {
      this.#looking = false;
    }
  }

  async #judge(scarce: boolean): Promise<void> {
    const uses: { watched: Watched; use: DiskUse; before: Told }[] = [];
    for (const [watched, before] of this.#watched) {
      const use = await watched.measure().catch(() => undefined);
      if (use !== undefined) uses.push({ watched, use, before });
    }
    const largest = Math.max(...uses.map(({ use }) => use.bytes));
    for (const { watched, use, before } of uses) {
      const over = isOver(use, watched, 1);
      if (!this.#watched.has(watched)) continue;
      if (over || (scarce && use.bytes === largest)) this.#tell(watched, use, before);
      else this.#watched.set(watched, NOTHING);
    }
  }

  #tell(watched: Watched, use: DiskUse, before: Told): void {
    const told = this.#watched.get(watched) ?? NOTHING;
    const grown = use.bytes > told.bytes || use.files > told.files;
    // It may have been stopped while it was measured, and have written until then.
    const state = before.state === 'stopped' ? 'left' : told.state;
    this.#watched.set(watched, { ...use, state });
    if (!grown) return;
    if (isOver(use, watched, PAST_FACTOR)) watched.onPast(use);
    else if (before.state === 'left') this.#stop(watched, use);
  }

  #stop(watched: Watched, use: DiskUse): void {
    this.#watched.set(watched, { ...use, state: 'stopping' });
    void watched.onExceeded(use).finally(() => {
      const told = this.#watched.get(watched);
      if (told?.state === 'stopping') this.#watched.set(watched, { ...told, state: 'stopped' });
    });
  }
}

function isOver(use: DiskUse, { diskBytes, files }: Watched, factor: number): boolean {
  return use.bytes > factor * diskBytes || use.files > factor * files;
}

/** For the constructor. */
export async function freeOf(directory: string): Promise<Free> {
  const { bavail, bsize, blocks, ffree } = await statfs(directory);
  return { bytes: bavail * bsize, files: ffree, share: blocks === 0 ? 1 : bavail / blocks };
}
