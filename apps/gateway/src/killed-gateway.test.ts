import { once } from 'node:events';
import { connect, createServer } from 'node:net';
import { isSandboxError } from '@capstan/sandbox/error';
import { createGatewaySandboxes } from '@capstan/sandbox/gateway-client';
import { type Sandboxes, WORKSPACE } from '@capstan/sandbox/port';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { end, type Gateway, openWorld, SECRET, type World } from './testing.ts';

/** More than a gateway says to Modal in any of these calls. */
const STEPS = 6;

let world: World;
let successor: Sandboxes;
beforeAll(async () => {
  world = await openWorld();
  successor = open(await world.start());
});
afterAll(() => world.close());

const open = ({ url }: Gateway) => createGatewaySandboxes({ url, secret: SECRET });

/** A way to Modal's control plane that tells each piece a gateway sends, once it is watched. */
async function openWay(told: () => void) {
  const { port, hostname } = new URL(world.emulator.url);
  const server = createServer((near) => {
    const far = connect(Number(port), hostname);
    near.on('data', () => told());
    for (const socket of [near, far]) socket.on('error', () => socket.destroy());
    near.pipe(far).pipe(near);
  });
  await once(server.listen(0, '127.0.0.1'), 'listening');
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('The way has no port');
  return { url: `http://127.0.0.1:${address.port}`, close: () => server.close() };
}

/** Kills a gateway when it has said `step` pieces to Modal in this call; false when it was through before. */
async function killedAt(step: number, call: (sandboxes: Sandboxes) => Promise<unknown>): Promise<boolean> {
  let said = Number.NEGATIVE_INFINITY;
  let gateway: Gateway | undefined;
  const way = await openWay(() => {
    said += 1;
    if (said === step) gateway?.child.kill('SIGKILL');
  });
  gateway = await world.start({ MODAL_SERVER_URL: way.url });
  const sandboxes = open(gateway);
  await sandboxes.health();
  said = 0;
  const cut = await call(sandboxes).then(
    () => false,
    (error: unknown) => {
      if (isSandboxError(error, 'unavailable')) return true;
      throw error;
    },
  );
  await end(gateway.child, 'SIGKILL');
  way.close();
  return cut;
}

describe('a gateway that is killed at any step of a call', { timeout: 120_000 }, () => {
  it('has made one sandbox of a name or none', async () => {
    let cuts = 0;
    for (let step = 1; step <= STEPS; step++) {
      const before = (await successor.list()).length;
      const request = { name: `created-${step}` };
      if (await killedAt(step, (sandboxes) => sandboxes.create(request))) cuts += 1;
      const ref = await successor.create(request);
      expect((await successor.list()).length).toBe(before + 1);
      const { stdout } = await successor.exec({ sandboxId: ref.sandboxId, command: 'echo works' });
      expect(Buffer.from(stdout).toString()).toBe('works\n');
    }
    expect(cuts).toBeGreaterThan(0);
  });

  it('has built an image that its successor finds or builds', async () => {
    let cuts = 0;
    for (let step = 1; step <= STEPS; step++) {
      const recipe = { lines: [`RUN echo ${step} > /opt/step`] };
      if (await killedAt(step, (sandboxes) => sandboxes.buildImage(recipe))) cuts += 1;
      const built = await successor.buildImage(recipe);
      expect(await successor.buildImage(recipe)).toEqual(built);
    }
    expect(cuts).toBeGreaterThan(0);
  });

  it('has taken a snapshot that its successor knows, or takes', async () => {
    const { sandboxId, expiresAt } = await successor.create({ name: 'snapped' });
    let cuts = 0;
    for (let step = 1; step <= STEPS; step++) {
      const request = { sandboxId, snapshotId: `snapshot-${step}` };
      if (await killedAt(step, (sandboxes) => sandboxes.snapshot(request))) cuts += 1;
      const taken = await successor.snapshot(request);
      expect(await successor.snapshot(request)).toEqual(taken);
      await successor.deleteImage(taken.imageId);
    }
    expect(cuts).toBeGreaterThan(0);
    expect(await open(await world.start()).status(sandboxId)).toEqual({ state: 'running', expiresAt });
  });

  it('has written a file whole or not at all', async () => {
    const { sandboxId } = await successor.create({ name: 'written' });
    const path = `${WORKSPACE}/file`;
    const old = new Uint8Array(8_000_000).fill(1);
    await successor.writeFile({ sandboxId, path, content: old });
    const gateway = await world.start();
    const content = new Uint8Array(8_000_000).fill(2);
    let settled = false;
    const written = open(gateway)
      .writeFile({ sandboxId, path, content })
      .catch(() => {})
      .finally(() => {
        settled = true;
      });
    const begun = async () =>
      (await successor.listFiles({ sandboxId, path: WORKSPACE })).entries.some(
        ({ path: at, sizeBytes }) => at.includes('.capstan-') && sizeBytes > 0,
      );
    while (!settled && !(await begun()));
    await end(gateway.child, 'SIGKILL');
    await written;
    const { bytes, sizeBytes } = await successor.readFile({ sandboxId, path, maxBytes: 8_000_000 });
    expect(sizeBytes).toBe(8_000_000);
    expect(new Set(bytes).size).toBe(1);
    await successor.writeFile({ sandboxId, path, content });
    expect((await successor.readFile({ sandboxId, path, maxBytes: 1 })).bytes[0]).toBe(2);
  });
});
