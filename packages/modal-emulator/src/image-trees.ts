// The files of images, each tree a directory below `images/`. 1. A tree that no record names is never used, so one that was
// half written when the emulator died is rubbish, and swept at the next start. 2. A tree goes only when no image and no
// running sandbox needs it. 3. Trees take no more than their share of the disk, and never the last of it.
import { chmodSync, chownSync, mkdirSync, readdirSync } from 'node:fs';
import { statfs } from 'node:fs/promises';
import { join } from 'node:path';
import { setInterval as every } from 'node:timers/promises';
import type { Logger } from '@capstan/shared/logger';
import { newId } from './identifiers.ts';
import type { ImageRecord, ImageStore } from './image-store.ts';
import { PROGRAM_PATHS } from './interpreters.ts';
import { type Base, changesOf, IMAGE_USER, type Layout } from './root-filesystem.ts';
import { TreeCopier, TreeCopyError } from './tree-copy.ts';
import { removeTrees } from './tree-removal.ts';

const WATCH_MS = 250;
/** Of installers, when /usr is read-only. */
const ELSEWHERE = {
  PATH: ['python', 'npm', 'gem', 'cargo', 'go']
    .map((name) => `/opt/${name}/bin`)
    .concat(PROGRAM_PATHS)
    .join(':'),
  PYTHONUSERBASE: '/opt/python',
  npm_config_prefix: '/opt/npm',
  GEM_HOME: '/opt/gem',
  CARGO_INSTALL_ROOT: '/opt/cargo',
  GOBIN: '/opt/go/bin',
};

export interface ImageLimits {
  /** Of all images together, on disk. */
  totalBytes: number;
  /** What writing an image leaves free on the disk. */
  reserveBytes: number;
}

/** The disk, or what images may have of it, is full. */
export class ImageSpaceError extends Error {
  override readonly name = 'ImageSpaceError';
}

/** The image was made under the other layout, and its files mean nothing under this one. */
export class ImageLayoutError extends Error {
  override readonly name = 'ImageLayoutError';
}

export interface ImageTreesPorts {
  stateDir: string;
  base: Base;
  layout: Layout;
  images: ImageStore;
  limits: ImageLimits;
  log: Logger;
}

/** A sandbox's directory and host uid. */
export interface SandboxPlace {
  directory: string;
  ownerId: number | undefined;
}

export interface CapturedTree {
  id: string;
  sizeBytes: number;
}

export class ImageTrees {
  readonly #ports: ImageTreesPorts;
  readonly #directory: string;
  readonly #copier: TreeCopier;
  /** Needed by running sandboxes, or being written: by how many. */
  readonly #held = new Map<string, number>();

  constructor(ports: ImageTreesPorts) {
    this.#ports = ports;
    this.#directory = join(ports.stateDir, 'images');
    mkdirSync(this.#directory, { recursive: true });
    chmodSync(this.#directory, 0o700);
    this.#copier = new TreeCopier(join(ports.stateDir, 'copies'), ports.base);
    this.collect();
  }

  /** What every command has in its environment beside the usual: where to install to, if not to /usr. */
  get env(): Readonly<Record<string, string>> {
    return this.#ports.layout === 'layers' ? {} : ELSEWHERE;
  }

  /** Throws ImageLayoutError when the emulator cannot read the image's files as it runs now. */
  assertUsable({ id, layout }: ImageRecord): void {
    if (layout === undefined || layout === this.#ports.layout) return;
    throw new ImageLayoutError(
      `Image ${id} was made where overlay file systems ${layout === 'layers' ? 'could' : 'could not'} be used for sandboxes; here it is the other way round. Build it again.`,
    );
  }

  layersOf(image: ImageRecord): string[] {
    return image.layers.map((id) => join(this.#directory, id));
  }

  /** Keeps an image's files until the returned function is called. */
  hold({ layers, tree }: Pick<ImageRecord, 'layers' | 'tree'>): () => void {
    const ids = tree === undefined ? layers : [...layers, tree];
    for (const id of ids) this.#held.set(id, (this.#held.get(id) ?? 0) + 1);
    let isHeld = true;
    return () => {
      if (!isHeld) return;
      isHeld = false;
      for (const id of ids) this.#release(id);
      this.collect();
    };
  }

  /** Copies a sandbox's changes into a new tree for `add` to record. Throws ImageSpaceError, TreeCopyError. */
  async capture(place: SandboxPlace, signal: AbortSignal, add: (tree: CapturedTree) => void): Promise<void> {
    const { images, limits } = this.#ports;
    const id = newId('tr');
    const release = this.hold({ layers: [id] });
    try {
      const to = join(this.#directory, id);
      mkdirSync(to, { mode: 0o700 });
      if (this.#isShifted(place)) chownSync(to, IMAGE_USER, IMAGE_USER);
      const sizeBytes = await this.#guarded(signal, (guard) =>
        this.#copier.copy({
          from: { path: changesOf(place.directory, this.#ports.layout), isShifted: false },
          to: { path: to, isShifted: this.#isShifted(place) },
          ownerId: place.ownerId,
          signal: guard,
        }),
      );
      if (images.sizeBytes() + sizeBytes > limits.totalBytes) {
        images.deleteUnusedSteps();
        this.collect();
      }
      const totalBytes = images.sizeBytes() + sizeBytes;
      if (totalBytes > limits.totalBytes)
        throw new ImageSpaceError(
          `With this one (${sizeBytes} bytes) the images would take ${totalBytes} bytes, and they may take ${limits.totalBytes}: delete images, or raise CAPSTAN_EMULATOR_IMAGE_BYTES.`,
        );
      add({ id, sizeBytes });
    } finally {
      release();
    }
  }

  /** Gives a sandbox that has not started its own copy of a tree. Throws ImageSpaceError, TreeCopyError. */
  async plant(tree: string, place: SandboxPlace, signal: AbortSignal): Promise<void> {
    const isShifted = this.#isShifted(place);
    await this.#guarded(signal, (guard) =>
      this.#copier.copy({
        from: { path: join(this.#directory, tree), isShifted },
        to: { path: changesOf(place.directory, this.#ports.layout), isShifted: false },
        ownerId: place.ownerId,
        newOwner: isShifted ? undefined : place.ownerId,
        signal: guard,
      }),
    );
  }

  /** Deletes an image and the files that are then needed no more; false when there is none of that id. */
  delete(imageId: string): boolean {
    const isDeleted = this.#ports.images.delete(imageId);
    if (isDeleted) this.collect();
    return isDeleted;
  }

  /** Removes what nobody needs any more. */
  collect(): void {
    this.#ports.images.forgetUnusedTrees([...this.#held.keys()]);
    const needed = new Set(this.#ports.images.trees());
    for (const id of readdirSync(this.#directory)) {
      if (needed.has(id) || this.#held.has(id)) continue;
      // Held, so that it is removed once.
      this.#held.set(id, 1);
      removeTrees(join(this.#directory, id))
        .catch((cause: unknown) =>
          this.#ports.log.warn('image.directory_kept', { tree: id, cause: String(cause) }),
        )
        .finally(() => this.#held.delete(id));
    }
  }

  #isShifted({ ownerId }: SandboxPlace): boolean {
    return this.#ports.layout === 'layers' && ownerId !== undefined;
  }

  #release(id: string): void {
    const holders = (this.#held.get(id) ?? 1) - 1;
    if (holders === 0) this.#held.delete(id);
    else this.#held.set(id, holders);
  }

  /** Stops the copying when the disk gets full: the rest of it belongs to everybody else. */
  async #guarded<T>(signal: AbortSignal, copy: (signal: AbortSignal) => Promise<T>): Promise<T> {
    await this.#assertSpace();
    const stop = new AbortController();
    const done = new AbortController();
    const watching = this.#watch(stop, done.signal);
    try {
      return await copy(AbortSignal.any([signal, stop.signal]));
    } catch (cause) {
      if (cause instanceof TreeCopyError && cause.isDiskFull)
        throw new ImageSpaceError(`The disk of the emulator's state is full. ${cause.message}`, { cause });
      throw stop.signal.aborted ? stop.signal.reason : cause;
    } finally {
      done.abort();
      await watching;
    }
  }

  async #watch(stop: AbortController, done: AbortSignal): Promise<void> {
    try {
      for await (const _ of every(WATCH_MS, undefined, { signal: done, ref: false }))
        await this.#assertSpace();
    } catch (cause) {
      if (!done.aborted) stop.abort(cause);
    }
  }

  async #assertSpace(): Promise<void> {
    const { bavail, bsize } = await statfs(this.#directory);
    const { reserveBytes } = this.#ports.limits;
    if (bavail * bsize < reserveBytes)
      throw new ImageSpaceError(
        `The disk of the emulator's state has ${bavail * bsize} bytes left, and images leave ${reserveBytes} free: delete images or other files.`,
      );
  }
}
