// Private repositories in a sandbox of the emulator, whose only way out is the egress proxy, from a git host that wants a token.
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
import { gitServer } from '@capstan/sandbox/egress/testing/servers';
import { createModalSandboxes, type ModalSandboxes } from '@capstan/sandbox/modal';
import type { Sandboxes } from '@capstan/sandbox/port';
import { EMPTY_POOL, type PoolRecord } from '@capstan/sandbox/warm-pool';
import { createLogger } from '@capstan/shared/logger';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { SessionSandbox } from '../session-sandbox.ts';
import { MemoryFacts, sandboxDeps } from '../testing/memory-facts.ts';
import { callOf, NEVER, textOf } from '../tools/testing.ts';
import { createTools, type Tools } from '../tools/tools.ts';
import { type SessionPool, WarmPool } from '../warm-pool.ts';
import type { Mountable } from './session-files.ts';
import { MemoryFiles, MemoryRecord } from './testing.ts';
import { Workspace } from './workspace.ts';

const TOKEN = 'ghp_CanaryOfAPrivateRepository0123456789';
const NEXT_TOKEN = 'ghp_TheTokenThatReplacesTheCanary9876543';

let world: World;
let emulator: Emulator;
let backend: ModalSandboxes;
let sandboxes: Sandboxes;
let dir: string;
let url: string;
/** Which token opens the repository. */
let accepted: string;
let seen: (string | undefined)[];
let files: MemoryFiles;
let record: MemoryRecord;
let facts: MemoryFacts;
let sandbox: SessionSandbox;
let tools: Tools;
const lines: string[] = [];
const said: string[] = [];
let sessions = 0;

const basicOf = (token: string) => `Basic ${btoa(`x-access-token:${token}`)}`;

beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'capstan-private-'));
  const store = createPolicyStore(createMemoryRecords());
  const denied = createDeniedRequests();
  world = await openWorld({ store, onDenied: denied.note });
  const { repository, answer } = gitServer(dir);
  const listener: RequestListener = (request, response) => {
    seen.push(request.headers.authorization);
    if (request.headers.authorization === basicOf(accepted)) return answer(request, response);
    response.writeHead(401, { 'WWW-Authenticate': 'Basic realm="git"' }).end();
  };
  url = `https://git.test:${await world.serveTls('git.test', listener)}${repository}`;
  const tokens = { tokenId: 'ak-test', tokenSecret: 'as-test' };
  const forwards = [`127.0.0.1:${world.port}`];
  emulator = await startEmulator({ stateDir: join(dir, 'modal'), port: 0, ...tokens, forwards });
  process.env.MODAL_SERVER_URL = emulator.url;
  const { ModalClient } = await import('modal');
  const place = { cidrs: ['127.0.0.1/32'], domains: [] };
  const client = new ModalClient(tokens);
  backend = createModalSandboxes({ client, appName: 'private', image: 'debian:12', proxy: place });
  sandboxes = withEgress(backend, { egresses: world.egresses, store, denied });
});
afterAll(async () => {
  void backend.close();
  await emulator.stop();
  await world.close();
  await rm(dir, { recursive: true, force: true });
});

beforeEach(() => {
  [seen, accepted] = [[], TOKEN];
  files = new MemoryFiles();
  record = new MemoryRecord();
  facts = new MemoryFacts();
  sessions += 1;
  wake();
});

/** The session as a process that has just woken has it. */
function wake(through = sandboxes, pool: SessionPool | null = null): void {
  const logger = createLogger((line) => lines.push(line));
  const clock = { now: () => Date.now() };
  const deps = { sandboxes: () => through, logger, clock };
  const workspace = new Workspace({ ...deps, files, record });
  const holdsTokens = () => files.holdsTokens();
  const more = { sessionId: `sesn_private_${sessions}`, facts, workspace, holdsTokens, pool };
  sandbox = new SessionSandbox(sandboxDeps({ ...deps, ...more }));
  tools = createTools({ sandbox, sandboxes: deps.sandboxes, clock, workspace });
}

/** A pool in which one sandbox waits that nobody knows of yet; what it is, and the pool as the session asks it. */
async function warmed(): Promise<{ sandboxId: string; asked: SessionPool }> {
  let kept: PoolRecord = EMPTY_POOL;
  const save = (next: PoolRecord) => {
    kept = next;
  };
  const kind = { imageId: null, cpu: null, memoryMiB: null, gpu: null };
  const pool = new WarmPool({
    book: { load: () => kept, save },
    sandboxes: () => sandboxes,
    wish: async () => ({ wanted: 1, kind, trouble: null }),
    arm: () => {},
    newName: () => `warm-private-${sessions}`,
    clock: { now: () => Date.now() },
    logger: createLogger((line) => lines.push(line)),
  });
  await pool.keep();
  const asked: SessionPool = {
    claim: async (wanted) => pool.claim('sesn', wanted),
    settle: async (settled) => pool.settle('sesn', settled),
  };
  return { asked, sandboxId: kept.entries[0]?.sandboxId ?? '' };
}

async function bash(command: string): Promise<string> {
  const outcome = await tools.perform(callOf('bash', { command }), NEVER);
  said.push(JSON.stringify(outcome));
  return textOf(outcome);
}

const repository = (): Mountable => ({
  ...{ type: 'github_repository', id: 'sesrsc_1', url, hasToken: files.tokens.size > 0 },
  ...{ mountPath: '/workspace/name', checkout: null },
});

/** The session has the repository, with this token. */
function mount(token: string): void {
  files.tokens.set('sesrsc_1', token);
  files.change([repository()]);
}

/** Files of the sandbox, and surroundings of its processes, in which one of the texts is. The texts are in none of them. */
async function search(...texts: string[]): Promise<string> {
  const sandboxId = sandbox.last() ?? '';
  const stdin = new TextEncoder().encode(`${texts.join('\n')}\n`);
  const places = '/workspace /root /etc /tmp /var /mnt /home /proc/[0-9]*/environ /proc/[0-9]*/cmdline';
  const command = `grep -rlsF --devices=skip -f - ${places}; true`;
  const { stdout } = await sandboxes.exec({ sandboxId, command, cwd: '/', stdin });
  return new TextDecoder().decode(stdout);
}

/** A token as it is, and as it is in what is written in base64. */
const formsOf = (token: string) => [token, btoa(token).replace(/=+$/, ''), basicOf(token).slice(6)];

describe('a private repository', () => {
  it('is cloned, fetched and pushed to with a token that is nowhere in the sandbox', async () => {
    mount(TOKEN);
    expect(await bash('git -C name log --format=%s')).toBe('a commit\n');
    expect(seen.at(-1)).toBe(basicOf(TOKEN));
    const push = `cd name && git -c user.name=a -c user.email=a@b commit -q --allow-empty -m 'another one' &&
git push -q origin HEAD:refs/heads/pushed && git fetch -q && git ls-remote origin refs/heads/pushed | wc -l; cat .git/config`;
    const pushed = await bash(push);
    expect(pushed).toMatch(/^1$/m);
    expect(pushed).not.toMatch(/extraheader|capstan_ph_|authorization/i);
    expect(new Set(seen)).toEqual(new Set([basicOf(TOKEN)]));
    const { placeholders } = JSON.parse(record.load('mounts') ?? '');
    const placeholder = placeholders.sesrsc_1;
    expect(await search(btoa(`x-access-token:${placeholder}`))).toContain(
      '/etc/capstan/repositories.gitconfig',
    );
    expect(await search(...formsOf(TOKEN))).toBe('');
    const told = [...lines, ...world.lines.map((line) => JSON.stringify(line)), ...said];
    told.push(...record.texts.values(), JSON.stringify(facts.record));
    for (const form of formsOf(TOKEN)) expect(told.join('\n')).not.toContain(form);
  });

  it('is cloned with its token in a sandbox that waited for any session, and had none then', async () => {
    const { asked, sandboxId } = await warmed();
    wake(sandboxes, asked);
    mount(TOKEN);
    const worked = await bash('cd name && git log --format=%s && git fetch -q && cat .git/config');
    expect(worked).toMatch(/^a commit\n/);
    expect(worked).not.toMatch(/extraheader|capstan_ph_|authorization/i);
    expect(sandbox.last()).toBe(sandboxId);
    expect(new Set(seen)).toEqual(new Set([basicOf(TOKEN)]));
    expect(await search(...formsOf(TOKEN))).toBe('');
    for (const form of formsOf(TOKEN)) expect([...lines, ...said].join('\n')).not.toContain(form);
  });

  it('is opened by a token that replaces another, in the sandbox that runs', async () => {
    mount(TOKEN);
    await bash('true');
    accepted = NEXT_TOKEN;
    expect(await bash('GIT_TERMINAL_PROMPT=0 git -C name fetch 2>&1')).toContain('terminal prompts disabled');
    const before = sandbox.last();
    mount(NEXT_TOKEN);
    expect(await bash('git -C name fetch -q && echo fetched')).toBe('fetched\n');
    expect([sandbox.last(), seen.at(-1)]).toEqual([before, basicOf(NEXT_TOKEN)]);
    expect(await search(...formsOf(TOKEN), ...formsOf(NEXT_TOKEN))).toBe('');
  });

  it('keeps its placeholder for a process that wakes later', async () => {
    mount(TOKEN);
    await bash('true');
    const before = JSON.parse(record.load('mounts') ?? '').placeholders;
    wake();
    expect(await bash('git -C name fetch -q && echo fetched')).toBe('fetched\n');
    expect(JSON.parse(record.load('mounts') ?? '').placeholders).toEqual(before);
  });

  it('that its token does not open is named, and the tools work', async () => {
    mount(NEXT_TOKEN);
    expect(await bash('echo works')).toMatch(
      /its host asks for credentials\. Its authorization token was sent, and does not open it\.\n+works/,
    );
  });

  it('whose host the network does not reach, or that is not there, is named so', async () => {
    const at = (id: string, host: string) =>
      ({ ...repository(), id, url: `https://${host}/name`, mountPath: `/workspace/${id}` }) as const;
    files.change([at('hidden', '10.0.0.1'), at('absent', 'absent.invalid')]);
    const told = await bash('echo works');
    expect(told).toMatch(
      /10\.0\.0\.1\/name could not .*: the environment's network does not reach its host\./,
    );
    expect(told).toMatch(/absent\.invalid\/name could not .*: its host cannot be reached\./);
    expect(told).toContain('works');
  });

  it('gives its token to no sandbox that was made before it had one, and says so', async () => {
    files.mountables = [repository()];
    await bash('true');
    mount(TOKEN);
    expect(await bash('echo works')).toMatch(
      /token was not used: this sandbox was made before there was one, .*\n+works/,
    );
    expect(seen.filter((authorization) => authorization === basicOf(TOKEN))).toEqual([]);
  });

  it('is not cloned where there is no egress proxy, and the agent is told so', async () => {
    wake(backend);
    mount(TOKEN);
    const told = await bash('echo works');
    expect(told).toContain('this server has no egress proxy to give it through.');
    expect(told).toMatch(/works$/m);
  });
});
