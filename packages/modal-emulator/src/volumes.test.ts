// Volumes through the official SDK, by the program as it ships and by an emulator in this process.
import { existsSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { InvalidError, NotFoundError, type Sandbox, type Volume } from 'modal';
import { afterAll, beforeAll, describe, expect, it, onTestFinished, vi } from 'vitest';
import { startEmulator } from './emulator.ts';
import {
  bash,
  type Connection,
  connect,
  PATIENTLY,
  type Program,
  startProgram,
  startTestEmulator,
  TOKENS,
  temporaryState,
} from './testing.ts';
import { ObjectCreation } from './wire.ts';

const owners = process.getuid?.() === 0 ? [undefined, 65_529] : [undefined];
let made = 0;

describe.each(owners)('volumes of an emulator of user %s', { timeout: 60_000 }, (owner) => {
  const state = temporaryState(owner);
  let program: Program;
  let connection: Connection;
  let volume: Volume;

  beforeAll(async () => {
    program = await startProgram(state.stateDir, owner);
    connection = await connect(program.url);
    volume = await fresh();
  }, 60_000);
  afterAll(async () => {
    connection.close();
    program.child.kill('SIGTERM');
    await program.exited;
    state.remove();
  });

  const fresh = () => connection.client.volumes.fromName(`volume-${made++}`, { createIfMissing: true });
  const withVolume = (volumes: Record<string, Volume>) => connection.create({ volumes });
  const outputOf = async (sandbox: Sandbox, script: string) => (await bash(sandbox, script)).stdout;
  const directoryOf = ({ volumeId }: Volume) => join(state.stateDir, 'volumes', volumeId);

  it('are found by name if they exist or may be made', async () => {
    const { volumes } = connection.client;
    await expect(volumes.fromName('missing')).rejects.toThrow(
      new NotFoundError("Volume 'missing' not found in environment 'main'"),
    );
    const first = await volumes.fromName('by-name', { createIfMissing: true, version: 2 });
    expect((await volumes.fromName('by-name')).volumeId).toBe(first.volumeId);
    expect((await volumes.fromName('by-name', { version: 2 })).volumeId).toBe(first.volumeId);
    await expect(volumes.fromName('by-name', { version: 1 })).rejects.toThrow(InvalidError);
    await expect(volumes.fromName('no name', { createIfMissing: true })).rejects.toThrow(/is invalid/);
    await volumes.delete('by-name');
    await expect(volumes.fromName('by-name')).rejects.toThrow(NotFoundError);
    await volumes.delete('by-name', { allowMissing: true });
    await expect(volumes.delete('by-name')).rejects.toThrow(NotFoundError);
    const again = await volumes.fromName('by-name', { createIfMissing: true });
    expect(again.volumeId).not.toBe(first.volumeId);
  });

  it('are the same directory for every sandbox, each of whom owns all in it', async () => {
    const [one, two] = [await withVolume({ '/data': volume }), await withVolume({ '/mnt/deep/er': volume })];
    await bash(
      one,
      'mkdir /data/d && echo first >/data/d/file && chmod 700 /data/d && chmod 600 /data/d/file',
    );
    await bash(
      two,
      'echo second >>/mnt/deep/er/d/file; touch -d @1000 /mnt/deep/er/d/file; ln -s d /mnt/deep/er/l',
    );
    expect(await outputOf(one, 'cat /data/l/file; stat -c "%u %g %a %Y" /data /data/d/file')).toMatch(
      /^first\nsecond\n0 0 755 \d+\n0 0 600 1000\n$/,
    );
    await one.filesystem.writeText('by a file call', '/data/d/other');
    expect(await two.filesystem.readText('/mnt/deep/er/d/other')).toBe('by a file call');
    await one.terminate();
    const three = await withVolume({ '/data': volume });
    expect(await outputOf(three, 'rm /data/d/file && mv /data/d/other /data/other; ls /data /data/d')).toBe(
      '/data:\nd\nl\nother\n\n/data/d:\n',
    );
    expect(await outputOf(two, 'ls /mnt/deep/er')).toBe('d\nl\nother\n');
    await two.reloadVolumes();
    await Promise.all([two.terminate(), three.terminate()]);
  });

  it('are read-only where that is asked for, whatever is tried', async () => {
    const own = await fresh();
    const writer = await withVolume({ '/data': own });
    await bash(writer, 'mkdir /data/d; echo kept >/data/d/file; chmod 777 /data/d; chmod 666 /data/d/file');
    const reader = await withVolume({ '/data': own.withMountOptions({ readOnly: true }) });
    for (const attempt of [
      'echo x >>/data/d/file',
      'rm /data/d/file',
      'touch /data/new',
      'chmod 600 /data/d/file',
      'mv /data/d /data/e',
      'mount -o remount,bind,rw /data; touch /data/new',
      'umount /data; touch /data/d/file',
      'ln /data/d/file /data/link',
      'cd /proc/1/root/data && touch new',
    ])
      expect([attempt, (await bash(reader, attempt)).code]).not.toEqual([attempt, 0]);
    await expect(reader.filesystem.writeText('x', '/data/d/file')).rejects.toThrow();
    expect(await outputOf(reader, 'cat /data/d/file')).toBe('kept\n');
    await bash(writer, 'echo more >>/data/d/file');
    expect(await outputOf(reader, 'cat /data/d/file')).toBe('kept\nmore\n');
    await Promise.all([writer.terminate(), reader.terminate()]);
  });

  it('can be mounted in part, and lead nowhere else', async () => {
    const own = await fresh();
    const whole = await withVolume({ '/data': own });
    await bash(whole, 'mkdir -p /data/a/b; echo outside >/data/file; echo inside >/data/a/b/file');
    const part = await withVolume({
      '/part': own.withMountOptions({ subPath: '/a//b/' }),
      '/new': own.withMountOptions({ subPath: 'made/here' }),
    });
    expect(await outputOf(part, 'cat /part/file /part/../file; touch /new/x; ls -a /part')).toBe(
      'inside\n.\n..\nfile\n',
    );
    expect(await outputOf(whole, 'ls /data/made/here')).toBe('x\n');
    // A directory that is moved away from under a sandbox does not take it along.
    const held = await part.exec(
      ['bash', '-c', 'mkdir /part/c && cd /part/c && echo at && read && ls ../..'],
      {},
    );
    const lines = held.stdout.getReader();
    expect((await lines.read()).value).toBe('at\n');
    await bash(whole, 'mv /data/a/b/c /data/c');
    await held.stdin.writeText('go on\n');
    expect((await lines.read()).value ?? '').not.toContain('file');
    await held.wait();
    // Links that a sandbox plants lead no mount astray, into the volume or out of it.
    await bash(
      whole,
      'ln -s a /data/inner; ln -s / /data/outer; ln -s ../../.. /data/a/up; ln -s /nowhere /data/dead',
    );
    for (const subPath of ['inner', 'inner/b', 'outer', 'outer/etc', 'a/up', 'dead', 'file'])
      await expect(withVolume({ '/part': own.withMountOptions({ subPath }) }), subPath).rejects.toThrow(
        /did not start/,
      );
    await expect(withVolume({ '/part': own.withMountOptions({ subPath: 'a/../..' }) })).rejects.toThrow(
      /has no/,
    );
    expect(existsSync('/nowhere')).toBe(false);
    await Promise.all([whole.terminate(), part.terminate()]);
  });

  it('are mounted where an image has no link in the way', async () => {
    const base = await connection.create();
    await bash(base, 'ln -s / /astray; ln -s /workspace /here; mkdir -p /full; echo below >/full/file');
    const image = await base.snapshotFilesystem();
    await base.terminate();
    const create = (path: string) =>
      connection.client.sandboxes.create(connection.app, image, { volumes: { [path]: volume } });
    await expect(create('/astray/tmp')).rejects.toThrow(/may not lead through links/);
    await expect(create('/here')).rejects.toThrow(/may not lead through links/);
    const sandbox = await create('/full');
    expect(await outputOf(sandbox, 'ls /full/file || echo hidden')).toBe('hidden\n');
    await sandbox.terminate();
  });

  it('are no part of snapshots', async () => {
    const own = await fresh();
    const sandbox = await withVolume({ '/data': own });
    await bash(sandbox, 'echo secret >/data/file; echo kept >/root/file');
    const image = await sandbox.snapshotFilesystem();
    const plain = await connection.client.sandboxes.create(connection.app, image);
    expect(await outputOf(plain, 'cat /root/file; ls -A /data')).toBe('kept\n');
    const again = await connection.client.sandboxes.create(connection.app, image, {
      volumes: { '/data': own },
    });
    expect(await outputOf(again, 'cat /data/file')).toBe('secret\n');
    await Promise.all([sandbox.terminate(), plain.terminate(), again.terminate()]);
  });

  it('stay for the sandboxes that have them when they are deleted, and no longer', async () => {
    const own = await fresh();
    const sandbox = await withVolume({ '/data': own });
    await bash(sandbox, 'mkdir -p /data/closed; touch /data/closed/file; chmod 000 /data/closed');
    await connection.client.volumes.delete(own.name ?? '');
    expect(await outputOf(sandbox, 'echo still >/data/file; cat /data/file')).toBe('still\n');
    await expect(withVolume({ '/data': own })).rejects.toThrow(/No Volume with ID/);
    await sandbox.terminate();
    await vi.waitFor(() => expect(existsSync(directoryOf(own))).toBe(false), PATIENTLY);
  });

  it('are kept when the emulator is killed, and those that were deleted are not', async () => {
    const [kept, deleted] = [await fresh(), await fresh()];
    const sandbox = await withVolume({ '/kept': kept, '/deleted': deleted });
    await bash(sandbox, 'echo kept >/kept/file; echo deleted >/deleted/file; sync');
    await connection.client.volumes.delete(deleted.name ?? '');
    program.child.kill('SIGKILL');
    await program.exited;
    connection.close();
    // What no record names is not touched.
    const stranger = join(state.stateDir, 'volumes', 'stranger');
    writeFileSync(stranger, 'stays');
    program = await startProgram(state.stateDir, owner);
    connection = await connect(program.url);
    const { volumes } = connection.client;
    const found = await volumes.fromName(kept.name ?? '');
    expect(found.volumeId).toBe(kept.volumeId);
    await expect(volumes.fromName(deleted.name ?? '')).rejects.toThrow(NotFoundError);
    expect(await outputOf(await withVolume({ '/data': found }), 'cat /data/file')).toBe('kept\n');
    await vi.waitFor(() => expect(existsSync(directoryOf(deleted))).toBe(false), PATIENTLY);
    expect(existsSync(stranger)).toBe(true);
  });
});

describe.each(owners)('the disk of a volume of user %s', { timeout: 60_000 }, (owner) => {
  it('is bounded, by whoever writes to it', async () => {
    const state = temporaryState(owner);
    onTestFinished(state.remove);
    const program = await startProgram(state.stateDir, owner, ['env', 'CAPSTAN_EMULATOR_DISK_MIB=64']);
    onTestFinished(() => void program.child.kill('SIGKILL'));
    const { client, create, close } = await connect(program.url);
    const volume = await client.volumes.fromName('flooded', { createIfMissing: true });
    const volumes = { '/data': volume };
    const [writer, reader] = [
      await create({ volumes }),
      await create({ volumes: { '/data': volume.withMountOptions({ readOnly: true }) } }),
    ];
    const waiting = await reader.exec(['sleep', '600']);
    // Beyond the limit hardly more: told before the volume has twice that, its sandbox stays.
    const flood =
      'n=0; while head -c $((n++ < 18 ? 4 << 20 : 1 << 16)) /dev/zero >>/data/flood; do read -t 0.2 <><(:); done';
    const run = await writer.exec(['bash', '-c', flood]);
    const [code, complaint] = await Promise.all([run.wait(), run.stderr.readText()]);
    expect([code, complaint]).toEqual([137, expect.stringMatching(/volume at \/data has .* of 64 MiB/)]);
    // Who cannot have written to it is left alone; who can may clear it up.
    expect((await bash(reader, 'pgrep -c sleep; [ -s /data/flood ] && echo seen')).stdout).toBe('1\nseen\n');
    expect((await bash(writer, 'rm /data/flood; echo again >/data/file; cat /data/file')).stdout).toBe(
      'again\n',
    );
    await reader.terminate();
    await waiting.wait();
    close();
    program.child.kill('SIGTERM');
    await program.exited;
  });
});

describe('an ephemeral volume', { timeout: 60_000 }, () => {
  it('is gone when its client is silent and no sandbox has it', async () => {
    const world = await startTestEmulator({ ephemeralVolumeMs: 3000 });
    onTestFinished(() => world.stop());
    const { client, create, stateDir } = world;
    const volume = await client.volumes.ephemeral();
    const directory = join(stateDir, 'volumes', volume.volumeId);
    // The SDK says one word in five minutes: until a sandbox has the volume, this client says more.
    const { volumeId } = volume;
    const beating = setInterval(() => void client.cpClient.volumeHeartbeat({ volumeId }), 100);
    const sandbox = await create({ volumes: { '/data': volume } });
    clearInterval(beating);
    volume.closeEphemeral();
    await bash(sandbox, 'sleep 4; echo here >/data/file');
    expect((await bash(sandbox, 'cat /data/file')).stdout).toBe('here\n');
    await sandbox.terminate();
    await vi.waitFor(() => expect(existsSync(directory)).toBe(false), PATIENTLY);
    await expect(create({ volumes: { '/data': volume } })).rejects.toThrow(/No Volume with ID/);
    expect(readdirSync(join(stateDir, 'volumes'))).toEqual([]);
  });

  it('lives as long as its client says so, and through a restart', async () => {
    const { stateDir, remove } = temporaryState();
    onTestFinished(remove);
    const options = { stateDir, port: 0, ...TOKENS, ephemeralVolumeMs: 2000 };
    const first = await startEmulator(options);
    const before = await connect(first.url);
    const volume = await before.client.volumes.ephemeral();
    volume.closeEphemeral();
    const { volumeId } = volume;
    const begun = performance.now();
    while (performance.now() - begun < 4000) await before.client.cpClient.volumeHeartbeat({ volumeId });
    before.close();
    await first.stop();
    const second = await startEmulator(options);
    const { client, close } = await connect(second.url);
    await client.cpClient.volumeHeartbeat({ volumeId });
    const looked = performance.now();
    await vi.waitFor(() => expect(performance.now() - looked).toBeGreaterThan(3200), PATIENTLY);
    await expect(client.cpClient.volumeHeartbeat({ volumeId })).rejects.toThrow(/No Volume with ID/);
    close();
    await second.stop();
  });
});

describe('a volume that has to be new', { timeout: 60_000 }, () => {
  it('is refused when there is one of its name', async () => {
    const world = await startTestEmulator();
    onTestFinished(() => world.stop());
    const named = { deploymentName: 'twice', objectCreationType: ObjectCreation.failIfExists };
    await world.client.cpClient.volumeGetOrCreate(named);
    await expect(world.client.cpClient.volumeGetOrCreate(named)).rejects.toThrow(/ALREADY_EXISTS/);
  });
});

describe.each(['layers', 'copies'] as const)(
  'volumes of sandboxes laid out as %s',
  { timeout: 60_000 },
  (layout) => {
    it('are writable and shared', async () => {
      const world = await startTestEmulator({ layout: { layout } });
      onTestFinished(() => world.stop());
      const volumes = { '/data/set': await world.client.volumes.fromName('v', { createIfMissing: true }) };
      const [one, two] = [await world.create({ volumes }), await world.create({ volumes })];
      await bash(one, 'echo there >/data/set/file');
      expect((await bash(two, 'cat /data/set/file; stat -c %U /data/set/file')).stdout).toBe('there\nroot\n');
    });
  },
);

describe('a bucket of a cloud', { timeout: 60_000 }, () => {
  it('is refused by name, and no sandbox starts without it', async () => {
    const world = await startTestEmulator();
    onTestFinished(() => world.stop());
    const cloudBucketMounts = { '/bucket': world.client.cloudBucketMounts.create('bucket') };
    await expect(world.create({ cloudBucketMounts })).rejects.toThrow(/has no cloud buckets yet/);
  });
});
