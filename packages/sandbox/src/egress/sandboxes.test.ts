// Sandboxes of the emulator, whose only way out is the proxy.
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Emulator, startEmulator } from '@capstan/modal-emulator/emulator';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createModalSandboxes, type ModalSandboxes } from '../modal.ts';
import type { NetworkPolicy, SandboxCredential, Sandboxes } from '../port.ts';
import { JAVA_RELAY } from './attachment.ts';
import { createDeniedRequests } from './denied-requests.ts';
import { createPolicyStore } from './policy-store.ts';
import { withEgress } from './sandboxes.ts';
import { createMemoryRecords } from './sealed-records.ts';
import { credentialFor, openWorld, type World } from './testing.ts';

let world: World;
let emulator: Emulator;
let backend: ModalSandboxes;
let sandboxes: Sandboxes;
let stateDir: string;
let port: number;
let credential: SandboxCredential;
const seen: (string | undefined)[] = [];
const store = createPolicyStore(createMemoryRecords());
const denied = createDeniedRequests();

beforeAll(async () => {
  world = await openWorld({ store, onDenied: denied.note });
  port = await world.serveTls('api.test', (request, response) => {
    seen.push(request.headers.authorization);
    response.end(`for ${request.headers.authorization}`);
  });
  credential = credentialFor([`api.test:${port}`]);
  stateDir = await mkdtemp(join(tmpdir(), 'capstan-egress-'));
  const proxy = `127.0.0.1:${world.port}`;
  emulator = await startEmulator({
    stateDir,
    port: 0,
    tokenId: 'ak-test',
    tokenSecret: 'as-test',
    forwards: [proxy],
  });
  process.env.MODAL_SERVER_URL = emulator.url;
  const { ModalClient } = await import('modal');
  const logger = { debug() {}, info() {}, warn() {}, error() {} };
  const client = new ModalClient({ tokenId: 'ak-test', tokenSecret: 'as-test', logger });
  const place = { cidrs: ['127.0.0.1/32'], domains: [] };
  const files = [JAVA_RELAY];
  backend = createModalSandboxes({ client, appName: 'egress', image: 'debian:12', proxy: place, files });
  sandboxes = withEgress(backend, { egresses: world.egresses, store, denied });
});
afterAll(async () => {
  void backend.close();
  await emulator.stop();
  await world.close();
  await rm(stateDir, { recursive: true, force: true });
});

async function open(name: string, request: { network?: NetworkPolicy; credentials?: SandboxCredential[] }) {
  const { sandboxId } = await sandboxes.create({ name, ...request });
  return {
    sandboxId,
    run: async (command: string) => {
      const { stdout, stderr } = await sandboxes.exec({ sandboxId, command });
      return Buffer.concat([stdout, stderr]).toString();
    },
  };
}

describe('a sandbox', () => {
  it('uses a credential it never holds, its rotation, and nothing once it is taken away', async () => {
    const { sandboxId, run } = await open('using', { credentials: [credential] });
    const curl = `curl -sS -H 'Authorization: Bearer ${credential.placeholder}' https://api.test:${port}/`;
    expect(await run(curl)).toBe(`for Bearer ${'*'.repeat(credential.secret.length)}`);
    await sandboxes.setCredentials({ sandboxId, credentials: [{ ...credential, secret: 'rotated-secret' }] });
    await run(curl);
    expect(seen).toEqual([`Bearer ${credential.secret}`, 'Bearer rotated-secret']);
    const searched = await run(`env; cat /etc/capstan/egress/*; tr '\\0' '\\n' < /proc/1/environ`);
    expect(searched).not.toContain(credential.secret);
    expect(searched).not.toContain('rotated-secret');
    await sandboxes.setCredentials({ sandboxId, credentials: [] });
    expect(await run(curl)).toContain('certificate');
    expect(seen).toHaveLength(2);
  });

  it('goes where its network allows, as that changes, and nowhere around the proxy', async () => {
    const allowed: NetworkPolicy = { type: 'limited', allowedHosts: [`api.test:${port}`] };
    const { sandboxId, run } = await open('moving', { network: { type: 'blocked' } });
    const curl = `curl -skS -o /dev/null -w '%{http_code}' https://api.test:${port}/`;
    expect(await run(curl)).toMatch(/^000/);
    await sandboxes.setNetwork({ sandboxId, network: allowed });
    expect(await run(curl)).toBe('200');
    expect(await run(`curl -sS --noproxy '*' http://127.0.0.1:${port}/`)).toContain('Failed to connect');
    await sandboxes.setNetwork({ sandboxId, network: { type: 'limited', allowedHosts: ['other.test'] } });
    expect(await run(curl)).toContain('403');
    const denials = await sandboxes.denials({ sandboxId });
    expect(denials).toMatchObject([{ target: `api.test:${port}`, reason: 'host_not_allowed' }]);
    expect(await sandboxes.denials({ sandboxId, after: denials[0]?.number })).toEqual([]);
    await sandboxes.setNetwork({ sandboxId, network: { type: 'blocked' } });
    expect(await run(curl)).toMatch(/^000/);
  });

  it('has what Java loads, whole, and readable to every user in it', async () => {
    const { sandboxId, run } = await open('java', {});
    const { path, content } = JAVA_RELAY;
    const { bytes } = await sandboxes.readFile({ sandboxId, path });
    expect(Buffer.from(bytes).equals(content)).toBe(true);
    expect(await run('echo $JAVA_TOOL_OPTIONS')).toContain(`-javaagent:${path}=`);
    expect(await run(`stat -c %a ${path} /etc/capstan/egress /etc/capstan`)).toBe('644\n755\n755\n');
    if (!(await run('command -v javac'))) return;
    const program = `public class P { public static void main(String[] a) throws Exception {
      var to = (java.net.HttpURLConnection) java.net.URI.create("http://" + a[0]).toURL().openConnection();
      System.out.println(to.getResponseCode()); } }`;
    await sandboxes.writeFile({ sandboxId, path: '/tmp/P.java', content: Buffer.from(program) });
    expect(await run('java /tmp/P.java 169.254.169.254/ 2>/dev/null')).toBe('403\n');
  });

  it('is told with a run whether anything was refused', async () => {
    const { sandboxId } = await open('told', { network: { type: 'limited', allowedHosts: ['other.test'] } });
    const run = (runId: string, command: string) =>
      sandboxes.startRun({ sandboxId, runId, command, timeoutMs: 20_000, waitMs: 20_000 });
    expect((await run('quiet', 'true')).denied).toBe(0);
    const first = await run('refused', `curl -sk https://api.test:${port}/`);
    const [{ number = 0 } = {}] = await sandboxes.denials({ sandboxId });
    expect(first.denied).toBe(number);
    expect((await sandboxes.readRun({ sandboxId, runId: 'refused', offset: 0 })).denied).toBe(number);
    expect((await backend.readRun({ sandboxId, runId: 'refused', offset: 0 })).denied).toBeUndefined();
  });

  it('is as it is when it is created again, and leaves nothing to the next of its name', async () => {
    const first = await open('again', { network: { type: 'limited', allowedHosts: [`api.test:${port}`] } });
    const curl = `curl -sk -o /dev/null -w '%{http_code}' https://api.test:${port}/`;
    const second = await open('again', { network: { type: 'blocked' } });
    expect(second.sandboxId).toBe(first.sandboxId);
    expect(await second.run(curl)).toBe('200');
    await sandboxes.terminate(first.sandboxId);
    expect(await store.get('again')).toBeNull();
    await expect(
      sandboxes.setNetwork({ sandboxId: first.sandboxId, network: { type: 'unrestricted' } }),
    ).rejects.toMatchObject({ code: 'unavailable' });
    const third = await open('again', { network: { type: 'limited', allowedHosts: ['other.test'] } });
    expect(await third.run(curl)).toContain('000');
  });

  it('is refused rules that say nothing, before it is there', async () => {
    const network: NetworkPolicy = { type: 'limited', allowedHosts: ['*.com'] };
    await expect(sandboxes.create({ name: 'senseless', network })).rejects.toMatchObject({
      code: 'invalid',
      message: /at least two labels/,
    });
    expect(await sandboxes.findByName('senseless')).toBeNull();
  });

  it('gets no credentials from a backend without the proxy', async () => {
    await expect(backend.create({ name: 'bare', credentials: [credential] })).rejects.toMatchObject({
      code: 'misconfigured',
    });
  });
});
