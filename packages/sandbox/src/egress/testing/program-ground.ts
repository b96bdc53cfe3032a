// Where programs of this machine run as a sandbox's would: their variables lead through a proxy to three servers on loopback.
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import type { RequestListener } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { SandboxCredential } from '../../port.ts';
import type { SandboxEgresses } from '../attachment.ts';
import { credentialFor, openWorld, type World } from '../testing.ts';

export interface ProgramGround {
  world: World;
  /** Theirs to write in; what a sandbox has in /etc/capstan/egress goes to `ca` in it. */
  dir: string;
  credential: SandboxCredential;
  /** With the credential, without one, and in the clear. */
  hosts: { own: string; other: string; plain: string };
  needs: ReturnType<SandboxEgresses['needs']>;
  env: Record<string, string>;
  close(): Promise<void>;
}

export async function openProgramGround(answer: (dir: string) => RequestListener): Promise<ProgramGround> {
  const dir = mkdtempSync(join(tmpdir(), 'capstan-programs-'));
  const world = await openWorld();
  const listener = answer(dir);
  const own = await world.serveTls('own.test', listener);
  const other = await world.serveTls('other.test', listener);
  const plain = await world.serve(listener);
  const hosts = { own: `own.test:${own}`, other: `other.test:${other}`, plain: `plain.test:${plain}` };
  const credential = credentialFor([hosts.own]);
  const policy = {
    network: { type: 'limited', allowedHosts: Object.values(hosts) },
    credentials: [credential],
  } as const;
  const needs = world.egresses.needs('sbx-1', policy, true);
  await world.egresses.change('sbx-1', policy);
  mkdirSync(join(dir, 'ca'));
  const here = Object.entries(needs.env).map(([name, value]) => [
    name,
    value.replaceAll('/etc/capstan/egress', join(dir, 'ca')),
  ]);
  const env = { HOME: dir, TOKEN: credential.placeholder, ...Object.fromEntries(here) };
  const close = async () => {
    await world.close();
    rmSync(dir, { recursive: true, force: true });
  };
  return { world, dir, credential, hosts, needs, env, close };
}
