// Images of environments over a real backend: what is left of one that is deleted.
import { isSandboxError } from '@capstan/sandbox/error';
import type { ImageSource } from '@capstan/schema/image-source';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { buildAhead } from './environment-image.ts';
import { type SandboxWorld, startSandboxWorld } from './tools/testing.ts';

const SOURCE: ImageSource = {
  packages: { type: 'packages', apt: [], cargo: [], gem: [], go: [], npm: [], pip: [] },
  image: null,
  dockerfile: ['RUN echo built >/opt/made'],
};
const STAMP = '2026-11-21T18:00:00.000Z';

let world: SandboxWorld;
beforeAll(async () => {
  world = await startSandboxWorld('sesn_image');
});
afterAll(() => world.stop());

async function built(stamp: string): Promise<string> {
  const outcome = await buildAhead(world.sandboxes, SOURCE, stamp);
  if (!outcome.built) throw new TypeError(outcome.error);
  return outcome.imageId;
}

async function made(name: string, imageId: string): Promise<string> {
  return (await world.sandboxes.create({ name, imageId })).sandboxId;
}

async function outputOf(sandboxId: string): Promise<string> {
  const { stdout } = await world.sandboxes.exec({ sandboxId, command: 'cat /opt/made /root/file' });
  return new TextDecoder().decode(stdout);
}

describe('the image of a build that was replaced', { timeout: 60_000 }, () => {
  it('is deleted from under nothing: sandboxes go on, snapshots come back, it can be built again', async () => {
    const old = await built(STAMP);
    expect(await built(STAMP)).toBe(old);
    const next = await built('2026-11-22T18:00:00.000Z');
    expect(next).not.toBe(old);
    const sandboxId = await made('warm', old);
    await world.sandboxes.exec({ sandboxId, command: 'echo kept >/root/file' });
    const snapshot = await world.sandboxes.snapshot({ sandboxId, snapshotId: 'snapshot-1' });
    await world.sandboxes.deleteImage(old);
    await world.sandboxes.deleteImage(old);
    expect(await outputOf(sandboxId)).toBe('built\nkept\n');
    expect(await outputOf(await made('restored', snapshot.imageId))).toBe('built\nkept\n');
    await expect(made('late', old)).rejects.toSatisfy((error) => isSandboxError(error, 'image_not_found'));
    const again = await made('again', await built(STAMP));
    await world.sandboxes.exec({ sandboxId: again, command: 'echo new >/root/file' });
    expect(await outputOf(again)).toBe('built\nnew\n');
  });
});
