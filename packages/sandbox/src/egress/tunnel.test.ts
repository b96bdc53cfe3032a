import { once } from 'node:events';
import { connect, createServer, type Socket } from 'node:net';
import { describe, expect, it, onTestFinished } from 'vitest';
import type { NetworkPolicy } from '../port.ts';
import { EgressRefusal } from './denial.ts';
import { compilePolicy } from './policy.ts';
import { portOf, RawClient } from './testing.ts';
import { tunnel } from './tunnel.ts';

/** The two ends of a connection. */
async function ends(): Promise<[Socket, Socket]> {
  const server = createServer({ allowHalfOpen: true }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const near = connect({ port: portOf(server), host: '127.0.0.1', allowHalfOpen: true });
  const [far] = await once(server, 'connection');
  onTestFinished(() => {
    server.close();
    near.destroy();
    far.destroy();
  });
  return [near, far];
}

async function world(network: NetworkPolicy, port: number) {
  const [client, clientEnd] = await ends();
  const [hostEnd, host] = await ends();
  const target = { host: { kind: 'name', text: 'api.test' }, port } as const;
  const ended = tunnel(clientEnd, hostEnd, { target, policy: compilePolicy({ network, credentials: [] }) });
  const outcome = ended.then(
    () => 'ended',
    (error: unknown) => (error instanceof EgressRefusal ? error.reason : error),
  );
  return { client: new RawClient(client), host: new RawClient(host), outcome };
}

const limited: NetworkPolicy = { type: 'limited', allowedHosts: ['api.test'] };

describe('tunnel', () => {
  it.each([
    'GET / HTTP/1.1\r\nHost: evil.test\r\n\r\n',
    'SSH-2.0-x\r\n',
    '\x15\x03\x01\x00\x02\x01\x00',
    '\x80\x2e\x01',
  ])('passes nothing but TLS to port 443 of a limited network: %j', async (bytes) => {
    const { client, host, outcome } = await world(limited, 443);
    client.write(bytes);
    expect(await outcome).toBe('not_tls');
    expect(await host.whole()).toBe('');
    await client.whole();
  });

  it.each([
    [{ type: 'unrestricted' } as const, 443],
    [limited, 80],
  ])('passes other protocols where they are expected: %j, port %i', async (network, port) => {
    const { client, host, outcome } = await world(network, port);
    client.write('SSH-2.0-x\r\n');
    await host.until(/SSH-2\.0-x/);
    client.socket.end();
    await host.whole();
    host.socket.end('bye');
    expect(await client.whole()).toBe('bye');
    expect(await outcome).toBe('ended');
  });

  it('passes on what a client said before it ended, however little', async () => {
    const { client, host, outcome } = await world(limited, 443);
    client.write('\x16\x03').socket.end();
    expect(await host.whole()).toBe('\x16\x03');
    host.socket.end();
    expect(await outcome).toBe('ended');
  });

  it('ends both when one breaks', async () => {
    const { client, host, outcome } = await world(limited, 80);
    client.write('a');
    await host.until(/a/);
    host.socket.resetAndDestroy();
    await client.whole();
    expect(await outcome).toBe('ended');
  });
});
