import { readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import type { Sandbox } from 'modal';
import { createChannel, createClient, Metadata } from 'nice-grpc';
import { afterEach, describe, expect, it, onTestFinished, vi } from 'vitest';
import { loadDefinitions } from './definitions.ts';
import {
  bash,
  connect,
  PATIENTLY,
  startProgram,
  startTestEmulator,
  type TestEmulator,
  TOKENS,
  temporaryState,
} from './testing.ts';
import { createTokens } from './tokens.ts';

const FOREVER = { ttlMs: null };
const LARGE = 'head -c 150000000 /dev/urandom >/workspace/large';

let world: TestEmulator | undefined;
afterEach(async () => {
  await world?.stop();
  world = undefined;
});

async function start(...options: Parameters<typeof startTestEmulator>): Promise<TestEmulator> {
  world = await startTestEmulator(...options);
  return world;
}

describe('a snapshot', { timeout: 120_000 }, () => {
  it('is one image for one request, however often it comes', async () => {
    const { create, client, emulator } = await start();
    const sandbox = await create();
    const taskId = (await bash(sandbox, 'echo $MODAL_TASK_ID')).stdout.trim();
    const channel = createChannel(emulator.url);
    onTestFinished(() => channel.close());
    const router = createClient(loadDefinitions().commandRouter, channel);
    const metadata = new Metadata({
      authorization: `Bearer ${createTokens(TOKENS.tokenSecret).sign(taskId)}`,
    });
    const take = (snapshotId: string) => router.taskSnapshotFilesystem({ taskId, snapshotId }, { metadata });
    const [first, second, other] = await Promise.all([take('a'), take('a'), take('b')]);
    expect(second).toEqual(first);
    expect(other).not.toEqual(first);
    await sandbox.terminate({ wait: true });
    expect(await take('a')).toEqual(first);
    await expect(take('c')).rejects.toThrow(/already shut down/);
    await client.images.delete(first.imageId);
  });

  it('lets other sandboxes work meanwhile, and is whole when its sandbox ends meanwhile', async () => {
    const { create, client, app, stateDir } = await start();
    const [sandbox, other] = await Promise.all([create(), create()]);
    await bash(sandbox, LARGE);
    const sum = (await bash(sandbox, 'sha256sum </workspace/large')).stdout;
    const events: string[] = [];
    const taken = sandbox.snapshotFilesystem(FOREVER).finally(() => events.push('snapshot'));
    const goOn = await paused(stateDir);
    expect((await bash(other, 'echo meanwhile')).stdout).toBe('meanwhile\n');
    events.push('other');
    goOn();
    await sandbox.terminate({ wait: true });
    const restored = await client.sandboxes.create(app, await taken);
    expect(events).toEqual(['other', 'snapshot']);
    expect((await bash(restored, 'sha256sum </workspace/large')).stdout).toBe(sum);
  });

  it('is none when the emulator is killed while it is taken, and leaves nothing', async () => {
    const { stateDir, remove } = temporaryState();
    onTestFinished(remove);
    const first = await startProgram(stateDir);
    const before = await connect(first.url);
    const sandbox = await before.create();
    await bash(sandbox, LARGE);
    const taken = sandbox.snapshotFilesystem({ ...FOREVER, timeoutMs: 5000 });
    const refused = expect(taken).rejects.toThrow();
    await paused(stateDir);
    first.child.kill('SIGKILL');
    await first.exited;
    await refused;
    await vi.waitFor(() => expect(processesIn(stateDir)).toEqual([]), PATIENTLY);
    before.close();

    const second = await startProgram(stateDir);
    onTestFinished(() => void second.child.kill('SIGKILL'));
    await vi.waitFor(() => expect(readdirSync(join(stateDir, 'images'))).toEqual([]), PATIENTLY);
    expect(readdirSync(join(stateDir, 'copies'))).toEqual([]);
    const after = await connect(second.url);
    const again = await after.create();
    const image = await again.snapshotFilesystem(FOREVER);
    expect(readdirSync(join(stateDir, 'images'))).toHaveLength(1);
    await after.client.sandboxes.create(after.app, image);
    after.close();
    second.child.kill('SIGTERM');
    await second.exited;
  });
});

describe('images', { timeout: 60_000 }, () => {
  const filled = async (bytes: number): Promise<Sandbox> => {
    const sandbox = await world?.create();
    if (sandbox === undefined) throw new Error('the emulator is started first');
    await bash(sandbox, `head -c ${bytes} /dev/urandom >/workspace/file`);
    return sandbox;
  };

  it('take no more than their share, and say so', async () => {
    const { client, stateDir } = await start({ imageLimits: { totalBytes: 3_000_000 } });
    const image = await (await filled(1_500_000)).snapshotFilesystem(FOREVER);
    const second = await filled(1_600_000);
    await expect(second.snapshotFilesystem(FOREVER)).rejects.toThrow(
      /RESOURCE_EXHAUSTED: With this one \(\d+ bytes\) the images would take \d+ bytes, and they may take 3000000: delete images/,
    );
    await vi.waitFor(() => expect(readdirSync(join(stateDir, 'images'))).toHaveLength(1), PATIENTLY);
    await client.images.delete(image.imageId);
    await second.snapshotFilesystem(FOREVER);
  });

  it('make room by what is kept for later builds alone', async () => {
    const { app, image } = await start({ imageLimits: { totalBytes: 3_000_000 } });
    const build = image
      .dockerfileCommands(['RUN head -c 2000000 /dev/urandom >/large', 'RUN false'])
      .build(app);
    await expect(build).rejects.toThrow(/exit code 1: RUN false/);
    await (await filled(2_000_000)).snapshotFilesystem(FOREVER);
  });

  it('leave the last of the disk to others', async () => {
    const { app, image, client } = await start({ imageLimits: { reserveBytes: Number.MAX_SAFE_INTEGER } });
    const refusal = /RESOURCE_EXHAUSTED: The disk of the emulator's state has \d+ bytes left/;
    await expect((await filled(1)).snapshotFilesystem(FOREVER)).rejects.toThrow(refusal);
    await expect(image.dockerfileCommands(['RUN true']).build(app)).rejects.toThrow(refusal);
    for await (const { sandboxId } of client.sandboxes.list())
      await (await client.sandboxes.fromId(sandboxId)).terminate();
  });
});

/** Stops the copy of a large file once part of it is in an image that is being made; resolves with what lets it go on. */
async function paused(stateDir: string): Promise<() => void> {
  const images = join(stateDir, 'images');
  const pid = await vi.waitFor(
    () => {
      const [tree = ''] = readdirSync(images);
      expect(statSync(join(images, tree, 'root/workspace/large')).blocks).toBeGreaterThan(0);
      const copier = Number(processesIn(stateDir).find((each) => nameOf(each) === 'cp'));
      process.kill(copier, 'SIGSTOP');
      return copier;
    },
    { ...PATIENTLY, interval: 2 },
  );
  return () => void process.kill(pid, 'SIGCONT');
}

function nameOf(pid: string): string {
  try {
    return readFileSync(`/proc/${pid}/comm`, 'utf8').trim();
  } catch {
    return '';
  }
}

/** Processes that see the state, from wherever they are. */
function processesIn(stateDir: string): string[] {
  return readdirSync('/proc').filter((pid) => {
    try {
      return /^\d+$/.test(pid) && readFileSync(`/proc/${pid}/mountinfo`, 'utf8').includes(stateDir);
    } catch {
      return false;
    }
  });
}
