// Snapshots over Modal, once per snapshotId.
//  1. The SDK gives each snapshot an id of its own, so what was taken is noted as a tag of the sandbox, at Modal: what runs
//     in the sandbox can neither read nor forge it. Whoever asks for the last snapshotId again gets the noted image.
//  2. Snapshots of one sandbox are taken one after another, and callers that ask for the same one wait for it together.
//  3. A sandbox that cannot be used is not photographed: what is made from a snapshot can be.
//  4. Not promised: a process that dies between the snapshot and its note leaves an image that nobody knows.
import { createHash } from 'node:crypto';
import type { Snapshot } from '../port.ts';
import type { Connection } from './connection.ts';
import { assertUsable } from './preparation.ts';
import { SNAPSHOT_TAG } from './tags.ts';

/** Of a file system of many gigabytes. */
const SNAPSHOT_MS = 9 * 60 * 1000;

export class Snapshots {
  readonly #connection: Connection;
  readonly #underway = new Map<string, Promise<{ imageId: string }>>();
  readonly #last = new Map<string, Promise<unknown>>();

  constructor(connection: Connection) {
    this.#connection = connection;
  }

  take(request: Snapshot): Promise<{ imageId: string }> {
    const { sandboxId, snapshotId } = request;
    const key = `${sandboxId} ${snapshotId}`;
    const twin = this.#underway.get(key);
    if (twin !== undefined) return twin;
    const before = this.#last.get(sandboxId) ?? Promise.resolve();
    const taken = before
      .catch(() => {})
      .then(() => this.#takeOnce(request))
      .finally(() => {
        this.#underway.delete(key);
        if (this.#last.get(sandboxId) === taken) this.#last.delete(sandboxId);
      });
    this.#underway.set(key, taken);
    this.#last.set(sandboxId, taken);
    return taken;
  }

  #takeOnce({ sandboxId, snapshotId }: Snapshot): Promise<{ imageId: string }> {
    const mark = createHash('sha256').update(snapshotId).digest('base64url').slice(0, 22);
    return this.#connection.about(sandboxId, 'taking a snapshot', async (sandbox) => {
      const tags = await sandbox.getTags();
      const [noted, known = ''] = (tags[SNAPSHOT_TAG] ?? '').split('.');
      if (noted === mark) return { imageId: known };
      await assertUsable(this.#connection, sandboxId);
      const { imageId } = await sandbox.snapshotFilesystem({ ttlMs: null, timeoutMs: SNAPSHOT_MS });
      try {
        await sandbox.setTags({ ...tags, [SNAPSHOT_TAG]: `${mark}.${imageId}` });
      } catch (error) {
        // Taken, and nobody would know: better none.
        await this.#connection.settings.client.images.delete(imageId).catch(() => {});
        throw error;
      }
      return { imageId };
    });
  }
}
