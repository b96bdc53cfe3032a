import { readdirSync } from 'node:fs';
import { createServer as createHttpServer } from 'node:http';
import { type AddressInfo, createServer, type Server, type Socket } from 'node:net';
import { networkInterfaces } from 'node:os';
import type { Sandbox } from 'modal';
import { afterAll, beforeAll, describe, expect, it, onTestFinished, vi } from 'vitest';
import { startEmulator } from './emulator.ts';
import { MAX_CONNECTIONS } from './forwards.ts';
import {
  bash,
  PATIENTLY,
  startTestEmulator,
  type TestEmulator,
  TOKENS,
  temporaryState,
  waitingStarts,
} from './testing.ts';

const REFUSED = /Connection refused/;
const UNREACHABLE = /Network is unreachable/;
/** Prints what the service behind 127.0.0.1:$1 answers to an HTTP request. */
const FETCH = 'exec 3<>/dev/tcp/127.0.0.1/$PORT && printf "GET /path HTTP/1.0\\r\\n\\r\\n" >&3 && cat <&3';

let world: TestEmulator;
/** One of several, so that "all" and "the one named" differ. */
let web: Server;
let echo: Server;
let hidden: Server;
const peers = new Set<Socket>();

beforeAll(async () => {
  web = await listening(createHttpServer((request, response) => response.end(`host ${request.url}`)));
  echo = await listening(createServer({ allowHalfOpen: true }, (peer) => void peer.pipe(peer)));
  hidden = await listening(createServer((peer) => peer.end('hidden')));
  for (const server of [web, echo, hidden])
    server.on('connection', (peer) => {
      peers.add(peer);
      peer.on('error', () => {});
      peer.once('close', () => peers.delete(peer));
    });
  world = await startTestEmulator({ forwards: [web, echo].map((server) => `127.0.0.1:${portOf(server)}`) });
});
afterAll(async () => {
  await world.stop();
  for (const server of [web, echo, hidden]) server.close();
});

const get = (sandbox: Sandbox, server: Server) =>
  bash(sandbox, FETCH.replace('$PORT', String(portOf(server))));
const made = async (params?: Parameters<TestEmulator['create']>[0]) => {
  const sandbox = await world.create(params);
  onTestFinished(async () => void (await sandbox.terminate()));
  return sandbox;
};
const python = async (sandbox: Sandbox, program: string) => {
  const run = await sandbox.exec(['python3', '-c', program]);
  const [stdout, stderr] = await Promise.all([run.stdout.readText(), run.stderr.readText()]);
  return stdout + stderr;
};

describe('a forward', { timeout: 60_000 }, () => {
  it('leads from the loopback of a sandbox to the same port of the host', async () => {
    const { stdout, code } = await get(await made(), web);
    expect([code, stdout]).toEqual([0, expect.stringMatching(/^HTTP\/1.1 200 OK\r\n.*host \/path$/s)]);
  });

  it('is the only way out', async () => {
    const sandbox = await made();
    const [service, other] = [portOf(web), portOf(hidden)];
    const refused = [`127.0.0.1/${other}`, `127.0.0.2/${service}`, `::1/${service}`, `localhost/${other}`];
    for (const address of refused)
      expect([address, (await bash(sandbox, `exec 3<>/dev/tcp/${address}`)).stderr]).toEqual([
        address,
        expect.stringMatching(REFUSED),
      ]);
    const lan = Object.values(networkInterfaces())
      .flatMap((list) => list ?? [])
      .filter(({ internal, scopeid = 0 }) => !internal && scopeid === 0)
      .map(({ address }) => address);
    for (const address of ['1.1.1.1', '10.0.0.1', '169.254.169.254', 'fd00::1', '2606:4700::1111', ...lan])
      expect([address, (await bash(sandbox, `exec 3<>/dev/tcp/${address}/${service}`)).stderr]).toEqual([
        address,
        expect.stringMatching(UNREACHABLE),
      ]);
    expect((await bash(sandbox, 'exec 3<>/dev/udp/1.1.1.1/53')).stderr).toMatch(UNREACHABLE);
    expect((await bash(sandbox, 'getent hosts example.com')).code).not.toBe(0);
  });

  it('leaves the abstract sockets of the host, and those of other sandboxes, out of reach', async () => {
    const name = `host-${process.pid}`;
    const onHost = await listening(
      createServer((peer) => peer.end('host')),
      `\0${name}`,
    );
    onTestFinished(() => void onHost.close());
    const [sandbox, other] = [await made(), await made()];
    const connecting = (family: string, address: string) =>
      python(sandbox, `import socket\nsocket.socket(socket.${family}).connect(${address})`);
    expect(await connecting('AF_UNIX', `'\\0${name}'`)).toMatch(REFUSED);
    const server =
      'import socket, time\na = socket.socket(socket.AF_UNIX); a.bind("\\0theirs"); a.listen()\nb = socket.create_server(("127.0.0.1", 4713))\nprint("up", flush=True)\ntime.sleep(600)';
    const run = await other.exec(['python3', '-c', server]);
    expect((await run.stdout.getReader().read()).value).toBe('up\n');
    expect(await connecting('AF_UNIX', "'\\0theirs'")).toMatch(REFUSED);
    expect(await connecting('AF_INET', "('127.0.0.1', 4713)")).toMatch(REFUSED);
  });

  it('breaks a connection for which the host has no service', async () => {
    const gone = await listening(createServer());
    const port = portOf(gone);
    await new Promise<void>((resolve) => gone.close(() => resolve()));
    const own = await startTestEmulator({ forwards: [`127.0.0.1:${port}`] });
    onTestFinished(() => own.stop());
    const { stderr } = await bash(await own.create(), `exec 3<>/dev/tcp/127.0.0.1/${port} && cat <&3`);
    expect(stderr).toMatch(/Connection reset by peer/);
  });

  it('is refused at the start when it names anything but a loopback port', async () => {
    const { stateDir, remove } = temporaryState();
    onTestFinished(remove);
    const options = { stateDir, port: 0, ...TOKENS, forwards: ['192.168.0.1:8080'] };
    await expect(startEmulator(options)).rejects.toThrow(/"192.168.0.1:8080" is not 127.0.0.1:PORT/);
  });
});

describe('the connections of forwards', { timeout: 60_000 }, () => {
  it('end one way at a time', async () => {
    const program = `
import socket
s = socket.create_connection(('127.0.0.1', ${portOf(echo)}))
s.sendall(b'said'); s.shutdown(socket.SHUT_WR)
print(s.recv(100), s.recv(100))`;
    expect(await python(await made(), program)).toBe("b'said' b''\n");
  });

  it('are a hundred at once, and leave no descriptor', async () => {
    const sandbox = await made();
    const before = await steadyDescriptors();
    const program = `
import socket
made = [socket.create_connection(('127.0.0.1', ${portOf(echo)})) for _ in range(100)]
for i, s in enumerate(made): s.sendall(str(i).encode())
print([s.recv(10) for s in made] == [str(i).encode() for i in range(100)])`;
    expect(await python(sandbox, program)).toBe('True\n');
    await vi.waitFor(() => expect([peers.size, descriptors() <= before]).toEqual([0, true]), PATIENTLY);
  });

  it('are bounded for each sandbox, which may use them again', async () => {
    const sandbox = await made();
    const program = `
import socket
def speaks():
    s = socket.create_connection(('127.0.0.1', ${portOf(echo)}))
    try: s.sendall(b'x'); return s if s.recv(1) else None
    except OSError: return None
made = [s for s in (speaks() for _ in range(${MAX_CONNECTIONS + 5})) if s]
print(len(made))`;
    expect(await python(sandbox, program)).toBe(`${MAX_CONNECTIONS}\n`);
    await vi.waitFor(() => expect(peers.size).toBe(0), PATIENTLY);
    expect((await get(sandbox, web)).code).toBe(0);
  });

  it('are read no faster than the host takes what they say', async () => {
    const slow = await listening(createServer({ pauseOnConnect: true }));
    onTestFinished(() => void slow.close());
    const own = await startTestEmulator({ forwards: [`127.0.0.1:${portOf(slow)}`] });
    onTestFinished(() => own.stop());
    const connected = new Promise<Socket>((resolve) => slow.once('connection', resolve));
    const program = `
import select, socket
s = socket.create_connection(('127.0.0.1', ${portOf(slow)}))
s.setblocking(False)
sent = 0
while select.select([], [s], [], 1)[1]: sent += s.send(bytes(65536))
print(sent)`;
    const sent = Number(await python(await own.create(), program));
    const bytes = { most: 32 * 1024 * 1024, least: 1024 * 1024 };
    expect([sent < bytes.most, sent > bytes.least]).toEqual([true, true]);
    let received = 0;
    for await (const chunk of (await connected).resume()) received += chunk.length;
    expect(received).toBe(sent);
  });

  it('end with their sandbox, as its listeners do', async () => {
    const before = await steadyDescriptors();
    const sandbox = await world.create();
    const run = await sandbox.exec([
      'bash',
      '-c',
      `exec 3<>/dev/tcp/127.0.0.1/${portOf(echo)}; echo up; cat <&3`,
    ]);
    expect((await run.stdout.getReader().read()).value).toBe('up\n');
    await vi.waitFor(() => expect(peers.size).toBe(1), PATIENTLY);
    await sandbox.terminate();
    await vi.waitFor(() => expect([peers.size, descriptors() <= before]).toEqual([0, true]), PATIENTLY);
  });
});

describe('a network policy', { timeout: 60_000 }, () => {
  const reached = async (sandbox: Sandbox) => (await get(sandbox, web)).code === 0;

  it('given at the creation decides whether forwards are there', async () => {
    expect(await reached(await made({ blockNetwork: true }))).toBe(false);
    expect(await reached(await made({ outboundCidrAllowlist: ['10.0.0.0/8'] }))).toBe(false);
    expect(await reached(await made({ outboundCidrAllowlist: ['127.0.0.1/32'] }))).toBe(true);
    expect(await reached(await made({ outboundDomainAllowlist: ['example.com', 'localhost'] }))).toBe(true);
    await expect(made({ outboundCidrAllowlist: ['nowhere'] })).rejects.toThrow(/"nowhere" is no CIDR/);
  });

  it('that changes cuts what it no longer allows, and lets in what it allows again', async () => {
    const sandbox = await made();
    const run = await sandbox.exec([
      'bash',
      '-c',
      `exec 3<>/dev/tcp/127.0.0.1/${portOf(echo)}; echo up; cat <&3`,
    ]);
    expect((await run.stdout.getReader().read()).value).toBe('up\n');
    await sandbox.updateNetworkPolicy({ outboundCidrAllowlist: [], outboundDomainAllowlist: [] });
    expect(await run.wait()).not.toBe(0);
    expect(await run.stderr.readText()).toMatch(/Connection reset by peer/);
    expect((await get(sandbox, web)).stderr).toMatch(REFUSED);
    await sandbox.updateNetworkPolicy({ outboundCidrAllowlist: [], outboundDomainAllowlist: ['localhost'] });
    expect(await reached(sandbox)).toBe(true);
  });

  it('keeps connections that it goes on allowing', async () => {
    const sandbox = await made();
    const run = await sandbox.exec([
      'bash',
      '-c',
      `exec 3<>/dev/tcp/127.0.0.1/${portOf(echo)}; echo up; head -1 >&3; head -1 <&3`,
    ]);
    const reader = run.stdout.getReader();
    expect((await reader.read()).value).toBe('up\n');
    await sandbox.updateNetworkPolicy({
      outboundCidrAllowlist: ['127.0.0.0/8'],
      outboundDomainAllowlist: [],
    });
    await run.stdin.writeText('still here\n');
    expect((await reader.read()).value).toBe('still here\n');
  });

  it('is refused whole when it is not understood, and stays as it was', async () => {
    const sandbox = await made();
    const change = sandbox.updateNetworkPolicy({
      outboundCidrAllowlist: ['127.0.0.1/99'],
      outboundDomainAllowlist: [],
    });
    await expect(change).rejects.toThrow(/is no CIDR/);
    expect(await reached(sandbox)).toBe(true);
  });

  it('says when a program of the sandbox holds the port of a forward', async () => {
    const sandbox = await made({ blockNetwork: true });
    const server = `import socket, time\ns = socket.create_server(('127.0.0.1', ${portOf(web)}))\nprint('up', flush=True)\ntime.sleep(600)`;
    const run = await sandbox.exec(['python3', '-c', server]);
    expect((await run.stdout.getReader().read()).value).toBe('up\n');
    const change = sandbox.updateNetworkPolicy({
      outboundCidrAllowlist: ['127.0.0.1/32'],
      outboundDomainAllowlist: [],
    });
    await expect(change).rejects.toThrow(/A program of the sandbox has taken/);
  });

  it('that the emulator cannot enforce is refused by name', async () => {
    await expect(made({ inboundCidrAllowlist: ['10.0.0.0/8'] })).rejects.toThrow(/no inbound allowlist/);
  });
});

async function listening<S extends Server>(server: S, path?: string): Promise<S> {
  await new Promise<void>((resolve) => {
    if (path === undefined) server.listen(0, '127.0.0.1', resolve);
    else server.listen(path, resolve);
  });
  return server;
}

function portOf(server: Server): number {
  return (server.address() as AddressInfo).port;
}

/** With those of the process that waits for the next sandbox. */
async function steadyDescriptors(): Promise<number> {
  await vi.waitFor(() => expect(waitingStarts()).toHaveLength(1), PATIENTLY);
  return descriptors();
}

function descriptors(): number {
  return readdirSync('/proc/self/fd').length;
}
