import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createIdentities, IMAGE_BUILDS } from '@capstan/sandbox/egress/identity';
import { createPolicyStore } from '@capstan/sandbox/egress/policy-store';
import { openSealedRecords } from '@capstan/sandbox/egress/sealed-records';
import { silentLogger } from '@capstan/shared/logger';
import { describe, expect, it, onTestFinished } from 'vitest';
import { type Egress, startEgress } from './egress.ts';

const SECRET = 'a-secret-of-the-gateway-for-its-tests';

async function start(stateDir: string | null, secrets = [SECRET], builds = false): Promise<Egress> {
  const settings = { host: '127.0.0.1', port: 0, publicUrl: null, stateDir, builds };
  const egress = await startEgress({ settings, secrets, log: silentLogger });
  onTestFinished(() => egress.close());
  return egress;
}

/** The first line of the answer to CONNECT, as the sandbox whose token a secret makes. */
function asked({ url }: Egress, target: string, { secret = SECRET, as = 'sbx' } = {}): Promise<string> {
  const token = createIdentities([secret]).tokenFor(as);
  return new Promise((resolve, reject) => {
    const socket = connect(Number(new URL(url).port), '127.0.0.1');
    let text = '';
    socket.setEncoding('utf8').on('data', (chunk) => (text += chunk));
    socket.on('end', () => resolve(text.split('\r\n')[0] ?? '')).on('error', reject);
    socket.end(`CONNECT ${target} HTTP/1.1\r\nProxy-Authorization: Basic ${btoa(`${as}:${token}`)}\r\n\r\n`);
  });
}

describe('the egress proxy of the gateway', () => {
  it.each([
    '127.0.0.1:443',
    '[::1]:443',
    '169.254.169.254:80',
    '10.0.0.1:8080',
    '[::ffff:7f00:1]:8080',
    '0x7f000001:443',
  ])('has no way to %s, whatever the rules', async (target) => {
    const dir = await mkdtemp(join(tmpdir(), 'capstan-egress-'));
    onTestFinished(() => rm(dir, { recursive: true }));
    const store = createPolicyStore(await openSealedRecords(dir, [SECRET]));
    await store.set('sbx', { network: { type: 'unrestricted' }, credentials: [] });
    expect(await asked(await start(dir), target)).toBe('HTTP/1.1 403 Egress denied (address_not_public)');
  });

  it('lets builds of images out to public addresses when it is told to, and then only', async () => {
    const as = IMAGE_BUILDS;
    expect(await asked(await start(null), '10.0.0.1:443', { as })).toContain('(policy_unknown)');
    const told = await start(null, [SECRET], true);
    expect(await asked(told, '10.0.0.1:443', { as })).toContain('403 Egress denied (address_not_public)');
  });

  it('knows the rules that another process said, sealed, and under a secret that is being rotated', async () => {
    const dir = await mkdtemp(join(tmpdir(), 'capstan-egress-'));
    onTestFinished(() => rm(dir, { recursive: true }));
    const store = createPolicyStore(await openSealedRecords(dir, [SECRET]));
    await store.set('sbx', {
      network: { type: 'limited', allowedHosts: ['named.example'] },
      credentials: [],
    });
    const rotating = await start(dir, [`${SECRET}-next`, SECRET]);
    expect(await asked(rotating, 'other.example:443')).toBe('HTTP/1.1 403 Egress denied (host_not_allowed)');
    expect(await asked(rotating, 'other.example:443', { secret: 'x'.repeat(40) })).toContain(' 407 ');
    const [file = ''] = await readdir(dir);
    expect((await readFile(join(dir, file))).toString('latin1')).not.toContain('named');
    const rotated = await start(dir, [`${SECRET}-next`]);
    expect(await asked(rotated, 'other.example:443')).toContain(' 407 ');
    expect(await asked(rotated, 'other.example:443', { secret: `${SECRET}-next` })).toContain(
      '(policy_unknown)',
    );
  });

  it('knows nothing of what was said to a process before it when it keeps no state', async () => {
    expect(await asked(await start(null), 'named.example:443')).toContain('(policy_unknown)');
  });
});
