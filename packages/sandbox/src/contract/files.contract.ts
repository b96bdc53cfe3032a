// What every implementation of the Sandboxes port keeps: files.
import { describe, expect, it } from 'vitest';
import { WORKSPACE } from '../port.ts';
import { ALL_BYTES, refuses, text, type World } from './world.contract.ts';

export function describeFiles(world: World): void {
  const { sh } = world;
  describe('files', () => {
    const path = `${WORKSPACE}/a dir/$file.bin`;

    it('are written whole, with their directories, and read in pieces', async () => {
      await world.sandboxes.writeFile({ sandboxId: world.sandboxId, path, content: ALL_BYTES });
      expect(await world.sandboxes.readFile({ sandboxId: world.sandboxId, path })).toMatchObject({
        sizeBytes: 1024,
        eof: true,
      });
      const piece = await world.sandboxes.readFile({
        sandboxId: world.sandboxId,
        path,
        offset: 1000,
        maxBytes: 100,
      });
      expect(new Uint8Array(piece.bytes)).toEqual(ALL_BYTES.subarray(1000));
      expect(piece.eof).toBe(true);
      expect(
        await world.sandboxes.readFile({ sandboxId: world.sandboxId, path, maxBytes: 10 }),
      ).toMatchObject({
        eof: false,
        sizeBytes: 1024,
      });
    });

    it('may have names as long as names can be, and no longer', async () => {
      const { sandboxes, sandboxId } = world;
      const content = new TextEncoder().encode('here');
      const at = (name: string) => ({ sandboxId, path: `${WORKSPACE}/${name}`, content });
      for (const name of ['n'.repeat(255), `-${'ü'.repeat(127)}`]) {
        await sandboxes.writeFile(at(name));
        expect(text((await sandboxes.readFile({ ...at(name) })).bytes)).toBe('here');
      }
      await expect(sandboxes.writeFile(at('n'.repeat(256)))).rejects.toMatchObject({
        code: 'invalid',
        message: 'path: has a name of more than 255 bytes',
      });
    });

    it('take several megabytes, and nothing', async () => {
      const content = new Uint8Array(5_000_000).fill(7);
      await world.sandboxes.writeFile({ sandboxId: world.sandboxId, path, content });
      const { bytes } = await world.sandboxes.readFile({
        sandboxId: world.sandboxId,
        path,
        maxBytes: 6_000_000,
      });
      expect(Buffer.compare(bytes, content)).toBe(0);
      await world.sandboxes.writeFile({ sandboxId: world.sandboxId, path, content: new Uint8Array() });
      expect(await world.sandboxes.readFile({ sandboxId: world.sandboxId, path })).toMatchObject({
        sizeBytes: 0,
        eof: true,
      });
    });

    it('keep their permissions and the links to them', async () => {
      await sh(`echo old > target; chmod 750 target; ln -sf target link`);
      await world.sandboxes.writeFile({
        sandboxId: world.sandboxId,
        path: `${WORKSPACE}/link`,
        content: new TextEncoder().encode('new'),
      });
      expect(await sh('cat target; stat -c " %a" target; stat -c %F link')).toBe('new 750\nsymbolic link\n');
    });

    it('carry every byte, in one piece or many', async () => {
      const content = new Uint8Array(20_000).map((_, i) => (i * 7) % 256);
      const place = { sandboxId: world.sandboxId, path: `${WORKSPACE}/every` };
      for (const size of [ALL_BYTES.length, content.length]) {
        await world.sandboxes.writeFile({ ...place, content: content.subarray(0, size) });
        const { bytes } = await world.sandboxes.readFile(place);
        expect(Buffer.compare(bytes, content.subarray(0, size))).toBe(0);
      }
      const pieces: Uint8Array[] = [];
      for (let offset = 0, eof = false; !eof; ) {
        const piece = await world.sandboxes.readFile({ ...place, offset, maxBytes: 5_000 });
        expect(piece.sizeBytes).toBe(content.length);
        pieces.push(piece.bytes);
        offset += piece.bytes.length;
        eof = piece.eof || offset === piece.sizeBytes;
      }
      expect(Buffer.compare(Buffer.concat(pieces), content)).toBe(0);
    });

    it('are sought inside the sandbox, however their path climbs', async () => {
      const sandboxId = world.sandboxId;
      const mark = crypto.randomUUID();
      const content = new TextEncoder().encode(mark);
      const climbing = `${WORKSPACE}/../../../../../..`;
      await world.sandboxes.writeFile({ sandboxId, path: `${climbing}/var/tmp/${mark}`, content });
      expect(await sh(`cat /var/tmp/${mark}`)).toBe(mark);
      await sh(`ln -s ../../../../../../../var/tmp/${mark} up; ln -s /proc/1/root/var/tmp/${mark} through`);
      for (const path of [`${climbing}/var/tmp/${mark}`, `${WORKSPACE}/up`, `${WORKSPACE}/through`]) {
        expect(text((await world.sandboxes.readFile({ sandboxId, path })).bytes)).toBe(mark);
      }
      const { entries } = await world.sandboxes.listFiles({ sandboxId, path: `${climbing}/var/tmp` });
      expect(entries.some(({ path }) => path.endsWith(mark))).toBe(true);
    });

    it('are listed and described', async () => {
      await sh(
        `mkdir -p list/sub; printf 123 > "list/a b"; printf 1 > list/.hidden; ln -s nowhere list/link`,
      );
      const { entries, truncated } = await world.sandboxes.listFiles({
        sandboxId: world.sandboxId,
        path: `${WORKSPACE}/list`,
      });
      const seen = entries.map(({ path, type }) => [path.slice(`${WORKSPACE}/list/`.length), type]);
      expect(seen).toEqual([
        ['.hidden', 'file'],
        ['a b', 'file'],
        ['link', 'symlink'],
        ['sub', 'directory'],
      ]);
      expect(truncated).toBe(false);
      const file = await world.sandboxes.stat({ sandboxId: world.sandboxId, path: `${WORKSPACE}/list/a b` });
      expect(file).toMatchObject({
        type: 'file',
        sizeBytes: 3,
        mode: 0o644,
        path: `${WORKSPACE}/list/a b`,
      });
      expect(Math.abs(Date.now() - file.modifiedAt)).toBeLessThan(60_000);
    });

    it('say what is wrong with a path', async () => {
      const content = new Uint8Array(1);
      const missing = { sandboxId: world.sandboxId, path: '/no/such/file' };
      const directory = { sandboxId: world.sandboxId, path: WORKSPACE };
      await expect(world.sandboxes.readFile(missing)).rejects.toEqual(refuses('file_not_found'));
      await expect(world.sandboxes.stat(missing)).rejects.toEqual(refuses('file_not_found'));
      await expect(world.sandboxes.listFiles(missing)).rejects.toEqual(refuses('file_not_found'));
      await expect(world.sandboxes.readFile(directory)).rejects.toEqual(refuses('is_directory'));
      await expect(world.sandboxes.writeFile({ ...directory, content })).rejects.toEqual(
        refuses('is_directory'),
      );
      await expect(
        world.sandboxes.listFiles({ sandboxId: world.sandboxId, path: '/etc/passwd' }),
      ).rejects.toEqual(refuses('not_directory'));
      const below = { sandboxId: world.sandboxId, path: '/etc/passwd/x', content };
      await expect(world.sandboxes.writeFile(below)).rejects.toEqual(refuses('not_directory'));
      await expect(
        world.sandboxes.readFile({ sandboxId: world.sandboxId, path: 'relative' }),
      ).rejects.toThrow(/path: must be an absolute path/);
      await expect(
        world.sandboxes.readFile({ sandboxId: world.sandboxId, path: '/dev/null' }),
      ).rejects.toEqual(refuses('invalid'));
    });
  });
}
