// The network of the program as it ships: started by root and by an ordinary user, watched from outside, and killed.
import { readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { type AddressInfo, createServer, type Socket } from 'node:net';
import { dirname } from 'node:path';
import type { Sandbox } from 'modal';
import { afterAll, beforeAll, describe, expect, it, onTestFinished, vi } from 'vitest';
import { bash, connect, PATIENTLY, type Program, startProgram, temporaryState } from './testing.ts';
import { removeTrees } from './tree-removal.ts';

const MIB = 1024 * 1024;
const SERVER = `
import http.server
class Hello(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200); self.end_headers(); self.wfile.write(b'from the sandbox')
http.server.HTTPServer(('127.0.0.1', 8080), Hello).serve_forever()`;

const received = new Map<Socket, number>();
const host = createServer({ allowHalfOpen: true }, (peer) => {
  received.set(peer, 0);
  peer.on('data', (chunk) => received.set(peer, (received.get(peer) ?? 0) + chunk.length));
  peer.on('end', () => peer.end(`got ${received.get(peer)}`));
  peer.on('error', () => {});
  peer.once('close', () => received.delete(peer));
});
beforeAll(() => new Promise<void>((resolve) => host.listen(0, '127.0.0.1', resolve)));
afterAll(() => void host.close());

const owners = process.getuid?.() === 0 ? [undefined, 65_532] : [undefined];
describe.each(owners)('the network of an emulator run by user %s', { timeout: 120_000 }, (owner) => {
  it('has its forwards, its connect tokens and its policies', async () => {
    const { create, program } = await started(owner);
    const sandbox = await create();
    expect((await send(sandbox, 1)).stdout).toBe(`got ${MIB}`);
    expect(await serve(sandbox)).toBe('from the sandbox');
    await sandbox.updateNetworkPolicy({ outboundCidrAllowlist: [], outboundDomainAllowlist: [] });
    expect((await send(sandbox, 1)).code).not.toBe(0);
    await sandbox.updateNetworkPolicy({
      outboundCidrAllowlist: ['127.0.0.1/32'],
      outboundDomainAllowlist: [],
    });
    expect((await send(sandbox, 1)).stdout).toBe(`got ${MIB}`);
    await stop(program);
  });

  it('carries 256 MiB in flat memory', async () => {
    const { create, program } = await started(owner);
    const sandbox = await create();
    await send(sandbox, 64);
    const before = residentBytes(program);
    expect((await send(sandbox, 256)).stdout).toBe(`got ${256 * MIB}`);
    // Four times as much has passed as before: what is held does not depend on it.
    expect(residentBytes(program) - before).toBeLessThan(64 * MIB);
    await stop(program);
  });

  it('leaves nothing when the emulator is killed', async () => {
    const { create, program } = await started(owner);
    const sandbox = await create();
    expect(await serve(sandbox)).toBe('from the sandbox');
    const open = await sandbox.exec(['bash', '-c', `exec 3<>/dev/tcp/127.0.0.1/${port()}; echo up; cat <&3`]);
    expect((await open.stdout.getReader().read()).value).toBe('up\n');
    await vi.waitFor(() => expect(received.size).toBe(1), PATIENTLY);
    const network = await bash(sandbox, 'readlink /proc/self/ns/net');
    const name = network.stdout.trim();
    expect(holders(name).length).toBeGreaterThan(0);
    program.child.kill('SIGKILL');
    await program.exited;
    await vi.waitFor(() => expect([received.size, holders(name)]).toEqual([0, []]), PATIENTLY);
  });
});

const port = () => (host.address() as AddressInfo).port;

/** A program that a failing test does not leave behind. */
async function started(owner: number | undefined) {
  const { stateDir } = temporaryState(owner);
  const before = ['env', `CAPSTAN_EMULATOR_FORWARDS=127.0.0.1:${port()}`];
  const program = await startProgram(stateDir, owner, before);
  const connection = await connect(program.url);
  onTestFinished(async () => {
    connection.close();
    program.child.kill('SIGKILL');
    await program.exited;
    // A killed emulator leaves directories that not even their owner may enter.
    await removeTrees(dirname(stateDir));
  });
  return { ...connection, program };
}

async function stop(program: Program): Promise<void> {
  program.child.kill('SIGTERM');
  await program.exited;
}

/** Sends so many MiB to the host, and says what it answers. */
function send(sandbox: Sandbox, mebibytes: number) {
  const program = `
import socket
s = socket.create_connection(('127.0.0.1', ${port()}))
for _ in range(${mebibytes * 16}): s.sendall(bytes(65536))
s.shutdown(socket.SHUT_WR)
print(s.recv(100).decode(), end='')`;
  return bash(sandbox, `python3 -c "${program}"`);
}

/** What a server in the sandbox answers from outside. */
async function serve(sandbox: Sandbox): Promise<string> {
  await sandbox.exec(['python3', '-c', SERVER], { stdout: 'ignore', stderr: 'ignore' });
  const { url, token } = await sandbox.createConnectToken();
  return vi.waitFor(async () => {
    const response = await fetch(url, { headers: { authorization: `Bearer ${token}` } });
    expect(response.status).toBe(200);
    return response.text();
  }, PATIENTLY);
}

function residentBytes({ child }: Program): number {
  const status = readFileSync(`/proc/${child.pid}/status`, 'utf8');
  return Number(/^VmHWM:\s+(\d+) kB$/m.exec(status)?.[1]) * 1024;
}

/** The processes in a network namespace. */
function holders(network: string): string[] {
  return readdirSync('/proc').filter((pid) => {
    try {
      return /^\d+$/.test(pid) && readlinkSync(`/proc/${pid}/ns/net`) === network;
    } catch {
      return false;
    }
  });
}
