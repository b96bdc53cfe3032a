import { readdirSync, readFileSync } from 'node:fs';
import { AlreadyExistsError, type ModalClient, NotFoundError, type Sandbox } from 'modal';
import { afterAll, beforeAll, describe, expect, it, onTestFinished, vi } from 'vitest';
import { startEmulator } from './emulator.ts';
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

/** A process that no other test on this machine has. */
const SLEEP = `sleep 5791.${process.pid}`;

describe('the control plane', { timeout: 60_000 }, () => {
  let world: TestEmulator;
  beforeAll(async () => {
    world = await startTestEmulator();
  });
  afterAll(() => world.stop());

  const listed = async (params: Parameters<ModalClient['sandboxes']['list']>[0] = {}) => {
    const ids: string[] = [];
    for await (const { sandboxId } of world.client.sandboxes.list({ appId: world.app.appId, ...params }))
      ids.push(sandboxId);
    return ids;
  };

  it('refuses a wrong token and an unknown task token', async () => {
    await expect(connect(world.emulator.url, { ...TOKENS, tokenSecret: 'as-wrong' })).rejects.toThrow(
      /UNAUTHENTICATED/,
    );
    await expect(connect(world.emulator.url, { ...TOKENS, tokenId: 'ak-wrong' })).rejects.toThrow(
      /UNAUTHENTICATED/,
    );
  });

  it('starts only with tokens', async () => {
    const { stateDir, remove } = temporaryState();
    onTestFinished(remove);
    await expect(startEmulator({ stateDir, port: 0, tokenId: '', tokenSecret: '' })).rejects.toThrow(
      /may not be empty/,
    );
  });

  it('finds an app only if it exists or may be made', async () => {
    await expect(world.client.apps.fromName('missing')).rejects.toThrow(NotFoundError);
    const app = await world.client.apps.fromName('made', { createIfMissing: true });
    expect((await world.client.apps.fromName('made')).appId).toBe(app.appId);
  });

  it('gives a name to one running sandbox at a time', async () => {
    const first = await world.create({ name: 'session-1' });
    await expect(world.create({ name: 'session-1' })).rejects.toThrow(AlreadyExistsError);
    expect((await world.client.sandboxes.fromName('test', 'session-1')).sandboxId).toBe(first.sandboxId);
    await first.terminate();
    await expect(world.client.sandboxes.fromName('test', 'session-1')).rejects.toThrow(NotFoundError);
    const past = await world.client.sandboxes.fromName('test', 'session-1', { includeTerminated: true });
    expect(past.sandboxId).toBe(first.sandboxId);
    const second = await world.create({ name: 'session-1' });
    expect(second.sandboxId).not.toBe(first.sandboxId);
    await second.terminate();
  });

  it('says whether a sandbox runs, and how it ended', async () => {
    const sandbox = await world.create();
    expect(await sandbox.poll()).toBeNull();
    const waiting = sandbox.wait();
    await sandbox.terminate();
    expect(await waiting).toBe(137);
    expect(await sandbox.poll()).toBe(137);
    await sandbox.terminate();
  });

  it('reattaches to a sandbox by its id', async () => {
    const { sandboxId } = await world.create();
    const sandbox = await world.client.sandboxes.fromId(sandboxId);
    expect(await bash(sandbox, 'echo again')).toMatchObject({ stdout: 'again\n' });
    await sandbox.terminate();
    const unknown = await world.client.sandboxes.fromId(`sb-${'x'.repeat(26)}`);
    await expect(unknown.poll()).rejects.toThrow(/not found/);
  });

  it('lists running sandboxes, all pages of them, by their tags', async () => {
    const made = await Promise.all([
      world.create({ tags: { tenant: 'a', kind: 'x' } }),
      world.create({ tags: { tenant: 'a' } }),
      world.create({ tags: { tenant: 'b' } }),
    ]);
    const ids = made.map(({ sandboxId }) => sandboxId);
    expect(new Set(await listed())).toEqual(new Set(ids));
    expect(await listed({ tags: { tenant: 'a' } })).toHaveLength(2);
    expect(await listed({ tags: { tenant: 'a', kind: 'x' } })).toEqual([ids[0]]);
    await made[2]?.setTags({ tenant: 'a', kind: 'y' });
    expect(await made[2]?.getTags()).toEqual({ tenant: 'a', kind: 'y' });
    expect(await listed({ tags: { tenant: 'a' } })).toHaveLength(3);
    await Promise.all(made.map((sandbox) => sandbox.terminate()));
    expect(await listed()).toEqual([]);
  });

  it('ends a sandbox at its timeout', async () => {
    const sandbox = await world.create({ timeoutMs: 1000 });
    expect(await sandbox.wait()).toBe(124);
  });

  it('ends an idle sandbox, but not while a command runs', async () => {
    const sandbox = await world.create({ idleTimeoutMs: 2000 });
    expect((await bash(sandbox, 'sleep 3; echo busy')).stdout).toBe('busy\n');
    expect(await sandbox.wait()).toBe(124);
  });

  it('ends running commands with the sandbox, and refuses new ones', async () => {
    const sandbox = await world.create();
    const run = await sandbox.exec(['sh', '-c', 'echo before; sleep 600']);
    const reader = run.stdout.getReader();
    expect((await reader.read()).value).toBe('before\n');
    await sandbox.terminate({ wait: true });
    expect(await run.wait()).toBe(137);
    expect((await reader.read()).done).toBe(true);
    const again = await world.client.sandboxes.fromId(sandbox.sandboxId);
    await expect(again.exec(['true'])).rejects.toThrow();
  });

  it('honours what an image sets', async () => {
    const { client, app, image } = world;
    const custom = image.dockerfileCommands(['ENV COLOR=red SIZE="very large"', 'WORKDIR /srv/app']);
    const sandbox = await client.sandboxes.create(app, custom);
    expect((await bash(sandbox, 'echo $COLOR $SIZE; pwd')).stdout).toBe('red very large\n/srv/app\n');
    await sandbox.terminate();
  });

  it('refuses by name what it cannot honour', async () => {
    await expect(world.create({ command: ['sleep', '1'] })).rejects.toThrow(/no command yet/);
  });
});

// Each starts whole programs, which takes seconds on a busy machine.
describe('an emulator that stops', { timeout: 60_000 }, () => {
  it('keeps ids and names, frees names, and says that its sandboxes ended', async () => {
    const { stateDir, remove } = temporaryState();
    onTestFinished(remove);
    const first = await started(stateDir);
    const before = await connect(first.url);
    const sandbox = await before.create({ name: 'kept' });
    const descriptors = await bash(sandbox, 'ls /proc/1/fd; echo; ls /proc/$$/fd; :');
    expect(descriptors.stdout).not.toMatch(/^[45]$/m);
    before.close();
    first.child.kill('SIGTERM');
    await first.exited;
    expect(processesWith(stateDir)).toEqual([]);

    const second = await started(stateDir);
    const after = await connect(second.url);
    expect(after.app.appId).toBe(before.app.appId);
    expect(await (await after.client.sandboxes.fromId(sandbox.sandboxId)).poll()).toBe(137);
    expect((await after.create({ name: 'kept' })).sandboxId).not.toBe(sandbox.sandboxId);
    after.close();
    second.child.kill('SIGTERM');
    await second.exited;
  });

  it('by SIGKILL leaves no process and no mount, and the next one tells the truth', async () => {
    const { stateDir, remove } = temporaryState();
    onTestFinished(remove);
    const mounts = readFileSync('/proc/self/mounts', 'utf8');
    const first = await started(stateDir);
    const before = await connect(first.url);
    const sandboxes = await Promise.all([1, 2, 3].map((index) => before.create({ name: `lost-${index}` })));
    const marks = await Promise.all(sandboxes.map(detach));
    expect(processesWith(SLEEP).length).toBeGreaterThanOrEqual(3);
    first.child.kill('SIGKILL');
    await first.exited;
    await vi.waitFor(() => expect(processesWith(SLEEP)).toEqual([]), PATIENTLY);
    expect(marks).toEqual(['detached\n', 'detached\n', 'detached\n']);
    expect(readFileSync('/proc/self/mounts', 'utf8')).toBe(mounts);
    before.close();

    const second = await started(stateDir);
    const after = await connect(second.url);
    for (const { sandboxId } of sandboxes) {
      const lost = await after.client.sandboxes.fromId(sandboxId);
      expect(await lost.poll()).toBe(137);
      await expect(lost.exec(['true'])).rejects.toThrow();
    }
    expect(await bash(await after.create({ name: 'lost-1' }), 'echo new')).toMatchObject({ stdout: 'new\n' });
    after.close();
    second.child.kill('SIGTERM');
    await second.exited;
    expect(readdirSync(`${stateDir}/sandboxes`)).toEqual([]);
  });

  it('is the only one on its state', async () => {
    const world = await startTestEmulator();
    await expect(startEmulator({ stateDir: world.stateDir, port: 0, ...TOKENS })).rejects.toThrow(
      /Another emulator is using/,
    );
    await world.stop();
  });
});

describe('an emulator of an ordinary user', { timeout: 60_000 }, () => {
  it('isolates its sandboxes as one started by root does', async () => {
    const owner = process.getuid?.() === 0 ? 65_533 : undefined;
    const { stateDir, remove } = temporaryState(owner);
    onTestFinished(remove);
    const program = await started(stateDir, owner);
    expect(program.isolation).toBe('namespaces');
    const { create, close } = await connect(program.url);
    const sandbox = await create();
    const { stdout } = await bash(
      sandbox,
      'id -u; grep CapEff /proc/self/status; unshare -U true || echo refused; echo x >/tmp/x && cat /tmp/x',
    );
    expect(stdout).toBe('0\nCapEff:\t0000000000000000\nrefused\nx\n');
    await sandbox.filesystem.writeText('text', '/root/file');
    expect(await sandbox.filesystem.readText('/root/file')).toBe('text');
    const other = await create();
    await bash(sandbox, 'find / -xdev -type f -writable -exec sh -c "echo left-by-another >>\\$0" {} ";"');
    expect((await bash(other, 'grep -Rl left-by-another /etc 2>/dev/null')).stdout).toBe('');
    close();
    program.child.kill('SIGTERM');
    await program.exited;
  });
});

describe('an emulator of root', { timeout: 60_000 }, () => {
  it.runIf(process.getuid?.() === 0)('shows what is mounted below the programs read-only', async () => {
    const { stateDir, remove } = temporaryState();
    onTestFinished(remove);
    const mounts =
      'mount -t tmpfs -o mode=777 tmpfs /usr/local && mkdir "/usr/local/a b" && mount -t tmpfs -o noexec,mode=777 tmpfs "/usr/local/a b"';
    const program = await started(stateDir, undefined, [
      'unshare',
      '-m',
      'sh',
      '-c',
      `${mounts} && exec "$@"`,
      'sh',
    ]);
    const { create, close } = await connect(program.url);
    const { stdout } = await bash(
      await create(),
      'for d in /usr/local "/usr/local/a b"; do touch "$d/x" || findmnt -no VFS-OPTIONS "$d"; done',
    );
    expect(stdout).toMatch(/^ro,nosuid,nodev,relatime\nro,nosuid,nodev,noexec,relatime\n$/);
    close();
    program.child.kill('SIGTERM');
    await program.exited;
  });
});

/** A program that a failing test does not leave behind. */
async function started(...options: Parameters<typeof startProgram>) {
  const program = await startProgram(...options);
  onTestFinished(() => void program.child.kill('SIGKILL'));
  return program;
}

/** A process that has left the command that started it, its session and its group. */
async function detach(sandbox: Sandbox): Promise<string> {
  const { stdout } = await bash(
    sandbox,
    `setsid ${SLEEP} >/dev/null 2>&1 & until pgrep -xf "${SLEEP}" >/dev/null; do :; done; echo detached`,
  );
  return stdout;
}

function processesWith(text: string): string[] {
  return readdirSync('/proc').filter((pid) => {
    try {
      return (
        /^\d+$/.test(pid) && readFileSync(`/proc/${pid}/cmdline`, 'utf8').replaceAll('\0', ' ').includes(text)
      );
    } catch {
      return false;
    }
  });
}
