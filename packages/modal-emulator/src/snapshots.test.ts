import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { NotFoundError, type Sandbox } from 'modal';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import type { EmulatorOptions } from './emulator.ts';
import { bash, PATIENTLY, startTestEmulator, type TestEmulator } from './testing.ts';

const FOREVER = { ttlMs: null };
const LAYOUTS: Partial<EmulatorOptions>[] = [{}, { layout: { layout: 'copies', reason: 'the test' } }];

describe.each(LAYOUTS)('a snapshot of a sandbox, with %o', { timeout: 60_000 }, (options) => {
  let world: TestEmulator;
  beforeAll(async () => {
    world = await startTestEmulator(options);
  });
  afterAll(() => world.stop());

  const outputOf = async (sandbox: Sandbox, script: string) => {
    const { code, stdout, stderr } = await bash(sandbox, script);
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    return stdout;
  };

  it('restores contents, holes, links, permissions and times to the byte, as files of the new sandbox', async () => {
    const { client, app, create } = world;
    const sandbox = await create();
    await outputOf(
      sandbox,
      `cd /workspace && mkdir -p "deep/a b" locked && head -c 3000000 /dev/urandom >deep/random && truncate -s 64M sparse
      printf 'tail' | dd of=sparse bs=1 seek=40000000 conv=notrunc status=none
      ln -s ../absent dangling && ln -s deep/random link && ln deep/random hard && printf x >"deep/a b/"$'new\\nline' && printf y >$'\\xff'
      echo '#!/bin/sh' >run && chmod 4751 run && touch -d '2001-02-03 04:05:06.789' run && touch empty && echo s >locked/s && chmod 000 locked/s && chmod 500 locked
      echo home >/root/.profile && echo changed >/etc/hosts && rm /etc/passwd && mkdir /opt/tool && rmdir /srv && mkfifo fifo`,
    );
    const before = owned(await outputOf(sandbox, MANIFEST));
    const image = await sandbox.snapshotFilesystem(FOREVER);
    expect(image.imageId).toMatch(/^im-\w{22}$/);
    await outputOf(sandbox, 'echo later >/workspace/empty');
    const restored = await client.sandboxes.create(app, image);
    expect(owned(await outputOf(restored, MANIFEST))).toBe(before);
    expect(
      await outputOf(restored, 'stat -c %b-%s /workspace/sparse; stat -c %h /workspace/hard; cat /etc/hosts'),
    ).toMatch(/^\d{1,3}-67108864\n2\nchanged\n$/);
    expect(
      await outputOf(restored, 'ls -d /srv /etc/passwd /workspace/fifo 2>&1 | grep -c "No such"; :'),
    ).toBe('3\n');
    await outputOf(
      restored,
      'cd /workspace && mv deep moved && echo more >>run && chmod 700 locked && rm -r locked && echo own >/opt/tool/own',
    );
    await Promise.all([sandbox, restored].map((each) => each.terminate()));
  });

  it('is private to each sandbox made from it, and outlives the sandbox it was taken of', async () => {
    const { client, app, create } = world;
    const sandbox = await create();
    await outputOf(sandbox, 'echo first >/workspace/file');
    const image = await sandbox.snapshotFilesystem(FOREVER);
    await sandbox.terminate({ wait: true });
    const [one, two] = await Promise.all([1, 2].map(() => client.sandboxes.create(app, image)));
    if (one === undefined || two === undefined) throw new Error('two sandboxes were made');
    await outputOf(one, 'echo one >/workspace/file; echo one >/workspace/one');
    expect(await outputOf(two, 'cat /workspace/file; ls /workspace')).toBe('first\nfile\n');
    const second = await one.snapshotFilesystem(FOREVER);
    const three = await client.sandboxes.create(app, second);
    expect(await outputOf(three, 'cat /workspace/file')).toBe('one\n');
    await Promise.all([one, two, three].map((each) => each.terminate()));
  });

  it('is deleted for good, while sandboxes made from it go on', async () => {
    const { client, app, create, stateDir } = world;
    const before = treesOf(stateDir);
    const sandbox = await create();
    await outputOf(sandbox, 'echo kept >/workspace/file');
    const image = await sandbox.snapshotFilesystem(FOREVER);
    const restored = await client.sandboxes.create(app, image);
    await client.images.delete(image.imageId);
    await expect(client.images.delete(image.imageId)).rejects.toThrow(NotFoundError);
    await expect(client.images.fromId(image.imageId)).rejects.toThrow(NotFoundError);
    await expect(client.sandboxes.create(app, image)).rejects.toThrow(/Could not find image/);
    expect(await outputOf(restored, 'cat /workspace/file')).toBe('kept\n');
    await Promise.all([sandbox, restored].map((each) => each.terminate({ wait: true })));
    await vi.waitFor(() => expect(treesOf(stateDir)).toEqual(before), PATIENTLY);
  });

  it('is taken while programs write, without a file of the host and without stopping them', async () => {
    const { client, app, create } = world;
    const sandbox = await create();
    const writer = await sandbox.exec([
      'bash',
      '-c',
      `cd /workspace; seq 200000 >steady; echo ready; while :; do for i in {1..50}; do echo $i >file$i; mkdir -p d$i; done; rm -rf file* d*
       rm -rf swap; mkdir swap; echo own >swap/hostname; rm -rf swap; ln -s /etc swap; done`,
    ]);
    const reader = writer.stdout.getReader();
    expect((await reader.read()).value).toBe('ready\n');
    for (let taken = 0; taken < 3; taken++) {
      const image = await sandbox.snapshotFilesystem(FOREVER);
      const restored = await client.sandboxes.create(app, image);
      expect(
        await outputOf(
          restored,
          'cd /workspace; seq 200000 | cmp - steady; [ -L swap ] || cat swap/hostname 2>/dev/null || echo own',
        ),
      ).toMatch(/^(own\n)?$/);
      await restored.terminate();
      await client.images.delete(image.imageId);
    }
    await sandbox.terminate();
    expect(await writer.wait()).toBe(137);
  });
});

/** Everything about every file that is not mounted, but its inode and what a snapshot may not keep. */
const MANIFEST = `cd / && find . -xdev '(' -path ./proc -o -path ./dev -o -path ./usr -o -path ./__modal ')' -prune -o ! -type p ! -type d -printf '%p %y %m %s %U:%G %TY-%Tm-%Td %TT %l\\n' -o -type d -printf '%p %y %m %U:%G\\n' | LC_ALL=C sort; find . -xdev '(' -path ./proc -o -path ./dev -o -path ./usr -o -path ./__modal ')' -prune -o -type f -readable -print0 | LC_ALL=C sort -z | xargs -0 sha256sum`;

/** What all sandboxes share belongs to nobody; a copy of it belongs to the sandbox. */
function owned(manifest: string): string {
  return manifest.replaceAll('65534:65534', '0:0');
}

function treesOf(stateDir: string): string[] {
  return readdirSync(join(stateDir, 'images'));
}
