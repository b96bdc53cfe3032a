// How the sandbox of a session is asked for when it is to be given credentials, or not.

import type { SandboxKind } from '@capstan/sandbox/warm-pool';
import { silentLogger } from '@capstan/shared/logger';
import { describe, expect, it } from 'vitest';
import { buildAhead } from './environment-image.ts';
import { type BootDeps, SandboxBoot } from './sandbox-boot.ts';
import { sandboxDeps } from './testing/memory-facts.ts';
import { ScriptedSandboxes } from './testing/scripted-sandboxes.ts';
import type { SessionPool } from './warm-pool.ts';

async function requestsOf(holdsTokens: BootDeps['holdsTokens'], world = new ScriptedSandboxes()) {
  const port = world.port();
  const boot = new SandboxBoot(sandboxDeps({ sandboxes: () => port, logger: silentLogger, holdsTokens }));
  await boot.make(null, false);
  return world.requests.map(({ credentials }) => credentials);
}

describe('the sandbox of a session', () => {
  it('is made ready for credentials when a repository has a token, and only then', async () => {
    expect(await requestsOf(async () => true)).toEqual([[]]);
    expect(await requestsOf(async () => false)).toEqual([undefined]);
  });

  it('is made ready when nobody can tell', async () => {
    expect(await requestsOf(() => Promise.reject(new TypeError('no database')))).toEqual([[]]);
  });

  it('is made without credentials where there is no egress proxy', async () => {
    const world = new ScriptedSandboxes();
    world.proxied = false;
    expect(await requestsOf(async () => true, world)).toEqual([[], undefined]);
    expect(world.live).toHaveLength(1);
  });

  it('is not made when something else is wrong with the backend', async () => {
    const world = new ScriptedSandboxes();
    world.fails.set('create', 'quota_exceeded');
    await expect(requestsOf(async () => true, world)).rejects.toMatchObject({ code: 'quota_exceeded' });
    expect(world.asked).toEqual(['create']);
  });
});

describe('a sandbox of the warm pool', () => {
  const network = { type: 'limited' as const, allowedHosts: ['api.example'] };

  /** A pool that has that one sandbox, if it is not null. */
  async function pooled(world: ScriptedSandboxes, over: Partial<SessionPool> = {}) {
    const port = world.port();
    const { sandboxId, expiresAt } = await port.create({ name: 'warm-1' });
    const settled: (string | null)[] = [];
    const asked: SandboxKind[] = [];
    const pool: SessionPool = {
      claim: async (kind) => {
        asked.push(kind);
        return { sandboxId, expiresAt };
      },
      settle: async (kept) => {
        settled.push(kept);
      },
      ...over,
    };
    const deps = sandboxDeps({ sandboxes: () => port, logger: silentLogger, network, pool });
    return { boot: new SandboxBoot(deps), settled, asked, sandboxId, expiresAt };
  }

  it('is the session’s with its network, and is told as such', async () => {
    const world = new ScriptedSandboxes();
    const { boot, asked, settled, sandboxId, expiresAt } = await pooled(world);
    const made = await boot.make(null, false);
    expect(made).toMatchObject({ sandboxId, expiresAt, from: null, boot: { sandbox: 'warm' } });
    expect(made.boot.phases.map(({ name }) => name)).toEqual(['image', 'claim']);
    expect([world.networks.get(sandboxId), asked]).toEqual([
      network,
      [{ imageId: null, cpu: null, memoryMiB: null, gpu: null }],
    ]);
    expect(world.live).toHaveLength(1);
    boot.settle(sandboxId);
    expect(settled).toEqual([sandboxId]);
  });

  it('is not waited for where there is none, nor where the pool does not answer', async () => {
    const nothing = { claim: async () => null };
    const broken = { claim: () => Promise.reject(new TypeError('away')) };
    const slow = { claim: () => new Promise<null>(() => {}) };
    for (const over of [nothing, broken, slow]) {
      const world = new ScriptedSandboxes();
      const { boot } = await pooled(world, over);
      const made = await boot.make(null, false);
      expect(made.boot.sandbox).toBe('created');
      expect(made.boot.phases.map(({ name }) => name)).toEqual(['image', 'claim', 'create']);
      expect(world.last.name).toBe('session-sesn_test');
    }
  });

  it.each(['gone', 'unavailable', 'invalid', 'internal'] as const)(
    'is given up when its network is refused as %s',
    async (code) => {
      const world = new ScriptedSandboxes();
      const { boot, settled } = await pooled(world);
      world.fails.set('setNetwork', code);
      expect((await boot.make(null, false)).boot.sandbox).toBe('created');
      expect(settled).toEqual([null]);
    },
  );

  it('is not asked for beside one that a dead process has made', async () => {
    const world = new ScriptedSandboxes();
    const { boot, asked } = await pooled(world);
    const { sandboxId } = await world.port().create({ name: 'session-sesn_test' });
    expect(await boot.make(null, true)).toMatchObject({ sandboxId, boot: { sandbox: 'created' } });
    expect(asked).toEqual([]);
    expect((await boot.make(null, false)).boot.sandbox).toBe('warm');
  });

  it('ends with what else a session leaves, or the leaving is tried again', async () => {
    const world = new ScriptedSandboxes();
    const { boot, settled } = await pooled(world);
    await boot.unmake();
    expect(settled).toEqual([null]);
    const away = await pooled(new ScriptedSandboxes(), {
      settle: () => Promise.reject(new TypeError('away')),
    });
    await expect(away.boot.unmake()).rejects.toThrow('away');
  });
});

describe('the image of a sandbox', () => {
  const environment = {
    type: 'cloud' as const,
    networking: { type: 'unrestricted' as const },
    packages: { type: 'packages' as const, apt: [], cargo: [], gem: [], go: [], npm: [], pip: ['pandas'] },
  };

  async function linesOf(imageStamp: BootDeps['imageStamp']): Promise<readonly string[]> {
    const world = new ScriptedSandboxes();
    const port = world.port();
    const boot = new SandboxBoot(
      sandboxDeps({ sandboxes: () => port, logger: silentLogger, environment, imageStamp }),
    );
    await boot.make(null, false);
    return world.recipes.flatMap(({ lines }) => lines);
  }

  it('is the build that the environment keeps', async () => {
    const lines = await linesOf(async () => '2026-11-21T18:00:00.000Z');
    expect(lines[0]).toBe('ENV CAPSTAN_IMAGE_STAMP=2026-11-21T18:00:00.000Z');
    expect(lines.at(-1)).toContain('pandas');
  });

  it('is built without one where nobody keeps it, and where that cannot be known', async () => {
    const plain = await linesOf(async () => null);
    expect(plain.join()).not.toContain('STAMP');
    expect(await linesOf(() => Promise.reject(new TypeError('no database')))).toEqual(plain);
  });

  it('is made on the environment’s own, with its lines after the packages', async () => {
    const world = new ScriptedSandboxes();
    const port = world.port();
    const machine = { image: 'debian:13', dockerfile: ['ENV A=b'], cpu: 2, memory_mib: 512, gpu: null };
    const own = { ...environment, machine };
    const deps = {
      sandboxes: () => port,
      logger: silentLogger,
      environment: own,
      imageStamp: async () => 'S',
    };
    await new SandboxBoot(sandboxDeps(deps)).make(null, false);
    expect(world.recipes).toMatchObject([{ base: 'debian:13' }]);
    expect(world.recipes[0]?.lines.at(0)).toBe('ENV CAPSTAN_IMAGE_STAMP=S');
    expect(world.recipes[0]?.lines.at(-1)).toBe('ENV A=b');
    expect(world.requests).toMatchObject([{ cpu: 2, memoryMiB: 512 }]);
    expect(world.requests[0]).not.toHaveProperty('gpu');
  });

  it('that fails to build ahead says why, and one that nobody can build now is no answer', async () => {
    const world = new ScriptedSandboxes();
    const ahead = () =>
      buildAhead(world.port(), { ...environment, image: null, dockerfile: [] }, '2026-11-21T18:00:00.000Z');
    expect(await ahead()).toEqual({ built: true, imageId: 'im-built' });
    world.fails.set('buildImage', 'image_failed');
    expect(await ahead()).toEqual({ built: false, error: 'buildImage fails' });
    world.fails.set('buildImage', 'misconfigured');
    await expect(ahead()).rejects.toMatchObject({ code: 'misconfigured' });
  });
});
