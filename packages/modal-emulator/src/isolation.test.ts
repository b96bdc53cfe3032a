import { existsSync, readdirSync, readFileSync, readlinkSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { homedir } from 'node:os';
import type { Sandbox } from 'modal';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { bash, PATIENTLY, startTestEmulator, type TestEmulator } from './testing.ts';

let world: TestEmulator;
let sandbox: Sandbox;

beforeAll(async () => {
  world = await startTestEmulator();
  sandbox = await world.create();
});
afterAll(() => world.stop());

const outputOf = async (script: string) => (await bash(sandbox, script)).stdout.trim();

describe('a sandbox', { timeout: 60_000 }, () => {
  it('has namespaces of its own', async () => {
    for (const name of ['user', 'mnt', 'pid', 'ipc', 'uts', 'net', 'cgroup']) {
      expect(await outputOf(`readlink /proc/self/ns/${name}`)).not.toBe(
        readlinkSync(`/proc/self/ns/${name}`),
      );
    }
  });

  it('is root to itself and an ordinary user to the host', async () => {
    expect(await outputOf('id -u; whoami')).toBe('0\nroot');
    const run = await sandbox.exec(['sleep', '4711']);
    const hostUser = await vi.waitFor(() => hostUserOf(['sleep', '4711', ''].join('\0')), PATIENTLY);
    expect(hostUser).not.toBe('0');
    if (process.getuid?.() === 0) expect(Number(hostUser)).toBeGreaterThanOrEqual(231_072);
    await bash(sandbox, 'pkill -f "sleep 4711"');
    await run.wait();
  });

  it('has no capability and cannot gain one', async () => {
    const status = await outputOf('cat /proc/self/status');
    for (const set of ['CapInh', 'CapPrm', 'CapEff', 'CapBnd', 'CapAmb'])
      expect(status).toMatch(new RegExp(`${set}:\\s+0000000000000000\\n`));
    expect(status).toMatch(/NoNewPrivs:\s+1\n/);
  });

  it('cannot make namespaces, mount, or write kernel settings', async () => {
    for (const command of [
      'unshare --user true',
      'unshare --mount true',
      'unshare --user --map-root-user --mount --pid --fork true',
      'mount -t tmpfs tmpfs /mnt',
      'umount /proc/sys',
      'echo 1 >/proc/sys/user/max_user_namespaces',
      'echo x >/proc/sys/kernel/core_pattern',
      'echo b >/proc/sysrq-trigger',
      'chroot / true',
      'mknod /tmp/null c 1 3',
      'hostname other',
    ]) {
      expect([command, (await bash(sandbox, command)).code]).not.toEqual([command, 0]);
    }
  });

  it('sees neither the files of the host nor its processes', async () => {
    const secret = `${world.stateDir}/../secret`;
    writeFileSync(secret, 'host only');
    for (const path of [secret, world.stateDir, process.cwd(), '/work', '/etc/shadow', '/etc/ssh', '/boot'])
      expect([path, (await bash(sandbox, `[ -e '${path}' ]`)).code]).toEqual([path, 1]);
    expect(await outputOf(`ls -A ${homedir()} 2>/dev/null`)).toBe('');
    const seen = Number(await outputOf('ls /proc | grep -c "^[0-9]"'));
    expect(seen).toBeLessThan(10);
  });

  it('changes the programs it shares with the host for itself alone', async () => {
    const name = `of-a-sandbox-${process.pid}`;
    for (const path of ['/usr/bin', '/bin', '/lib', '/usr/local/bin'].map((parent) => `${parent}/${name}`)) {
      expect([
        path,
        (await bash(sandbox, `echo x >${path} && rm /usr/bin/cksum || [ ! -e /usr/bin/cksum ]`)).code,
      ]).toEqual([path, 0]);
      expect([path, existsSync(path), existsSync('/usr/bin/cksum')]).toEqual([path, false, true]);
    }
    const other = await world.create();
    expect((await bash(other, `ls /usr/bin/${name} /lib/${name}; cksum </dev/null`)).stdout).toBe(
      '4294967295 0\n',
    );
    expect((await bash(sandbox, 'echo x >/__modal/x')).code).not.toBe(0);
    await other.terminate();
  });

  it('does not learn from its environment where the host keeps it', async () => {
    expect(await outputOf('tr "\\0" "\\n" </proc/1/environ; env')).not.toContain(world.stateDir);
  });

  it('has a loopback network and no other', async () => {
    expect(await outputOf('tail -n +3 /proc/net/dev | cut -d: -f1 | tr -d " "')).toBe('lo');
    const server = createServer((socket) => socket.end('host'));
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const address = server.address();
    const port = typeof address === 'object' ? address?.port : undefined;
    expect((await bash(sandbox, `exec 3<>/dev/tcp/127.0.0.1/${port}`)).code).toBe(1);
    expect((await bash(sandbox, 'exec 3<>/dev/tcp/1.1.1.1/53')).code).toBe(1);
    server.close();
  });

  it('inherits no descriptor and no variable of the emulator', async () => {
    process.env.SECRET_OF_THE_HOST = 'hidden';
    const other = await world.create({ env: { GIVEN: 'yes' } });
    const { stdout } = await bash(
      other,
      'for p in 1 $$; do ls /proc/$p/fd; tr "\\0" "\\n" </proc/$p/environ; done; env',
    );
    expect(stdout).not.toContain('hidden');
    expect(stdout).not.toContain('MODAL_TOKEN');
    expect(stdout).toContain('GIVEN=yes');
    const descriptors = await bash(other, 'ls /proc/1/fd; echo; ls /proc/$$/fd; :');
    const [agent = '', own = ''] = descriptors.stdout.split('\n\n');
    expect(agent.trim().split('\n')).toEqual(expect.arrayContaining(['0', '1', '2']));
    expect(agent.trim().split('\n').length).toBeLessThanOrEqual(4);
    expect(own.trim().split('\n')).toEqual(['0', '1', '2']);
    await other.terminate();
  });

  it('cannot see or signal another sandbox', async () => {
    const other = await world.create();
    const sleeper = await other.exec(['sleep', '4712']);
    await bash(other, 'echo theirs >/tmp/theirs; until pgrep -f "sleep 471[2]"; do :; done');
    expect(await outputOf('cat /tmp/theirs 2>/dev/null; pgrep -f "sleep 471[2]"')).toBe('');
    expect((await bash(sandbox, 'kill -9 -1')).code).toBe(137);
    expect((await bash(other, 'pgrep -f "sleep 471[2]" && cat /tmp/theirs')).code).toBe(0);
    await other.terminate();
    expect(await sleeper.wait()).toBe(137);
  });

  it('outlives a command that kills everything it can', async () => {
    await bash(sandbox, 'echo kept >/tmp/kept');
    expect((await bash(sandbox, 'kill -9 1; kill -9 -1')).code).toBe(137);
    expect(await outputOf('cat /tmp/kept')).toBe('kept');
    expect((await bash(sandbox, 'kill -9 $PPID')).code).toBe(137);
    expect((await bash(sandbox, 'kill -9 0')).code).toBe(137);
    expect(await outputOf('cat /tmp/kept')).toBe('kept');
  });

  it('contains a fork bomb, which neither the host nor other sandboxes notice', async () => {
    const bombed = await world.create();
    const bomb = await bombed.exec(['bash', '-c', ':(){ :|:& };:; sleep 600'], { timeoutMs: 3000 });
    const other = await bash(sandbox, 'for i in $(seq 50); do /bin/true || exit 1; done; echo fine');
    expect(other).toEqual({ code: 0, stdout: 'fine\n', stderr: '' });
    expect(processesOf(bombed.sandboxId)).toBeLessThan(700);
    // The client gives up at the same moment as the emulator kills: either may be first.
    expect(await bomb.wait().catch(() => 137)).toBe(137);
    expect(await vi.waitFor(() => alive(bombed), PATIENTLY)).toBe('alive\n');
    await bombed.terminate();
  });

  it('writes no file over 2 GiB and no core dump', async () => {
    expect(await outputOf('ulimit -f -c')).toMatch(/-f\) 2097152\n.*-c\) 0/s);
    expect((await bash(sandbox, 'truncate -s 2147483649 /tmp/big')).code).not.toBe(0);
  });
});

/** An exec of a program, without a fork, so it also works while a bomb holds every process there may be. */
async function alive(bombed: Sandbox): Promise<string> {
  const run = await bombed.exec(['echo', 'alive']);
  const text = await run.stdout.readText();
  if (text === '') throw new Error('not yet');
  return text;
}

function hostUserOf(commandLine: string): string {
  for (const pid of processes()) {
    if (read(`/proc/${pid}/cmdline`) === commandLine)
      return /^Uid:\s+(\d+)/m.exec(read(`/proc/${pid}/status`))?.[1] ?? '';
  }
  throw new Error(`No process runs ${commandLine}`);
}

function processesOf(sandboxId: string): number {
  return processes().filter((pid) => read(`/proc/${pid}/environ`).includes(sandboxId)).length;
}

function processes(): string[] {
  return readdirSync('/proc').filter((name) => /^\d+$/.test(name));
}

function read(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return '';
  }
}
