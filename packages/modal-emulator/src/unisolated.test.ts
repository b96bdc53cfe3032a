// Sandboxes without isolation, by the program as it ships, where user namespaces are forbidden.
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Sandbox } from 'modal';
import { afterAll, beforeAll, describe, expect, it, onTestFinished, vi } from 'vitest';
import { AGENT } from './sandbox-process.ts';
import {
  bash,
  type Connection,
  connect,
  PATIENTLY,
  type Program,
  startProgram,
  temporaryState,
} from './testing.ts';
import { refuseUnisolated, workspaceProblem } from './unisolated.ts';

const FORBID = 'echo 0 >/proc/sys/user/max_user_namespaces; exec "$@"';
/** Processes that no other test on this machine has. */
const [LATE, DETACHED, LEFT] = [5801, 5802, 5804].map((seconds) => `sleep ${seconds}.${process.pid}`);
/** A user namespace in which there can be no other, with the programs and files of this machine. */
const forbidden = (wanted: string) => [
  'unshare',
  '--user',
  '--map-root-user',
  'sh',
  '-c',
  `SANDBOX_ISOLATION=${wanted} && export SANDBOX_ISOLATION && ${FORBID}`,
  'sh',
];

describe('a sandbox without isolation', { timeout: 60_000 }, () => {
  const state = temporaryState();
  const scratch = mkdtempSync(join(tmpdir(), 'unisolated-'));
  let program: Program;
  let connection: Connection;
  let sandbox: Sandbox;

  beforeAll(async () => {
    program = await startProgram(state.stateDir, undefined, forbidden('none'));
    connection = await connect(program.url);
    sandbox = await connection.create();
  }, 60_000);
  afterAll(async () => {
    connection.close();
    program.child.kill('SIGKILL');
    await program.exited;
    state.remove();
    rmSync(scratch, { recursive: true, force: true });
  });

  it('starts only where somebody said that it may', async () => {
    expect(program.isolation).toBe('none');
    const other = temporaryState();
    onTestFinished(other.remove);
    await expect(startProgram(other.stateDir, undefined, forbidden('namespaces'))).rejects.toThrow(
      /emulator.refused.*SANDBOX_ISOLATION=none/,
    );
  });

  it('runs commands on the files of this machine, without what is secret of the emulator', async () => {
    const path = join(scratch, 'file');
    const env = { GIVEN: 'yes' };
    const run = await sandbox.exec(['sh', '-c', `pwd; echo $GIVEN; env; cat; echo left >${path}`], {
      workdir: scratch,
      env,
    });
    await run.stdin.writeText('read\n');
    await run.stdin.close();
    const text = await run.stdout.readText();
    expect(text).toMatch(new RegExp(`^${scratch}\nyes\n.*read\n$`, 's'));
    expect(text).not.toMatch(/MODAL_TOKEN|as-test/);
    expect([await run.wait(), readFileSync(path, 'utf8')]).toEqual([0, 'left\n']);
    expect(await sandbox.filesystem.readText(path)).toBe('left\n');
  });

  it('begins where its user is at home', async () => {
    expect((await bash(sandbox, '[ "$PWD" = "$HOME" ] && touch file && echo at home')).stdout).toBe(
      'at home\n',
    );
  });

  it('ends a command at its time limit, and everything with itself', async () => {
    const own = await connection.create();
    const late = await own.exec(['sh', '-c', `${LATE} & ${LATE}`], { timeoutMs: 1000 });
    expect(await late.wait().catch(() => 137)).not.toBe(0);
    await bash(
      own,
      `setsid ${DETACHED} >/dev/null 2>&1 & setsid sh -c "setsid ${DETACHED} &" & wait $!; echo done`,
    );
    await vi.waitFor(() => expect(running(DETACHED)).toHaveLength(2), PATIENTLY);
    await own.terminate();
    expect([running(LATE), running(DETACHED)]).toEqual([[], []]);
    expect(await bash(sandbox, 'echo here')).toMatchObject({ stdout: 'here\n' });
  });

  it('is reached by connect tokens like any other', async () => {
    const server = createServer((peer) => peer.end('HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\nhere'));
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    onTestFinished(() => void server.close());
    const address = server.address();
    const port = typeof address === 'object' ? address?.port : 0;
    const { url, token } = await sandbox.createConnectToken({ port });
    expect(await (await fetch(url, { headers: { authorization: `Bearer ${token}` } })).text()).toBe('here');
  });

  it('refuses by name what it cannot keep', async () => {
    const { create, client, app, image } = connection;
    await expect(create({ blockNetwork: true })).rejects.toThrow(/no network policy can be kept/);
    await expect(create({ outboundCidrAllowlist: ['127.0.0.1/32'] })).rejects.toThrow(/no network policy/);
    const change = { outboundCidrAllowlist: ['0.0.0.0/0'], outboundDomainAllowlist: [] };
    await expect(sandbox.updateNetworkPolicy(change)).rejects.toThrow(/no policy can be kept/);
    const volumes = { '/data': await client.volumes.fromName('v', { createIfMissing: true }) };
    await expect(create({ volumes })).rejects.toThrow(/volumes cannot be mounted/);
    await expect(sandbox.snapshotFilesystem()).rejects.toThrow(/snapshots cannot be taken/);
    await expect(image.dockerfileCommands(['RUN true']).build(app)).rejects.toThrow(/images cannot be built/);
  });

  it('leaves nothing when the emulator is killed', async () => {
    const { stateDir, remove } = temporaryState();
    const second = await startProgram(stateDir, undefined, forbidden('none'));
    onTestFinished(() => {
      second.child.kill('SIGKILL');
      remove();
    });
    const own = await connect(second.url);
    const left = await own.create();
    await bash(left, `setsid ${LEFT} >/dev/null 2>&1 & echo up`);
    await vi.waitFor(() => expect(running(LEFT).length).toBeGreaterThan(0), PATIENTLY);
    second.child.kill('SIGKILL');
    await second.exited;
    own.close();
    await vi.waitFor(() => expect(running(LEFT)).toEqual([]), PATIENTLY);
  });
});

describe('the agent of such a sandbox', () => {
  it('does not take everything of its user for a group', () => {
    // In a session and a process namespace of the test, where everything is three processes.
    const script =
      'sleep 600 & printf "k 1\\nk 0\\n" | bash -c "$0" agent /nowhere 3>/dev/null; kill -0 $! && echo alive';
    const namespaces = ['--user', '--map-root-user', '--pid', '--fork', '--mount-proc', '--kill-child'];
    const { stdout } = spawnSync(
      'setsid',
      ['--wait', 'unshare', ...namespaces, 'bash', '-c', script, AGENT],
      {
        encoding: 'utf8',
      },
    );
    expect(stdout).toBe('alive\n');
  });
});

describe('refuseUnisolated', () => {
  it('lets pass what is commands on this machine and nothing else', () => {
    const network = { isOpen: true, allowsForwards: true };
    expect(() => refuseUnisolated({ appId: 'ap-1', image: { layers: [] }, network })).not.toThrow();
    expect(() => refuseUnisolated({ appId: 'ap-1', image: { layers: [], tree: 'tr-1' }, network })).toThrow(
      /an image with files of its own/,
    );
  });
});

describe('workspaceProblem', () => {
  it('says how to get a directory that this user can write, where there is none', () => {
    const parent = mkdtempSync(join(tmpdir(), 'workspace-'));
    onTestFinished(() => rmSync(parent, { recursive: true, force: true }));
    expect([workspaceProblem(parent), workspaceProblem(join(parent, 'workspace'))]).toEqual([
      undefined,
      undefined,
    ]);
    expect(readdirSync(parent)).toEqual([]);
    expect(workspaceProblem('/dev/null/workspace')?.fix).toMatch(/sudo mkdir -p \/dev\/null\/workspace/);
  });
});

function running(text = ''): string[] {
  return readdirSync('/proc').filter((pid) => {
    try {
      return (
        /^\d+$/.test(pid) &&
        readFileSync(`/proc/${pid}/cmdline`, 'utf8').replaceAll('\0', ' ').trim() === text
      );
    } catch {
      return false;
    }
  });
}
