import { readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { get } from 'node:https';
import { connect as dialHost } from 'node:net';
import { join } from 'node:path';
import { connect as dialTls } from 'node:tls';
import type { Sandbox } from 'modal';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { PATIENTLY, startTestEmulator, type TestEmulator, waitingStarts } from './testing.ts';
import { createIdentity, tunnelIdentity } from './tunnel-certificate.ts';

const PORTS = { web: 8080, echo: 8081, http2: 8082, none: 8083 };
/** Answers HTTP, and says back what it hears once it has heard all of it. */
const SERVER = `
import http.server, socket, threading
class Hello(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200); self.end_headers(); self.wfile.write(b'from the sandbox')
def answer(peer):
    heard = b''
    while chunk := peer.recv(65536): heard += chunk
    peer.sendall(heard); peer.close()
def echo(port):
    server = socket.create_server(('127.0.0.1', port))
    while True: threading.Thread(target=answer, args=server.accept()[:1]).start()
for port in (${PORTS.echo}, ${PORTS.http2}): threading.Thread(target=echo, args=(port,)).start()
server = http.server.HTTPServer(('127.0.0.1', ${PORTS.web}), Hello)
print('up', flush=True)
server.serve_forever()`;

let world: TestEmulator;
let sandbox: Sandbox;
let ca: string;

beforeAll(async () => {
  world = await startTestEmulator();
  sandbox = await serving();
  ca = readFileSync(join(world.stateDir, 'tunnels.pem'), 'utf8');
}, 60_000);
afterAll(() => world.stop());

async function serving(): Promise<Sandbox> {
  const made = await world.create({
    encryptedPorts: [PORTS.web, PORTS.none],
    unencryptedPorts: [PORTS.echo],
    h2Ports: [PORTS.http2],
  });
  const run = await made.exec(['python3', '-c', SERVER]);
  expect((await run.stdout.getReader().read()).value).toBe('up\n');
  return made;
}

const tunnelTo = async (port: number, of = sandbox) => {
  const tunnel = (await of.tunnels())[port];
  if (tunnel === undefined) throw new RangeError(`No tunnel leads to ${port}`);
  return tunnel;
};

describe('a tunnel', { timeout: 60_000 }, () => {
  it('with TLS leads to a port of the sandbox, for who trusts the certificate', async () => {
    const { url } = await tunnelTo(PORTS.web);
    expect(await fetched(url, ca)).toBe('from the sandbox');
    await expect(fetched(url, createIdentity().cert)).rejects.toThrow(/self-signed certificate/);
  });

  it('without TLS carries what it is given both ways, and ends one way at a time', async () => {
    const [host, port] = (await tunnelTo(PORTS.echo)).tcpSocket;
    const socket = dialHost({ host, port, allowHalfOpen: true });
    const said = Buffer.alloc(8 * 1024 * 1024, 'x');
    socket.end(said);
    const heard: Buffer[] = [];
    for await (const chunk of socket) heard.push(chunk);
    expect(Buffer.concat(heard).equals(said)).toBe(true);
    await expect(async () => (await tunnelTo(PORTS.web)).tcpSocket).rejects.toThrow(/not configured/);
  });

  it('speaks HTTP/2 to who asks for it', async () => {
    const [host, port] = (await tunnelTo(PORTS.http2)).tlsSocket;
    const options = { host, port, ca, ALPNProtocols: ['h2'], allowHalfOpen: true };
    const socket = dialTls(options);
    socket.end('heard');
    let heard = '';
    for await (const chunk of socket) heard += String(chunk);
    expect([socket.alpnProtocol, heard]).toEqual(['h2', 'heard']);
  });

  it('breaks a connection where nothing listens', async () => {
    const [host, port] = (await tunnelTo(PORTS.none)).tlsSocket;
    const socket = dialTls({ host, port, ca });
    const closed = new Promise((resolve) => socket.once('error', resolve).once('close', resolve));
    await closed;
    expect(socket.destroyed).toBe(true);
  });

  it('is found again by who reattaches, and ends with its sandbox', async () => {
    // The process that waits for the next sandbox has its own.
    await vi.waitFor(() => expect(waitingStarts()).toHaveLength(1), PATIENTLY);
    const before = readdirSync('/proc/self/fd').length;
    const own = await serving();
    const again = await world.client.sandboxes.fromId(own.sandboxId);
    const tunnel = await tunnelTo(PORTS.echo, again);
    expect(tunnel).toEqual(await tunnelTo(PORTS.echo, own));
    const [host, port] = tunnel.tcpSocket;
    const socket = dialHost({ host, port, allowHalfOpen: true });
    await new Promise((resolve) => socket.once('connect', resolve));
    const ended = new Promise((resolve) => socket.once('error', resolve).once('close', resolve));
    await own.terminate();
    await ended;
    const late = dialHost({ host, port });
    expect(await new Promise((resolve) => late.once('error', resolve))).toMatchObject({
      code: 'ECONNREFUSED',
    });
    await vi.waitFor(
      () => expect(readdirSync('/proc/self/fd').length).toBeLessThanOrEqual(before),
      PATIENTLY,
    );
  });
});

describe('the certificate of tunnels', () => {
  it('stays the same for a state, and is made anew where it is lost or damaged', () => {
    const path = join(world.stateDir, 'tunnels.pem');
    const first = tunnelIdentity(world.stateDir);
    expect(tunnelIdentity(world.stateDir)).toEqual(first);
    writeFileSync(path, 'damaged');
    const second = tunnelIdentity(world.stateDir);
    expect(second.cert).not.toBe(first.cert);
    rmSync(path);
    expect(tunnelIdentity(world.stateDir).cert).not.toBe(second.cert);
  });
});

function fetched(url: string, authority: string): Promise<string> {
  return new Promise((resolve, reject) => {
    get(url, { ca: authority }, async (response) => {
      let text = '';
      for await (const chunk of response) text += String(chunk);
      resolve(text);
    }).once('error', reject);
  });
}
