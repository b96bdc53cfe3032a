// Variables of vaults in a sandbox of the emulator, whose only way out is the egress proxy, and a host that says what it was sent.
import { mkdtemp, rm } from 'node:fs/promises';
import type { RequestListener } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Emulator, startEmulator } from '@capstan/modal-emulator/emulator';
import { createDeniedRequests } from '@capstan/sandbox/egress/denied-requests';
import { createPolicyStore } from '@capstan/sandbox/egress/policy-store';
import { withEgress } from '@capstan/sandbox/egress/sandboxes';
import { createMemoryRecords } from '@capstan/sandbox/egress/sealed-records';
import { openWorld, type World } from '@capstan/sandbox/egress/testing';
import { createModalSandboxes, type ModalSandboxes } from '@capstan/sandbox/modal';
import type { Sandboxes } from '@capstan/sandbox/port';
import { createLogger } from '@capstan/shared/logger';
import { secretForms } from '@capstan/shared/secret-mask';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { SessionSandbox } from '../session-sandbox.ts';
import { MemoryFacts, sandboxDeps } from '../testing/memory-facts.ts';
import { callOf, NEVER, textOf } from '../tools/testing.ts';
import { createTools, type Tools } from '../tools/tools.ts';
import { MemoryFiles, MemoryRecord } from '../workspace/testing.ts';
import { Workspace } from '../workspace/workspace.ts';
import type { VaultVariable } from './sandbox-variables.ts';

const VALUE = 'sk_CanaryOfAVariableOfAVault0123456789';
const NEXT_VALUE = 'sk_TheValueThatReplacesTheCanary9876543';

let world: World;
let emulator: Emulator;
let backend: ModalSandboxes;
let sandboxes: Sandboxes;
let dir: string;
let host: string;
let seen: { key: string | undefined; body: string }[];
let files: MemoryFiles;
let record: MemoryRecord;
let facts: MemoryFacts;
let sandbox: SessionSandbox;
let tools: Tools;
/** What the vaults have; null: they cannot be asked. */
let kept: VaultVariable[] | null;
const lines: string[] = [];
const said: string[] = [];
let sessions = 0;

beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'capstan-variables-'));
  const store = createPolicyStore(createMemoryRecords());
  const denied = createDeniedRequests();
  world = await openWorld({ store, onDenied: denied.note });
  const listener: RequestListener = async (request, response) => {
    let body = '';
    for await (const chunk of request) body += chunk;
    seen.push({ key: request.headers['x-api-key']?.toString(), body });
    response.end(`you sent ${request.headers['x-api-key']} and ${body}\n`);
  };
  host = `api.test:${await world.serveTls('api.test', listener)}`;
  const tokens = { tokenId: 'ak-test', tokenSecret: 'as-test' };
  const forwards = [`127.0.0.1:${world.port}`];
  emulator = await startEmulator({ stateDir: join(dir, 'modal'), port: 0, ...tokens, forwards });
  process.env.MODAL_SERVER_URL = emulator.url;
  const { ModalClient } = await import('modal');
  const place = { cidrs: ['127.0.0.1/32'], domains: [] };
  const client = new ModalClient(tokens);
  backend = createModalSandboxes({ client, appName: 'variables', image: 'debian:12', proxy: place });
  sandboxes = withEgress(backend, { egresses: world.egresses, store, denied });
});
afterAll(async () => {
  void backend.close();
  await emulator.stop();
  await world.close();
  await rm(dir, { recursive: true, force: true });
});

beforeEach(() => {
  [seen, kept] = [[], [variable('API_KEY', VALUE)]];
  files = new MemoryFiles();
  record = new MemoryRecord();
  facts = new MemoryFacts();
  sessions += 1;
  wake();
});

function variable(name: string, value: string, over: Partial<VaultVariable> = {}): VaultVariable {
  const locations = { header: true, query: false, body: false };
  return { id: `vcrd_${name}`, version: 1, name, hosts: [host], locations, open: async () => value, ...over };
}

/** The session as a process that has just woken has it. */
function wake(through = sandboxes): void {
  const logger = createLogger((line) => lines.push(line));
  const clock = { now: () => Date.now() };
  const deps = { sandboxes: () => through, logger, clock };
  const variables = {
    load: async () => {
      if (kept === null) throw new TypeError('the database is away');
      return kept;
    },
  };
  const workspace = new Workspace({ ...deps, files, record, variables });
  const more = { sessionId: `sesn_variables_${sessions}`, facts, workspace, holdsTokens: async () => true };
  sandbox = new SessionSandbox(sandboxDeps({ ...deps, ...more }));
  tools = createTools({ sandbox, sandboxes: deps.sandboxes, clock, workspace });
}

async function bash(command: string): Promise<string> {
  const outcome = await tools.perform(callOf('bash', { command }), NEVER);
  said.push(JSON.stringify(outcome));
  return textOf(outcome);
}

const call = (extra = '') => `curl -sS ${extra} -H "x-api-key: $API_KEY" https://${host}/`;

/** Files of the sandbox, and surroundings of its processes, in which one of the texts is. The texts are in none of them. */
async function search(...texts: string[]): Promise<string> {
  const sandboxId = sandbox.last() ?? '';
  const stdin = new TextEncoder().encode(`${texts.join('\n')}\n`);
  const places = '/workspace /root /etc /tmp /var /mnt /home /proc/[0-9]*/environ /proc/[0-9]*/cmdline';
  const command = `grep -rlsF --devices=skip -f - ${places}; true`;
  const { stdout } = await sandboxes.exec({ sandboxId, command, cwd: '/', stdin });
  return new TextDecoder().decode(stdout);
}

describe('a variable of a vault', () => {
  it('is a placeholder in every command, and its value at its own host alone', async () => {
    expect(await bash('echo "$API_KEY"; bash -c \'env | grep -c ^API_KEY=\'')).toMatch(
      /^capstan_ph_[a-z0-9]{32}\n1\n$/,
    );
    expect(await bash(call())).toBe(`you sent ${'*'.repeat(VALUE.length)} and \n`);
    expect(seen).toEqual([{ key: VALUE, body: '' }]);
    await bash('(sleep 300 &) ; true');
    expect(await search(...secretForms(VALUE))).toBe('');
    const told = [...lines, ...world.lines.map((line) => JSON.stringify(line)), ...said];
    told.push(...record.texts.values(), JSON.stringify(facts.record));
    for (const form of secretForms(VALUE)) expect(told.join('\n')).not.toContain(form);
  });

  it('is put where its credential says, and nowhere else', async () => {
    const locations = { header: false, query: false, body: true };
    kept = [variable('API_KEY', VALUE, { locations })];
    await bash(call('-d "key=$API_KEY"'));
    // At its host only the credential says who asks: a header that it may not be in is taken out.
    expect(seen).toEqual([{ key: undefined, body: `key=${VALUE}` }]);
  });

  it('that is rotated has its new value in the sandbox that runs, under the same placeholder', async () => {
    const before = await bash('echo "$API_KEY"');
    const there = sandbox.last();
    kept = [variable('API_KEY', NEXT_VALUE, { version: 2 })];
    expect(await bash(`echo "$API_KEY"; ${call()} >/dev/null`)).toBe(before);
    expect(seen.at(-1)?.key).toBe(NEXT_VALUE);
    expect(sandbox.last()).toBe(there);
  });

  it('that is rotated reaches what runs in the background, once the session is told', async () => {
    await bash(`(while true; do ${call()} >/dev/null; sleep 0.1; done) & true`);
    await expect.poll(() => seen.at(-1)?.key).toBe(VALUE);
    kept = [variable('API_KEY', NEXT_VALUE, { version: 2 })];
    sandbox.refresh();
    await expect.poll(() => seen.at(-1)?.key).toBe(NEXT_VALUE);
    kept = [variable('OTHER', VALUE)];
    sandbox.refresh();
    await expect.poll(() => seen.at(-1)?.key).toBeUndefined();
    await sandbox.release();
  });

  it('that is archived is in no command any more, and its placeholder is worth nothing', async () => {
    const placeholder = (await bash('echo "$API_KEY"')).trim();
    kept = [variable('OTHER', NEXT_VALUE)];
    expect(await bash('echo "[$API_KEY]"; echo "$OTHER"')).toMatch(/^\[\]\ncapstan_ph_/);
    await bash(`curl -sS -H 'x-api-key: ${placeholder}' https://${host}/`);
    expect(seen.at(-1)?.key).not.toBe(VALUE);
  });

  it('has its placeholder also when the session wakes in another process', async () => {
    const before = await bash('echo "$API_KEY"');
    wake();
    expect(await bash('echo "$API_KEY"')).toBe(before);
    await bash(call());
    expect(seen.at(-1)?.key).toBe(VALUE);
  });

  it('is given beside the token of a repository, and either changes without the other', async () => {
    await bash('true');
    files.tokens.set('sesrsc_1', 'ghp_canary');
    files.change([
      {
        type: 'github_repository',
        id: 'sesrsc_1',
        url: `https://${host}/a/b`,
        hasToken: true,
        mountPath: '/workspace/b',
        checkout: null,
      },
    ]);
    await bash(call());
    expect(seen.at(-1)?.key).toBe(VALUE);
    expect(Object.keys(JSON.parse(record.load('mounts') ?? '').placeholders)).toEqual([
      'sesrsc_1',
      'vcrd_API_KEY',
    ]);
  });

  it('stays as it is while the vaults cannot be asked', async () => {
    const before = await bash('echo "$API_KEY"');
    kept = null;
    expect(await bash('echo "$API_KEY"')).toBe(before);
  });

  it('that cannot be opened is told of once, by its name, and the tools work', async () => {
    const broken = { open: () => Promise.reject(new TypeError('no root secret')) };
    kept = [variable('API_KEY', '', broken), variable('OTHER', VALUE)];
    expect(await bash('echo "[$API_KEY]"; echo "$OTHER"')).toMatch(
      /^Note: The variable API_KEY of the session's vaults is not set: .*\n+\[\]\ncapstan_ph/,
    );
    expect(await bash('echo works')).toBe('works\n');
    wake();
    expect(await bash('echo works')).toBe('works\n');
  });

  it('is not set where there is no egress proxy, and the agent is told so', async () => {
    wake(backend);
    expect(await bash('echo "[$API_KEY]"')).toMatch(
      /API_KEY .* is not set: this server has no egress proxy.*\n+\[\]\n$/,
    );
  });
});
