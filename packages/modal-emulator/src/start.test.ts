// What starts sandboxes, by both interpreters, with a program of the tests' own in place of the agent.
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { chownSync, closeSync, mkdirSync, openSync, readFileSync, readlinkSync, symlinkSync } from 'node:fs';
import { Server } from 'node:net';
import { join } from 'node:path';
import { afterAll, describe, expect, it, onTestFinished, vi } from 'vitest';
import { PROGRAM_PATHS } from './interpreters.ts';
import { mountWords } from './mount-table.ts';
import { prepareBase, prepareRoot } from './root-filesystem.ts';
import { PLAIN } from './sandbox-process.ts';
import { LENGTH_DIGITS, type StartOrder, startArgv, startOrder } from './start-order.ts';
import { systemCall } from './system-calls.ts';
import { PATIENTLY, temporaryState } from './testing.ts';
import { makeVolatileDirectory } from './volatile-directory.ts';

const ADD_KEY = process.arch === 'arm64' ? 217 : 248;
const OWNER = process.getuid?.() === 0 ? 231_069 : undefined;
const state = temporaryState();
/** That user can walk to it. */
const reachable = makeVolatileDirectory(state.stateDir);
const base = prepareBase(join(state.stateDir, 'base'));
mkdirSync(join(state.stateDir, 'sandboxes'), { mode: 0o711 });
afterAll(() => {
  reachable.remove();
  state.remove();
});

let made = 0;
/** A sandbox's directory, and what it takes to start it. */
function laidOut(): { directory: string; order: StartOrder } {
  const name = `start-${made++}`;
  const directory = join(state.stateDir, 'sandboxes', name);
  const runDirectory = join(reachable.path, name);
  const options = { base, layout: 'copies', runDirectory, ownerId: OWNER, layers: [] } as const;
  const { shifts, lines } = prepareRoot(directory, { ...options, isPlanted: false });
  const mounts = mountWords(lines);
  const order = { directory, ownerId: OWNER, shifts, listenPorts: [], mounts, volumes: [] };
  return { directory, order: { ...order, memoryBytesPerProcess: 512 * 1024 * 1024 } };
}

/** `before` stands between this process and the start, which ends with the process it makes. */
function begin(argv: string[], before: string[] = []): ChildProcess {
  const [program = '', ...args] = [...before, ...argv];
  const careless = openSync('/etc/hostname', 'r');
  const child = spawn(program, args, {
    cwd: '/',
    stdio: ['pipe', 'pipe', 'pipe', 'ignore', 'ipc', careless],
    env: { PATH: PROGRAM_PATHS.join(':'), HOME: '/root', LANG: 'C.UTF-8' },
  });
  closeSync(careless);
  onTestFinished(() => void child.kill('SIGKILL'));
  return child;
}

function withFilter(filter: string, order: Buffer): Buffer {
  const text = order.subarray(LENGTH_DIGITS).toString().split('\0').with(2, filter).join('\0');
  return Buffer.from(`${String(Buffer.byteLength(text)).padStart(LENGTH_DIGITS, '0')}${text}`);
}

async function outputOf(child: ChildProcess) {
  const output = { stdout: '', stderr: '' };
  for (const name of ['stdout', 'stderr'] as const)
    child[name]?.on('data', (chunk: Buffer) => {
      output[name] += chunk.toString('utf8');
    });
  const [code] = await once(child, 'exit');
  await vi.waitFor(
    () => expect([child.stdout?.closed, child.stderr?.closed]).toEqual([true, true]),
    PATIENTLY,
  );
  return { code, ...output };
}

const childrenOf = (pid: number | undefined) =>
  readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').trim().split(' ').filter(Boolean).map(Number);

/** Whoever inherits them may not look at how they ended. */
const isRunning = (pid: number) => {
  try {
    return !/^State:\s+Z/m.test(readFileSync(`/proc/${pid}/status`, 'utf8'));
  } catch {
    return false;
  }
};

const PROMISED = `sandbox
1000
0
0
1
0022
SigBlk:	0000000000000000
SigIgn:	0000000000000000
CapInh:	0000000000000000
CapPrm:	0000000000000000
CapEff:	0000000000000000
CapBnd:	0000000000000000
CapAmb:	0000000000000000
NoNewPrivs:	1
Seccomp:	2
0
1
2
3
core file size              (blocks, -c) 0
file size                   (blocks, -f) 2097152
max user processes                  (-u) 640
data seg size               (kbytes, -d) 524288
HOME=/root
LANG=C.UTF-8
PATH=${PROGRAM_PATHS.join(':')}
proc /proc/sys proc ro,nosuid,nodev,noexec,relatime 0 0
lo:
/proc/1
1 root
secure bits 3
`;

/** Perl that holds a key in the session keyring it becomes its arguments with, and perl that says why it has none. */
const WITH_KEY = `my ($t, $n, $v) = ("user", "of-the-host", "value"); syscall(${systemCall('keyctl')}, 1, 0) >= 0 && syscall(${ADD_KEY}, $t, $n, $v, 5, -3) >= 0 or die "no key: $!"; exec @ARGV`;
const FIND_KEY = `my ($t, $n) = ("user", "of-the-host"); print syscall(${systemCall('keyctl')}, 10, -3, $t, $n, 0) < 0 ? 0 + $! : "found"`;
const ENOKEY = '126';

describe.each(['perl', 'python3'] as const)('a start by %s', { timeout: 60_000 }, (interpreter) => {
  const run = (script: string, change: (directory: string) => Partial<StartOrder> = () => ({})) => {
    const { directory, order } = laidOut();
    const whole = { ...order, ...change(directory) };
    const child = begin(startArgv(interpreter));
    child.stdin?.end(startOrder(whole, ['bash', '-c', script]));
    return child;
  };
  const told = (script: string, change?: (directory: string) => Partial<StartOrder>) =>
    outputOf(run(script, change));
  /** A sandbox that sleeps, with the process outside. */
  const sleeping = async (parent: () => number | undefined) =>
    vi.waitFor(() => {
      const [agent = 0] = childrenOf(parent());
      expect(readFileSync(`/proc/${agent}/cmdline`, 'utf8')).toBe('sleep\x00600\x00');
      return agent;
    }, PATIENTLY);

  it('confines the program, and leaves it nothing of the host', async () => {
    // The fourth descriptor is of the directory that is listed.
    const look = `hostname; cat /proc/self/oom_score_adj /proc/sys/user/max_user_namespaces; id -u; echo $$; umask
      grep -E '^(Cap|NoNewPrivs|Seccomp:|SigIgn|SigBlk)' /proc/self/status; ls /proc/self/fd; ulimit -H -c -f -u -d; tr '\\0' '\\n' </proc/1/environ | sort
      grep ' /proc/sys ' /proc/self/mounts; tail -n +3 /proc/net/dev | tr -d ' ' | cut -c-3; ls -d /proc/[0-9]*; echo "$(cut -d' ' -f5 /proc/self/mountinfo | grep -cx /) root"
      perl -e 'print "secure bits ", syscall(${systemCall('prctl')}, 27, 0, 0, 0, 0), "\n"'`;
    const { order } = laidOut();
    const careless = ['perl', '-e', 'umask 077; exec @ARGV'];
    const child = begin(startArgv(interpreter), careless);
    child.stdin?.end(startOrder(order, ['bash', '-c', look]));
    const { code, stdout, stderr } = await outputOf(child);
    expect([code, stderr]).toEqual([0, '']);
    expect(stdout).toBe(PROMISED);
  });

  it('takes the keys of the host from the program, even where it may ask for them', async () => {
    const { order } = laidOut();
    const child = begin(startArgv(interpreter), ['perl', '-e', WITH_KEY]);
    const allowAll = '060000000000ff7f';
    child.stdin?.end(withFilter(allowAll, startOrder(order, ['perl', '-e', FIND_KEY])));
    expect(await outputOf(child)).toMatchObject({ stdout: ENOKEY, stderr: '' });
  });

  it('brings up a loopback, and hands over what listens there', async () => {
    const child = run('exec 3<>/dev/tcp/127.0.0.1/8795; cat <&3', () => ({ listenPorts: [8795] }));
    const ended = outputOf(child);
    const [message, server] = await once(child, 'message');
    expect(message).toEqual({ id: 8795 });
    if (!(server instanceof Server)) throw new TypeError('no listener came');
    // Nobody inside holds the channel by then.
    await once(child, 'disconnect');
    server.once('connection', (peer) => peer.end('from outside'));
    expect(await ended).toMatchObject({ code: 0, stdout: 'from outside' });
    server.close();
  });

  it('runs as the user of the sandbox, in its groups and namespaces alone', async () => {
    const { order } = laidOut();
    const grouped = OWNER === undefined ? [] : ['setpriv', '--groups', '1,2'];
    const child = begin(startArgv(interpreter), grouped);
    child.stdin?.write(startOrder(order, ['sleep', '600']));
    const agent = await sleeping(() => child.pid);
    for (const pid of [child.pid, agent]) {
      const status = readFileSync(`/proc/${pid}/status`, 'utf8');
      const user = OWNER ?? process.getuid?.();
      expect(status).toMatch(new RegExp(`^Uid:(\\s+${user}){4}$`, 'm'));
      expect(status).toMatch(new RegExp(`^Gid:(\\s+${OWNER ?? process.getgid?.()}){4}$`, 'm'));
      if (OWNER !== undefined) expect(status).toMatch(/^Groups:\s*$/m);
    }
    for (const kind of ['user', 'mnt', 'pid', 'ipc', 'uts', 'net', 'cgroup'])
      expect(readlinkSync(`/proc/${agent}/ns/${kind}`)).not.toBe(readlinkSync(`/proc/self/ns/${kind}`));
  });

  it('ends the sandbox with its parent', async () => {
    const { order } = laidOut();
    const child = begin(startArgv(interpreter));
    child.stdin?.write(startOrder(order, ['sleep', '600']));
    const agent = await sleeping(() => child.pid);
    child.kill('SIGKILL');
    await vi.waitFor(() => expect(isRunning(agent)).toBe(false), PATIENTLY);
  });

  it('ends the sandbox, and the parent, with the emulator', async () => {
    const { order } = laidOut();
    const shared = OWNER === undefined ? [] : ['unshare', '--mount', '--propagation', 'shared'];
    const emulator = begin(startArgv(interpreter).slice(0, -1), [
      ...shared,
      'bash',
      ...PLAIN,
      '-c',
      '"$@" $$ <&0 & wait',
      'emulator',
    ]);
    emulator.stdin?.write(startOrder(order, ['sleep', '600']));
    const parent = () => childrenOf(emulator.pid)[0];
    const agent = await sleeping(parent);
    // No mount of the host comes in later.
    expect(readFileSync(`/proc/${agent}/mountinfo`, 'utf8')).not.toMatch(/ (master|shared):/);
    const processes = [agent, parent() ?? 0];
    emulator.kill('SIGKILL');
    await vi.waitFor(() => expect(processes.map(isRunning)).toEqual([false, false]), PATIENTLY);
  });

  it('makes nothing for an emulator that has ended, or that says nothing', async () => {
    const { order } = laidOut();
    const late = begin(startArgv(interpreter).with(-1, '1'));
    late.stdin?.end(startOrder(order, ['echo', 'started']));
    expect(await outputOf(late)).toMatchObject({ stdout: '', stderr: 'The emulator has ended.\n' });
    const silent = begin(startArgv(interpreter));
    silent.stdin?.end('0000000100words');
    const said = 'The emulator did not say what to start.\n';
    expect(await outputOf(silent)).toMatchObject({ stdout: '', stderr: said });
  });

  it('says what could not be mounted, and starts nothing', async () => {
    const missing = mountWords(['/nowhere ./root/mnt none bind,ro']);
    expect(await told('echo started', () => ({ mounts: missing }))).toMatchObject({
      stdout: '',
      stderr: 'Mounting /nowhere on ./root/mnt: No such file or directory\n',
    });
  });

  it('mounts volumes, and never through a link', async () => {
    const volume = (directory: string, ...words: string[]) => {
      mkdirSync(join(directory, 'volumes'));
      const source = join(reachable.path, `volume-${made++}`);
      mkdirSync(source);
      symlinkSync('/etc', join(source, 'link'));
      symlinkSync('/usr', join(directory, 'root/link'));
      if (OWNER !== undefined) chownSync(source, OWNER, OWNER);
      symlinkSync(source, join(directory, 'volumes/0'));
      return { volumes: ['0', ...words] };
    };
    const write =
      'echo x >/data/set/file; cat /data/set/file; grep /data/set /proc/self/mounts | cut -d" " -f2,4';
    const written = await told(write, (at) => volume(at, 'rw', 'a/b', 'data/set'));
    expect(written).toMatchObject({
      code: 0,
      stdout: expect.stringMatching(/^x\n\/data\/set rw,nosuid,nodev,/),
    });
    const refused = await told(write, (at) => volume(at, 'ro', '', 'data/set'));
    expect(refused.stderr).toMatch(/Read-only file system/);
    expect(refused.stdout).toMatch(/^\/data\/set ro,nosuid,nodev,/);
    const why = "A volume's path may not lead through links, and link is one.\n";
    for (const words of [
      ['rw', 'link', 'data'],
      ['rw', 'link/ssl', 'data'],
      ['rw', '', 'link'],
      ['ro', '', 'link/local'],
    ])
      expect(await told('echo started', (at) => volume(at, ...words))).toMatchObject({
        stdout: '',
        stderr: why,
      });
  });
});
