// Snapshots of sandboxes that run: images of all that a sandbox changed. 1. One request, by its task and the id its client
// gave it, makes one image, however often it comes. 2. An image exists once its files are whole, and not before.
import { newId } from './identifiers.ts';
import type { ImageRecord, ImageStore } from './image-store.ts';
import type { ImageTrees } from './image-trees.ts';
import type { Layout } from './root-filesystem.ts';
import type { Sandboxes } from './sandboxes.ts';

export interface SnapshotsPorts {
  sandboxes: Sandboxes;
  images: ImageStore;
  trees: ImageTrees;
  layout: Layout;
}

export class Snapshots {
  readonly #ports: SnapshotsPorts;
  readonly #beingTaken = new Map<string, Promise<ImageRecord | undefined>>();

  constructor(ports: SnapshotsPorts) {
    this.#ports = ports;
  }

  /** Undefined when the sandbox has ended without such a snapshot. Throws ImageSpaceError, TreeCopyError. */
  async take(taskId: string, snapshotId: string): Promise<ImageRecord | undefined> {
    const key = `snapshot ${taskId} ${snapshotId}`;
    const known = this.#ports.images.findByContent(key) ?? this.#beingTaken.get(key);
    if (known !== undefined) return known;
    const taking = this.#take(taskId, key).finally(() => this.#beingTaken.delete(key));
    this.#beingTaken.set(key, taking);
    return taking;
  }

  #take(taskId: string, key: string): Promise<ImageRecord | undefined> {
    const { sandboxes, images, trees, layout } = this.#ports;
    const sandbox = sandboxes.byTask(taskId);
    if (sandbox === undefined) return Promise.resolve(undefined);
    const { env, workdir, layers } = sandbox.image;
    return sandboxes.read(sandbox.record.id, async (place, signal) => {
      const image: ImageRecord = { id: newId('im'), env, workdir, layers, layout };
      await trees.capture(place, signal, (tree) => {
        image.tree = tree.id;
        images.add(image, { contentKey: key, tree });
      });
      return image;
    });
  }
}
