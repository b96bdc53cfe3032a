// How the sandbox of a session is asked for when it is to be given credentials, or not.
import { silentLogger } from '@capstan/shared/logger';
import { describe, expect, it } from 'vitest';
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
