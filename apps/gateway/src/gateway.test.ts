import { get } from 'node:http';
import { connect as connectSocket } from 'node:net';
import { Readable } from 'node:stream';
import { isSandboxError } from '@capstan/sandbox/error';
import { encodeFrame } from '@capstan/sandbox/frame';
import { createGatewaySandboxes } from '@capstan/sandbox/gateway-client';
import type { Sandboxes } from '@capstan/sandbox/port';
import { describeSandboxes } from '@capstan/sandbox/sandboxes.contract';
import { createSigner } from '@capstan/shared/hmac';
import { afterAll, beforeAll, describe, expect, it, onTestFinished, vi } from 'vitest';
import { end, events, type Gateway, openWorld, SECRET, spawnGateway, type World } from './testing.ts';

const PATIENTLY = { timeout: 20_000 };
const PREVIOUS = 'previous-secret-previous-secret-prev';

describeSandboxes('the gateway', async () => {
  const world = await openWorld();
  const { url } = await world.start();
  const sandboxes = createGatewaySandboxes({ url, secret: SECRET });
  return { sandboxes, outside: world.outside, close: world.close };
});

describe('the gateway', { timeout: 60_000 }, () => {
  let world: World;
  beforeAll(async () => {
    world = await openWorld();
  });
  afterAll(() => world.close());

  const connect = (gateway: Gateway, secret = SECRET): Sandboxes =>
    createGatewaySandboxes({ url: gateway.url, secret });
  const text = (bytes: Uint8Array) => new TextDecoder().decode(bytes);

  it('loses and doubles nothing when it is killed while a command runs', async () => {
    const first = await world.start();
    const { sandboxId } = await connect(first).create({ name: 'killed-gateway' });
    const command =
      'echo once >> /workspace/count; for i in 1 2 3; do echo line $i; done; until [[ -e go ]]; do read -t 0.02 <> <(:); done; for i in 4 5; do echo line $i; done; exit 4';
    const run = { sandboxId, runId: 'run-1', command, timeoutMs: 60_000 };
    const seen = await connect(first).startRun({ ...run, waitMs: 400 });
    expect(seen.outcome).toEqual({ state: 'running' });
    const waiting = connect(first).startRun({ ...run, waitMs: 30_000 });
    const cut = expect(waiting).rejects.toSatisfy((error) => isSandboxError(error, 'unavailable'));
    await end(first.child, 'SIGKILL');
    await cut;

    const second = connect(await world.start());
    await second.writeFile({ sandboxId, path: '/workspace/go', content: new Uint8Array() });
    const rest = await second.readRun({ sandboxId, runId: 'run-1', offset: seen.nextOffset, waitMs: 10_000 });
    expect(text(seen.bytes) + text(rest.bytes)).toBe('line 1\nline 2\nline 3\nline 4\nline 5\n');
    expect(rest).toMatchObject({ outcome: { state: 'exited', exitCode: 4 }, eof: true });
    const again = await second.startRun({ ...run, waitMs: 10_000 });
    expect(text(again.bytes)).toBe('line 1\nline 2\nline 3\nline 4\nline 5\n');
    const count = await second.readFile({ sandboxId, path: '/workspace/count' });
    expect(text(count.bytes)).toBe('once\n');
  });

  it('answers a caller that left without starting its command twice', async () => {
    const sandboxes = connect(await world.start());
    const { sandboxId } = await sandboxes.create({ name: 'left-caller' });
    const run = {
      sandboxId,
      runId: 'r',
      command: 'echo once >> n; until [[ -e go ]]; do read -t 0.02 <> <(:); done; cat n',
      timeoutMs: 60_000,
      waitMs: 20_000,
    };
    const leaving = new AbortController();
    const left = sandboxes.startRun(run, leaving.signal);
    await sandboxes.health();
    leaving.abort();
    await expect(left).rejects.toThrow(/abort/i);
    await sandboxes.writeFile({ sandboxId, path: '/workspace/go', content: new Uint8Array() });
    expect(text((await sandboxes.startRun(run)).bytes)).toBe('once\n');
  });

  it('refuses requests that are unsigned, forged, or seen before', async () => {
    const gateway = await world.start();
    const body = encodeFrame({});
    const post = (headers: Record<string, string>) =>
      fetch(`${gateway.url}/v1/list`, { method: 'POST', headers, body });
    expect((await post({})).status).toBe(401);
    const headers = await createSigner(SECRET).sign({ method: 'POST', path: '/v1/list', body });
    expect((await post(headers)).status).toBe(200);
    const replay = await post(headers);
    expect(replay.status).toBe(401);
    expect(await replay.json()).toEqual({
      error: { code: 'unauthenticated', message: 'The signature is refused: replayed' },
    });
    const stranger = connect(gateway, 'x'.repeat(40)).list();
    await expect(stranger).rejects.toSatisfy((error) => isSandboxError(error, 'unauthenticated'));
  });

  it('refuses what the gateway before it accepted', async () => {
    const body = encodeFrame({});
    const signed = async (gateway: Gateway, headers: Record<string, string>) =>
      fetch(`${gateway.url}/v1/list`, { method: 'POST', headers, body });
    const first = await world.start();
    const headers = await createSigner(SECRET).sign({ method: 'POST', path: '/v1/list', body });
    expect((await signed(first, headers)).status).toBe(200);
    await end(first.child, 'SIGKILL');
    const replay = await signed(await world.start(), headers);
    expect(replay.status).toBe(503);
    expect(await replay.json()).toMatchObject({
      error: { message: expect.stringMatching(/signed before this gateway began/) },
    });
  });

  it('refuses an unsigned body without reading it', async () => {
    const { port, hostname } = new URL((await world.start()).url);
    const socket = connectSocket(Number(port), hostname);
    socket.write(`POST /v1/exec HTTP/1.1\r\nhost: x\r\ncontent-length: 8000000\r\n\r\nbeginning`);
    const answer = await new Response(Readable.toWeb(socket)).text();
    expect(answer).toMatch(/^HTTP\/1.1 401 .*refused: unsigned/s);
  });

  it('accepts the previous secret while it is rotated', async () => {
    const gateway = await world.start({ CAPSTAN_GATEWAY_SECRET_PREVIOUS: PREVIOUS });
    expect(await connect(gateway, PREVIOUS).list()).toBeInstanceOf(Array);
    expect(await connect(gateway).list()).toBeInstanceOf(Array);
  });

  it('refuses what it does not serve, and a body over its limit', async () => {
    const gateway = await world.start();
    expect((await fetch(`${gateway.url}/v1/list`)).status).toBe(400);
    expect((await fetch(`${gateway.url}/v1/nothing`, { method: 'POST' })).status).toBe(400);
    const content = new Uint8Array(17 * 1024 * 1024);
    const write = connect(gateway).writeFile({ sandboxId: 'sb-1', path: '/x', content });
    await expect(write).rejects.toSatisfy(
      (error) => isSandboxError(error, 'too_large') || isSandboxError(error, 'unavailable'),
    );
    const garbage = new TextEncoder().encode('no frame');
    const headers = await createSigner(SECRET).sign({ method: 'POST', path: '/v1/exec', body: garbage });
    expect((await fetch(`${gateway.url}/v1/exec`, { method: 'POST', headers, body: garbage })).status).toBe(
      400,
    );
  });

  it('tells health by asking Modal', async () => {
    const gateway = await world.start();
    expect(await (await fetch(`${gateway.url}/health`)).json()).toMatchObject({ status: 'ok' });
    const refused = await world.start({ MODAL_TOKEN_SECRET: 'wrong' });
    const response = await fetch(`${refused.url}/health`);
    expect(response.status).toBe(502);
    expect(await response.json()).toMatchObject({ error: { code: 'misconfigured' } });
    await expect(connect(refused).health()).rejects.toThrow(/MODAL_TOKEN_ID/);
  });

  it('stops when it is asked to: waits are answered at once, commands get their time', async () => {
    const gateway = await world.start();
    const sandboxes = connect(gateway);
    const { sandboxId } = await sandboxes.create({ name: 'stopped-gateway' });
    const command = 'touch begun; while [[ ! -e go ]]; do read -t 0.02 <> <(:); done; echo done';
    const run = { sandboxId, runId: 'long', command: 'touch waited; sleep 60', timeoutMs: 60_000 };
    const executed = sandboxes.exec({ sandboxId, command });
    const waiting = sandboxes.startRun({ ...run, waitMs: 60_000 });
    const told = expect(waiting).rejects.toThrow(/stopping: ask again/);
    const second = connect(await world.start());
    await vi.waitFor(() => second.stat({ sandboxId, path: '/workspace/begun' }), PATIENTLY);
    await vi.waitFor(() => second.stat({ sandboxId, path: '/workspace/waited' }), PATIENTLY);
    const ended = end(gateway.child, 'SIGTERM');
    await told;
    await second.writeFile({ sandboxId, path: '/workspace/go', content: new Uint8Array() });
    expect(text((await executed).stdout)).toBe('done\n');
    expect(await ended).toBe(0);
    expect(await second.readRun({ sandboxId, runId: 'long', offset: 0 })).toMatchObject({
      outcome: { state: 'running' },
    });
  });

  it('cuts what does not end when its time is over', async () => {
    const gateway = await world.start({ CAPSTAN_GATEWAY_DRAIN_MS: '100' });
    const sandboxes = connect(gateway);
    const { sandboxId } = await sandboxes.create({ name: 'cut-gateway' });
    const executed = sandboxes.exec({ sandboxId, command: 'touch begun; sleep 30' });
    const cut = expect(executed).rejects.toThrow(/stopping/);
    await vi.waitFor(() => sandboxes.stat({ sandboxId, path: '/workspace/begun' }), PATIENTLY);
    expect(await end(gateway.child, 'SIGTERM')).toBe(0);
    await cut;
  });

  it('starts the egress proxy it is told to, and ends it', async () => {
    const child = spawnGateway({ MODAL_SERVER_URL: world.emulator.url, CAPSTAN_EGRESS_PORT: '0' });
    onTestFinished(async () => void (await end(child, 'SIGKILL')));
    let url = '';
    for await (const { event, egress_url } of events(child)) {
      if (event === 'gateway.listening') url = String(egress_url);
      if (url !== '') break;
    }
    // A fetch would take 407 for an error of the network.
    const ask = () =>
      new Promise((resolve, reject) => {
        get(url, ({ statusCode }) => resolve(statusCode)).once('error', reject);
      });
    expect(await ask()).toBe(407);
    await end(child, 'SIGTERM');
    await expect(ask()).rejects.toThrow('ECONNREFUSED');
  });

  it('does not start without a secret, and says what mends it', async () => {
    for (const secret of ['', 'short']) {
      const child = spawnGateway({ CAPSTAN_GATEWAY_SECRET: secret });
      const seen: Record<string, unknown>[] = [];
      for await (const event of events(child)) seen.push(event);
      expect(seen).toHaveLength(1);
      expect(seen[0]?.event).toBe('gateway.failed');
      expect(seen[0]?.problem).toMatch(/CAPSTAN_GATEWAY_SECRET.*openssl rand -hex 32/);
      expect(await end(child, 'SIGKILL')).toBe(1);
    }
  });
});
