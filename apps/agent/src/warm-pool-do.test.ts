// Warm pools in workerd, called as main and jobs call them: the RPC entrypoint, the Durable Object, its storage and its alarm.
// Their sandboxes are scripted, behind a gateway that answers in its own frames.
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { openD1 } from '@capstan/db/d1';
import { OPEN_CLOUD } from '@capstan/db/environments';
import { type Stores, stores } from '@capstan/db/stores';
import { ScriptedSandboxes } from '@capstan/harness/testing/scripted-sandboxes';
import { isSandboxError, SANDBOX_ERRORS } from '@capstan/sandbox/error';
import { decodeFrame, encodeFrame } from '@capstan/sandbox/frame';
import type { EnvironmentKey } from '@capstan/schema/environment-images';
import type { WarmPools } from '@capstan/schema/warm-pools';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { type AgentHarness, openAgentHarness } from './testing/agent-harness.ts';

const TENANT = 'tnt_default';
const soon = { timeout: 20_000, interval: 50 };
const USUAL = { imageId: null, cpu: null, memoryMiB: null, gpu: null };
const made: EnvironmentKey[] = [];

let world: ScriptedSandboxes;
let gateway: Server;
let harness: AgentHarness<WarmPools>;
let pools: WarmPools;
let own: Stores;

/** Answers with what the scripted sandboxes do. */
function startGateway(): Promise<Server> {
  const server = createServer(async (request, response) => {
    const parts: Buffer[] = [];
    for await (const part of request) parts.push(part);
    const args = decodeFrame(new Uint8Array(Buffer.concat(parts)));
    const operation = request.url?.replace('/v1/', '') ?? '';
    const given = operation === 'terminate' ? Reflect.get(Object(args), 'sandboxId') : args;
    try {
      const call: unknown = Reflect.get(world.port(), operation);
      const result: unknown =
        typeof call === 'function' ? await Reflect.apply(call, undefined, [given]) : null;
      response.end(encodeFrame(result ?? null));
    } catch (error) {
      const code = isSandboxError(error) ? error.code : 'internal';
      response.writeHead(SANDBOX_ERRORS[code]);
      response.end(JSON.stringify({ error: { code, message: String(error) } }));
    }
  });
  return new Promise((resolve) => server.listen(0, '127.0.0.1', () => resolve(server)));
}

beforeAll(async () => {
  gateway = await startGateway();
  const { port } = gateway.address() as AddressInfo;
  harness = await openAgentHarness({
    GATEWAY_URL: `http://127.0.0.1:${port}`,
    SANDBOX_CPU_USD_PER_HOUR: '0.1',
  });
  own = stores(openD1(harness.env.DB), TENANT);
  pools = harness.agent;
});

beforeEach(() => {
  world = new ScriptedSandboxes();
  world.now = Date.now();
});

/** Its pool asks nothing of the sandboxes of the next test. */
afterEach(async () => {
  for (const at of made.splice(0)) {
    await own.environments.delete(at.environmentId, Date.now()).catch(() => 0);
    await pools.ringPool(at);
    await expect.poll(() => pools.countPool(at), soon).toMatchObject({ ready: 0, starting: 0 });
  }
});

afterAll(async () => {
  await harness.close();
  gateway.close();
});

async function wanted(warmSandboxes: number): Promise<EnvironmentKey> {
  const rest = { name: 'Warm', description: null, metadata: {}, scope: 'organization' as const };
  const input = { ...rest, config: OPEN_CLOUD, warmSandboxes, now: Date.now() };
  const environment = { tenantId: TENANT, environmentId: (await own.environments.create(input)).id };
  made.push(environment);
  await pools.ringPool(environment);
  return environment;
}

const poolOf = (at: EnvironmentKey) => harness.env.POOLS.getByName(`${at.tenantId}/${at.environmentId}`);
const readyIn = async (at: EnvironmentKey) => (await pools.countPool(at)).ready;
describe('a warm pool in workerd', () => {
  it('makes what its environment wants, gives each session one, and makes others in their place', async () => {
    const at = await wanted(2);
    await expect.poll(() => readyIn(at), soon).toBe(2);
    const pool = poolOf(at);
    const claims = await Promise.all(['a', 'b', 'c'].map((session) => pool.claim(at, session, USUAL)));
    const given = claims.flatMap((claim) => (claim === null ? [] : [claim.sandboxId]));
    expect(new Set(given).size).toBe(given.length);
    expect(given.length).toBeGreaterThanOrEqual(2);
    await expect.poll(() => readyIn(at), soon).toBe(2);
    expect(world.live).toHaveLength(given.length + 2);
    await pool.settle(at, 'a', claims[0]?.sandboxId ?? null);
    await pool.settle(at, 'b', null);
    await expect.poll(() => world.live.map(({ id }) => id), soon).not.toContain(claims[1]?.sandboxId);
    expect(world.live.map(({ id }) => id)).toContain(claims[0]?.sandboxId);
  }, 60_000);

  it('gives a session that asks again the same one', async () => {
    const at = await wanted(1);
    await expect.poll(() => readyIn(at), soon).toBe(1);
    const first = await poolOf(at).claim(at, 'a', USUAL);
    expect(await poolOf(at).claim(at, 'a', USUAL)).toEqual(first);
    await expect.poll(() => readyIn(at), soon).toBe(1);
    const other = await poolOf(at).claim(at, 'b', USUAL);
    expect(other?.sandboxId).not.toBe(first?.sandboxId);
  }, 60_000);

  it.each(['archive', 'delete', 'empty'] as const)(
    'ends all that waits on %s, and is forgotten',
    async (how) => {
      const at = await wanted(2);
      await expect.poll(() => readyIn(at), soon).toBe(2);
      if (how === 'empty') await own.environments.update(at.environmentId, { warmSandboxes: 0 }, Date.now());
      else await own.environments[how](at.environmentId, Date.now());
      await pools.ringPool(at);
      await expect.poll(() => world.live, soon).toEqual([]);
      expect(await pools.countPool(at)).toEqual({ ready: 0, starting: 0, lastError: null });
    },
    60_000,
  );

  it('says why it fails, and tries again when it is rung', async () => {
    world.fails.set('create', 'quota_exceeded');
    const at = await wanted(1);
    const failing = { ready: 0, starting: 1, lastError: expect.stringContaining('create fails') };
    await expect.poll(() => pools.countPool(at), soon).toEqual(failing);
    world.fails.clear();
    await pools.ringPool(at);
    await expect.poll(() => pools.countPool(at), soon).toEqual({ ready: 1, starting: 0, lastError: null });
  }, 60_000);

  it('of another tenant’s environment of that name is another, and has nothing', async () => {
    const at = await wanted(1);
    await expect.poll(() => readyIn(at), soon).toBe(1);
    const other = { ...at, tenantId: 'tnt_other' };
    expect(await poolOf(other).claim(other, 'a', USUAL)).toBeNull();
    expect(await readyIn(at)).toBe(1);
  }, 60_000);

  it('is priced as the operator says', async () => {
    expect(await pools.priceOfPool(2, { cpu: null, memoryMiB: null })).toMatchObject({
      usd_per_sandbox_hour: '0.0155015',
      usd_per_hour: '0.031003',
      basis: { source: 'operator', as_of: null, usd_per_core_hour: '0.1' },
    });
  });
});
