// How the sandbox of a session is asked for when it is to be given credentials, or not.
import { silentLogger } from '@capstan/shared/logger';
import { describe, expect, it } from 'vitest';
import { buildAhead } from './environment-image.ts';
import { type BootDeps, SandboxBoot } from './sandbox-boot.ts';
import { sandboxDeps } from './testing/memory-facts.ts';
import { ScriptedSandboxes } from './testing/scripted-sandboxes.ts';

async function requestsOf(holdsTokens: BootDeps['holdsTokens'], world = new ScriptedSandboxes()) {
  const port = world.port();
  const boot = new SandboxBoot(sandboxDeps({ sandboxes: () => port, logger: silentLogger, holdsTokens }));
  await boot.make(null);
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
    await boot.make(null);
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
    await new SandboxBoot(sandboxDeps(deps)).make(null);
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
    expect(await ahead()).toEqual({ built: true });
    world.fails.set('buildImage', 'image_failed');
    expect(await ahead()).toEqual({ built: false, error: 'buildImage fails' });
    world.fails.set('buildImage', 'misconfigured');
    await expect(ahead()).rejects.toMatchObject({ code: 'misconfigured' });
  });
});
