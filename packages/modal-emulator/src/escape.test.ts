import { spawnSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:net';
import { networkInterfaces } from 'node:os';
import { join } from 'node:path';
import type { Sandbox } from 'modal';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { probes, type Surroundings } from './testing/escape-probes.ts';
import { bash, type Connection, connect, type Program, startProgram, temporaryState } from './testing.ts';

const isRoot = process.getuid?.() === 0;
const ORDINARY_USER = 1500;
const SECRET = 'only-the-host-knows';
/** Which no other run of this test has. */
const SHM_KEY = 0x43000000 + process.pid;

/** CAP_NET_ADMIN, CAP_NET_RAW, CAP_SYS_CHROOT, CAP_SYS_ADMIN, CAP_MKNOD, CAP_SYSLOG. */
const NEEDED = [12n, 13n, 18n, 21n, 27n, 34n].reduce((set, bit) => set | (1n << bit), 0n);
/** A name in no file system, of a socket every process of a network namespace can reach. */
const ABSTRACT = `capstan-escape-${process.pid}`;

const hostState = temporaryState();
const servers: Server[] = [];
let shared: Omit<Surroundings, 'hostPid' | 'neighbourPort' | 'neighbourAbstractName' | 'neighbourShmKey'>;

beforeAll(async () => {
  const secretPath = join(hostState.stateDir, 'secret');
  writeFileSync(secretPath, SECRET, { mode: 0o644 });
  const hostSocketPath = join(hostState.stateDir, 'socket');
  const tcp = await listen({ host: '0.0.0.0', port: 0 });
  await listen({ path: hostSocketPath });
  await listen({ path: `\0${ABSTRACT}` });
  const address = tcp.address();
  const external = Object.values(networkInterfaces())
    .flat()
    .find((found) => found?.family === 'IPv4' && !found.internal);
  shared = {
    secretPath,
    secret: SECRET,
    hostPort: typeof address === 'object' && address ? address.port : 0,
    hostAddress: external?.address ?? '192.0.2.1',
    hostSocketPath,
    hostAbstractName: ABSTRACT,
  };
});
afterAll(() => {
  for (const server of servers) server.close();
  hostState.remove();
});

/** What the platform runs as in a container, and what a developer runs it as. */
const users = isRoot ? [undefined, ORDINARY_USER] : [undefined];

describe.each(users)('a sandbox of the emulator run by user %s', { timeout: 120_000 }, (owner) => {
  let program: Program;
  let connection: Connection;
  let sandbox: Sandbox;
  let neighbour: Sandbox;
  let at: Surroundings;
  const state = temporaryState(owner);

  beforeAll(async () => {
    program = await startProgram(state.stateDir, owner);
    connection = await connect(program.url);
    sandbox = await connection.create();
    neighbour = await connection.create({ env: { NEIGHBOUR_SECRET: 'theirs' } });
    at = {
      ...shared,
      hostPid: program.child.pid ?? 0,
      neighbourPort: 4717,
      neighbourAbstractName: 'capstan-neighbour',
      neighbourShmKey: SHM_KEY,
    };
    await neighbour.exec(['perl', '-MSocket', '-e', NEIGHBOUR]);
    await bash(neighbour, 'until [ -e /tmp/ready ]; do :; done');
  });
  afterAll(async () => {
    connection.close();
    program.child.kill('SIGTERM');
    await program.exited;
    state.remove();
  });

  it('gets nowhere, however it tries', async () => {
    const tried = probes(at);
    expect(tried.length).toBeGreaterThanOrEqual(60);
    const escaped: string[] = [];
    for (const { name, script } of tried) {
      const { stdout } = await bash(sandbox, script);
      if (stdout.includes('escaped')) escaped.push(`${name}: ${stdout.trim()}`);
    }
    expect(escaped).toEqual([]);
    // Neither it nor its neighbour is the worse for it.
    expect((await bash(sandbox, 'echo alive')).stdout).toBe('alive\n');
    expect((await bash(neighbour, 'cat /tmp/neighbour')).stdout).toBe('theirs\n');
  });

  it('changes no program or library of the host or of another sandbox, whatever it does to its own', async () => {
    const changed = `for f in /usr/bin/capstan-probe /usr/lib/capstan-probe /usr/bin/env /usr/local/bin/capstan-probe; do echo changed >$f; done
      rm -f /usr/bin/cksum; mv /usr/bin/factor /usr/bin/moved; chmod 777 /usr/bin /usr/bin/id; rm -rf /usr/share/doc; ls /usr/bin`;
    await bash(sandbox, changed);
    const look =
      'ls -ld /usr/bin /usr/share/doc /usr/bin/id /usr/bin/factor /usr/bin/cksum | cut -c-10; cksum /usr/bin/env; ls /usr/*/capstan-probe /usr/local/bin/capstan-probe /usr/bin/moved 2>/dev/null; :';
    const host = spawnSync('bash', ['-c', look], { env: { PATH: process.env.PATH } }).stdout.toString();
    expect(host).not.toMatch(/probe|moved/);
    expect((await bash(neighbour, look)).stdout).toBe(host);
  });

  it('leads no file call to the host', async () => {
    const { filesystem } = sandbox;
    const { secretPath } = at;
    await bash(sandbox, `ln -s '${secretPath}' /tmp/link; ln -s / /tmp/root; ln -s /proc/1/root /tmp/one`);
    const up = '../'.repeat(20);
    for (const path of [
      secretPath,
      '/tmp/link',
      `/tmp/root${secretPath}`,
      `/tmp/one${secretPath}`,
      `/tmp/${up}${secretPath}`,
      `/proc/1/cwd/${up}${secretPath}`,
      `/proc/self/root${secretPath}`,
    ]) {
      expect(await filesystem.readText(path).catch(() => ''), path).not.toContain(SECRET);
      // What it makes of that name is its own.
      await filesystem.writeText('changed', path).catch(() => {});
      await filesystem.remove(path).catch(() => {});
    }
    expect(spawnSync('cat', [secretPath]).stdout.toString()).toBe(SECRET);
  });
});

describe.runIf(isRoot)('the same on the host', { timeout: 120_000 }, () => {
  it('succeeds, so that it would be noticed', () => {
    const at = {
      ...shared,
      hostPid: process.pid,
      neighbourPort: 0,
      neighbourAbstractName: '',
      neighbourShmKey: SHM_KEY,
    };
    const env = { PATH: process.env.PATH, NEIGHBOUR_SECRET: 'seen' };
    spawnSync('perl', ['-e', `shmget(${SHM_KEY}, 16, 0666 | 01000)`]);
    const silent = probes(at)
      .filter(({ control }) => control === 'plain' || (control === 'privileged' && isPrivileged()))
      .filter(
        ({ script }) => !spawnSync('bash', ['-c', script], { env }).stdout.toString().includes('escaped'),
      )
      .map(({ name }) => name);
    spawnSync('ipcrm', ['-M', String(SHM_KEY)]);
    expect(silent).toEqual([]);
  });
});

const NEIGHBOUR = `
  socket(my $t, PF_INET, SOCK_STREAM, 0); bind($t, sockaddr_in(4717, INADDR_LOOPBACK)) or die; listen($t, 5);
  socket(my $u, PF_UNIX, SOCK_STREAM, 0); bind($u, pack("Sa*", 1, "\\0capstan-neighbour")) or die; listen($u, 5);
  defined shmget(${SHM_KEY}, 16, 0666 | 01000) or die;
  for my $f ("/tmp/neighbour", "/dev/shm/neighbour", "/workspace/neighbour", "/tmp/ready") { open my $h, ">", $f; print $h "theirs\\n" }
  sleep 600;
`;

/** A container's root often lacks what some controls need. */
function isPrivileged(): boolean {
  const [, capabilities = '0'] = /^CapEff:\s+(\w+)$/m.exec(readFileSync('/proc/self/status', 'utf8')) ?? [];
  return (BigInt(`0x${capabilities}`) & NEEDED) === NEEDED;
}

async function listen(options: { host: string; port: number } | { path: string }): Promise<Server> {
  const server = createServer((connection) => connection.end());
  servers.push(server);
  await new Promise<void>((resolve) => server.listen(options, resolve));
  return server;
}
