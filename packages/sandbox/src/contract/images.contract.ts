// What every implementation of the Sandboxes port keeps: images that are built.
import { describe, expect, it } from 'vitest';
import { isSandboxError } from '../error.ts';
import { MAX_BUILD_LOG_BYTES, WORKSPACE } from '../port.ts';
import { maker, newName, refuses, type World } from './world.contract.ts';

/** Builds and whole file systems take their time where they are not on this machine. */
const TIMEOUT = 10 * 60 * 1000;
const UNKNOWN = `im-${'0'.repeat(22)}`;

export function describeImages(world: World): void {
  const make = maker(world);

  describe('images', { timeout: TIMEOUT }, () => {
    it('are made of lines that ran, and the same lines are the same image', async () => {
      const mark = crypto.randomUUID();
      const lines = [`ENV MARK=${mark}`, 'RUN mkdir -p /opt/made && echo "$MARK" > /opt/made/mark'];
      const [first, twin] = await Promise.all([1, 2].map(() => world.sandboxes.buildImage({ lines })));
      expect(twin).toEqual(first);
      expect(await world.sandboxes.buildImage({ lines })).toEqual(first);
      const other = await world.sandboxes.buildImage({ lines: [...lines, 'RUN true'] });
      expect(other).not.toEqual(first);
      const made = await make(first);
      expect(await made.sh('cat /opt/made/mark; echo $MARK; pwd')).toBe(`${mark}\n${mark}\n${WORKSPACE}\n`);
      await made.end();
    });

    it('tell the end of the log when a line fails, and can be mended', async () => {
      const failing = 'RUN seq 1 3000; echo the reason >&2; exit 3';
      const refused = await world.sandboxes.buildImage({ lines: ['RUN true', failing] }).catch((e) => e);
      expect(isSandboxError(refused, 'image_failed')).toBe(true);
      expect(refused.message).toMatch(/\n2999\n3000\n/);
      expect(refused.message).toContain('the reason');
      expect(Buffer.byteLength(refused.message)).toBeLessThan(MAX_BUILD_LOG_BYTES + 200);
      const { imageId } = await world.sandboxes.buildImage({ lines: ['RUN true', 'RUN echo mended'] });
      await (await make({ imageId })).end();
    });

    it('make no sandbox when there is none', async () => {
      const name = newName();
      await expect(world.sandboxes.create({ name, imageId: UNKNOWN })).rejects.toEqual(
        refuses('image_not_found'),
      );
      expect(await world.sandboxes.findByName(name)).toBeNull();
    });

    it('are gone once they are deleted, which leaves the sandboxes made from them', async () => {
      const lines = [`RUN echo ${crypto.randomUUID()} > /opt/kept`];
      const { imageId } = await world.sandboxes.buildImage({ lines });
      const made = await make({ imageId });
      await world.sandboxes.deleteImage(imageId);
      await world.sandboxes.deleteImage(imageId);
      expect(await made.sh('test -s /opt/kept && echo kept')).toBe('kept\n');
      await expect(make({ imageId })).rejects.toEqual(refuses('image_not_found'));
      const again = await make(await world.sandboxes.buildImage({ lines }));
      expect(await again.sh('test -s /opt/kept && echo built')).toBe('built\n');
      await made.end();
      await again.end();
    });
  });
}
