import { execFileSync } from 'node:child_process';
import type { ModalClient, Sandbox } from 'modal';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { confinement } from './confinement.ts';
import type { Interpreter } from './interpreters.ts';
import { isFiltered } from './system-call-filter.ts';
import { bash, connect, type Program, startProgram, temporaryState } from './testing.ts';

const NUMBERS = {
  x64: {
    add_key: 248,
    request_key: 249,
    keyctl: 250,
    socket: 41,
    mount: 165,
    unshare: 272,
    bpf: 321,
    syslog: 103,
    prctl: 157,
  },
  arm64: {
    add_key: 217,
    request_key: 218,
    keyctl: 219,
    socket: 198,
    mount: 40,
    unshare: 97,
    bpf: 280,
    syslog: 116,
    prctl: 167,
  },
};
const IO_URING_SETUP = 425;
const CLONE3 = 435;
const numbers = NUMBERS[isFiltered(process.arch) ? process.arch : 'x64'];
const [EPERM, ENOSYS, ENOKEY, EAFNOSUPPORT] = ['1', '38', '126', '97'];
const SECRET = 'the-secret-of-the-host';

/** Perl that holds a key in the session keyring it becomes its arguments with. */
const WITH_KEY = `my ($t, $n, $v) = ("user", "of-the-host", "${SECRET}"); syscall(${numbers.keyctl}, 1, 0) >= 0 && syscall(${numbers.add_key}, $t, $n, $v, length $v, -3) >= 0 or die "no key: $!"; exec @ARGV`;
/** Perl that finds the key and prints it, or the number of the error. */
const FIND_KEY = `my ($t, $n, $b) = ("user", "of-the-host", " " x 64); my $k = syscall(${numbers.keyctl}, 10, -3, $t, $n, 0); print $k < 0 ? 0 + $! : syscall(${numbers.keyctl}, 11, $k, $b, 64) > 0 ? $b : "unread"`;

let host: Program;
let client: ModalClient;
let sandbox: Sandbox;
const state = temporaryState();

beforeAll(async () => {
  host = await startProgram(state.stateDir, undefined, ['perl', '-e', WITH_KEY]);
  const connection = await connect(host.url);
  client = connection.client;
  sandbox = await connection.create();
});
afterAll(async () => {
  client.close();
  host.child.kill('SIGTERM');
  await host.exited;
  state.remove();
});

const perl = async (program: string) => {
  const run = await sandbox.exec(['perl', '-e', program]);
  return (await run.stdout.readText()).trim();
};
const call = (number: number, ...values: (number | string)[]) =>
  perl(`my @v = (${values.join(', ')}); print syscall(${number}, @v) < 0 ? 0 + $! : "done"`);

describe('a confined sandbox', { timeout: 60_000 }, () => {
  it('makes no socket that leaves its namespaces', async () => {
    const socket = (family: number, protocol = 0) => call(numbers.socket, family, 1, protocol);
    const families = { vsock: 40, packet: 17, alg: 38, bluetooth: 31, tipc: 30, xdp: 44, smc: 43 };
    for (const [name, family] of Object.entries(families))
      expect([name, await socket(family)]).toEqual([name, EAFNOSUPPORT]);
    expect([await socket(1), await socket(2), await socket(10)]).toEqual(['done', 'done', 'done']);
  });

  it('neither finds the key of its emulator, nor any, nor makes one', async () => {
    expect(execFileSync('perl', ['-e', WITH_KEY, 'perl', '-e', FIND_KEY]).toString()).toContain(SECRET);
    expect(await perl(FIND_KEY)).toBe(EPERM);
    expect(await call(numbers.request_key, '"user"', '"of-the-host"', 0, -3)).toBe(EPERM);
    expect(await call(numbers.add_key, '"user"', '"own"', '"value"', 5, -3)).toBe(EPERM);
    expect((await bash(sandbox, 'cat /proc/keys')).stdout).toBe('');
  });

  it('makes none of the calls that go round namespaces and filters', async () => {
    for (const number of [numbers.bpf, numbers.mount, numbers.syslog])
      expect([number, await call(number, 3, 0, 0, 0, 0)]).toEqual([number, EPERM]);
    expect(await call(numbers.unshare, 0x10000000)).toBe(EPERM);
    expect([await call(IO_URING_SETUP, 1, 0), await call(CLONE3, 0, 0)]).toEqual([ENOSYS, ENOSYS]);
  });

  it('is confined in all its processes, and cannot undo it', async () => {
    const { stdout } = await bash(sandbox, 'cat /proc/[0-9]*/status | grep -E "^(Seccomp|NoNewPrivs):"');
    expect([...new Set(stdout.match(/(Seccomp|NoNewPrivs):\s+\d/g))].toSorted()).toEqual([
      'NoNewPrivs:\t1',
      'Seccomp:\t2',
    ]);
    // Programs with the set-user-ID bit, a filter that allows all, and the way out that prctl would be.
    const allowAll = 'my $i = pack("SCCL", 6, 0, 0, 0x7fff0000); my $p = pack("S x6 P", 1, $i);';
    const { prctl } = numbers;
    const undo = `${allowAll} print syscall(${prctl}, 22, 2, $p), " "; print syscall(${prctl}, 22, 0, 0), " ", syscall(${prctl}, 38, 0, 0, 0, 0), " "; print syscall(${numbers.socket}, 40, 1, 0) < 0 ? 0 + $! : "made"`;
    expect(await perl(undo)).toBe(`0 -1 -1 ${EAFNOSUPPORT}`);
    // PR_GET_SECUREBITS: no privilege for being root, for good.
    expect(await perl(`print syscall(${prctl}, 27, 0, 0, 0, 0)`)).toBe('3');
  });

  it('runs what programs ordinarily do', async () => {
    const python = `
import multiprocessing, os, socket, subprocess, threading
server = socket.create_server(('127.0.0.1', 0))
def answer():
    peer, _ = server.accept()
    peer.sendall(b'over loopback')
    peer.close()
thread = threading.Thread(target=answer)
thread.start()
print(socket.create_connection(server.getsockname()).recv(64).decode())
thread.join()
print(subprocess.run(['echo', 'a child'], capture_output=True, text=True).stdout.strip())
left, right = socket.socketpair()
if os.fork() == 0:
    left.send(b'a fork')
    os._exit(0)
print(right.recv(64).decode())
with multiprocessing.get_context('fork').Pool(2) as pool: print(sum(pool.map(abs, range(-4, 0))))
print(len(socket.if_nameindex()))`;
    const run = await sandbox.exec(['python3', '-c', python]);
    expect(await run.stdout.readText()).toBe('over loopback\na child\na fork\n10\n1\n');
    const node = `
const { Worker } = require('node:worker_threads');
const net = require('node:net');
const server = net.createServer((peer) => peer.end('over loopback')).listen(0, '127.0.0.1', () => {
  net.connect(server.address().port).on('data', (data) => {
    new Worker('require("node:worker_threads").parentPort.postMessage(1)', { eval: true }).on('message', () => {
      console.log(String(data), require('node:child_process').execSync('echo a child').toString().trim());
      require('node:fs').promises.readFile('/etc/hostname', 'utf8').then((name) => { console.log(name.trim(), Object.keys(require('node:os').networkInterfaces())); server.close(); });
    });
  });
});`;
    const ran = await sandbox.exec(['node', '-e', node]);
    expect(await ran.stdout.readText()).toBe("over loopback a child\nsandbox [ 'lo' ]\n");
    const shell =
      'cd /tmp && git init -q r && cd r && echo x >f && git add f && git -c user.name=a -c user.email=a@b commit -qm m && git clone -q . ../c && git -C ../c log --format=%s; seq 3 | sort -r | paste -sd,; diff <(echo 1) <(echo 1) && mkfifo p && (echo fifo >p & cat p); ip -br link | cut -d" " -f1';
    expect(await bash(sandbox, shell)).toEqual({ code: 0, stdout: 'm\n3,2,1\nfifo\nlo\n', stderr: '' });
  });
});

describe.each(['perl', 'python3'] as const)('confinement by %s', (interpreter: Interpreter) => {
  /** On the host, in a session whose keyring has the key. */
  const confined = (argv: string[], change = (words: string[]) => words) =>
    execFileSync(
      'perl',
      ['-e', WITH_KEY, 'setpriv', '--no-new-privs', ...change(confinement(interpreter)), ...argv],
      {
        env: { PATH: '/usr/bin:/bin' },
        stdio: 'pipe',
      },
    ).toString();

  it('filters, and leaves no signal ignored', () => {
    const status = confined(['cat', '/proc/self/status']);
    expect(status).toMatch(/^Seccomp:\s+2$/m);
    const plain = execFileSync('cat', ['/proc/self/status']).toString();
    const ignored = /^SigIgn:\s+\w+$/m;
    expect(ignored.exec(status)?.[0]).toBe(ignored.exec(plain)?.[0]);
  });

  it('joins a keyring of its own even where keys may be asked for', () => {
    const allowAll = '060000000000ff7f';
    const unfiltered = (words: string[]) => words.with(-1, allowAll);
    expect(confined(['perl', '-e', FIND_KEY], unfiltered)).toBe(ENOKEY);
  });

  it('starts nothing when the kernel refuses the filter', () => {
    const broken = (words: string[]) => words.with(-1, '0600000000');
    expect(() => confined(['echo', 'started'], broken)).toThrow(/The system call filter was refused/);
  });
});
