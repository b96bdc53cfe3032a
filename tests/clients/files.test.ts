// Files into a session and out of it, through the official SDK, on the whole platform with its sandboxes: what a user
// uploads the agent reads, what the agent leaves the user downloads, also when the sandbox is gone.
import { spawnSync } from 'node:child_process';
import { readdirSync } from 'node:fs';
import { request } from 'node:http';
import { join } from 'node:path';
import { type Anthropic, toFile } from '@anthropic-ai/sdk';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Ground } from '../support/conversation.ts';
import { kill } from '../support/processes.ts';
import { TestPlatform } from '../support/test-platform.ts';

let platform: TestPlatform;
let client: Anthropic;
let ground: Ground;

beforeAll(async () => {
  platform = await TestPlatform.open();
  client = platform.connect();
  const tools = [{ type: 'agent_toolset_20260401' as const }];
  const agent = await client.beta.agents.create({ name: 'Clerk', model: 'claude-sonnet-4-6', tools });
  const environment = await client.beta.environments.create({ name: 'Anywhere' });
  ground = { agent: agent.id, environment_id: environment.id };
}, 240_000);

afterAll(() => platform.close());

const betas: Anthropic.Beta.AnthropicBeta[] = ['managed-agents-2026-04-01'];
const bash = (command: string) => `[[tool bash ${JSON.stringify({ command })}]]`;
const say = (session: string, text: string) =>
  client.beta.sessions.events.send(session, {
    events: [{ type: 'user.message', content: [{ type: 'text', text }] }],
  });

async function results(session: string): Promise<string[]> {
  const found: string[] = [];
  for await (const event of client.beta.sessions.events.list(session)) {
    if (event.type !== 'agent.tool_result') continue;
    found.push((event.content ?? []).map((block) => (block.type === 'text' ? block.text : '')).join('\n'));
  }
  return found;
}

const TOKEN = 'ghp_CanaryOfAPrivateRepository';

/** Files in which the text is: of the databases, the logs, the sandboxes and the egress proxy. */
function holding(text: string, place: string): string[] {
  const args = ['-rlsaF', '--devices=skip', '-e', text, place];
  return spawnSync('grep', args, { encoding: 'utf8' })
    .stdout.split('\n')
    .filter((path) => path !== '');
}

const upload = async (name: string, text: string) =>
  client.beta.files.upload({ file: await toFile(Buffer.from(text), name) });

describe('files of a session', () => {
  it('go in as resources and come out as outputs that outlive the sandbox', async () => {
    const first = await upload('in.csv', 'a,b\n1,2\n');
    const session = await client.beta.sessions.create({
      ...ground,
      resources: [{ type: 'file', file_id: first.id, mount_path: '/workspace/data/in.csv' }],
    });
    await say(
      session.id,
      bash(
        'cat data/in.csv; mkdir -p /mnt/session/outputs/made; sort -r data/in.csv >/mnt/session/outputs/made/out.csv',
      ),
    );
    await expect.poll(() => results(session.id), { timeout: 60_000 }).toEqual(['a,b\n1,2\n']);

    const outputs = async () => (await client.beta.files.list({ scope_id: session.id, betas })).data;
    await expect.poll(outputs).toHaveLength(1);
    const [output] = await outputs();
    expect(output).toMatchObject({
      filename: 'made/out.csv',
      mime_type: 'text/csv',
      size_bytes: 8,
      downloadable: true,
      scope: { type: 'session', id: session.id },
    });

    const second = await upload('more.txt', 'more');
    const added = await client.beta.sessions.resources.add(session.id, { type: 'file', file_id: second.id });
    await say(session.id, bash(`cat ${added.mount_path}; ls /workspace/data`));
    await expect.poll(() => results(session.id), { timeout: 60_000 }).toHaveLength(2);
    expect((await results(session.id))[1]).toBe('morein.csv\n');

    await expect
      .poll(async () => (await client.beta.sessions.retrieve(session.id)).status, { timeout: 60_000 })
      .toBe('idle');
    await client.beta.sessions.archive(session.id);
    const downloaded = await client.beta.files.download(output?.id ?? '');
    expect(await downloaded.text()).toBe('a,b\n1,2\n');
    await client.beta.sessions.delete(session.id);
    await expect(client.beta.files.retrieveMetadata(output?.id ?? '')).rejects.toMatchObject({ status: 404 });
    expect(await client.beta.files.retrieveMetadata(first.id)).toMatchObject({ id: first.id });
  });

  it('that cannot be mounted are told to the agent, and the session works', async () => {
    const session = await client.beta.sessions.create({
      ...ground,
      resources: [
        {
          type: 'github_repository',
          url: 'https://nowhere.invalid/owner/name',
          authorization_token: TOKEN,
        },
      ],
    });
    await say(
      session.id,
      bash('echo works; env; ps aux; ls -A /workspace; cat /etc/capstan/repositories.gitconfig'),
    );
    await expect.poll(() => results(session.id), { timeout: 120_000 }).toHaveLength(1);
    const [said] = await results(session.id);
    expect(said).toMatch(
      /^Note: The repository https:\/\/nowhere\.invalid\/owner\/name could not be mounted/,
    );
    expect(said).toContain('works');
    // The proxy has its token, and the sandbox the placeholder.
    expect(said).not.toContain('was not used');
    expect(said).toMatch(
      /nowhere\.invalid\/owner\/name"\]\s+extraHeader =\s+extraHeader = Authorization: Basic /,
    );
    expect(said).not.toContain(TOKEN);
    const stored = await client.beta.sessions.events.list(session.id, { limit: 100 });
    expect(JSON.stringify(stored.data)).not.toContain(TOKEN);
    expect(holding('nowhere.invalid/owner/name', platform.dir)).not.toEqual([]);
    expect(holding(TOKEN, platform.dir)).toEqual([]);
    expect(holding(btoa(`x-access-token:${TOKEN}`), platform.dir)).toEqual([]);
  });
});

describe('the files of a sandbox', () => {
  const ask = (session: string, what: string, init: RequestInit = {}) =>
    fetch(`${platform.url}/v1/sessions/${session}/sandbox/files${what}`, {
      ...init,
      headers: { 'x-api-key': platform.apiKey },
    });
  const write = (session: string, path: string, body: BodyInit) =>
    ask(session, `/content?path=${encodeURIComponent(path)}`, { method: 'POST', body });

  it('are written, which makes it, then listed, read and downloaded as an archive', async () => {
    const { id } = await client.beta.sessions.create(ground);
    expect((await ask(id, '?path=/workspace')).status).toBe(409);
    const bytes = new Uint8Array(9 * 1024 * 1024 + 3).fill(7);
    const small = await write(id, '/workspace/dir/a b.txt', 'text');
    expect(await small.json()).toEqual({ path: '/workspace/dir/a b.txt', size_bytes: 4 });
    const large = await write(id, '/workspace/large', bytes);
    expect(await large.json()).toMatchObject({ size_bytes: bytes.length });
    await write(id, '/workspace/empty', '');
    const listed = await (await ask(id, '?path=/workspace')).json();
    const of = ({ path, type, size_bytes }: Record<string, unknown>) => [path, type, size_bytes];
    expect(listed.data.map(of).filter(([, type]: unknown[]) => type === 'file')).toEqual([
      ['/workspace/empty', 'file', 0],
      ['/workspace/large', 'file', bytes.length],
    ]);
    const read = await ask(id, '/content?path=/workspace/large');
    expect(Buffer.from(await read.arrayBuffer()).equals(bytes)).toBe(true);
    const archive = await ask(id, '/archive?path=/workspace/dir');
    expect(archive.headers.get('content-disposition')).toContain('dir.tar');
    const tar = Buffer.from(await archive.arrayBuffer());
    expect(tar.includes('a b.txt')).toBe(true);
    expect(tar.includes('text')).toBe(true);
    const refused = async (what: string) => {
      const response = await ask(id, what);
      return [response.status, (await response.json()).error.message];
    };
    expect(await refused('/content?path=/workspace/none')).toEqual([404, expect.stringMatching(/^path: /)]);
    expect(await refused('/content?path=/workspace')).toEqual([400, expect.stringMatching(/is a directory/)]);
    expect(await refused('/archive?path=/workspace/large')).toEqual([
      400,
      expect.stringMatching(/not a directory/),
    ]);
    expect(await refused('?path=relative')).toEqual([400, expect.stringMatching(/absolute/)]);
    expect((await write(id, '/workspace/dir', 'x')).status).toBe(400);
  });
});

describe('an upload', () => {
  const MIB = 1024 * 1024;
  const within = { timeout: 60_000, interval: 100 };
  /** The files that have contents, finished or not. */
  const kept = () =>
    readdirSync(join(platform.state, 'workers/v3/contents'), { recursive: true, withFileTypes: true })
      .filter((entry) => entry.isFile())
      .map(({ name }) => name);

  /** Begins to send a file, and never ends. Resolves once some of it has been written. */
  async function begin(): Promise<() => void> {
    const { hostname, port } = new URL(platform.url);
    const type = 'multipart/form-data; boundary=b';
    const headers = { 'x-api-key': platform.apiKey, 'content-type': type, 'content-length': 100 * MIB };
    const before = kept().length;
    const sending = request({ hostname, port, method: 'POST', path: '/v1/files', headers });
    sending.on('error', () => undefined);
    sending.write('--b\r\ncontent-disposition: form-data; name="file"; filename="a"\r\n\r\n');
    sending.write(Buffer.alloc(20 * MIB, 7));
    await expect.poll(() => kept().length, within).toBe(before + 1);
    return () => sending.destroy();
  }

  it('that is cut off leaves nothing', async () => {
    const before = kept();
    const cut = await begin();
    cut();
    await expect.poll(kept, within).toEqual(before);
  });

  it('whose server dies leaves nothing once the platform has started again', async () => {
    const whole = await client.beta.files.upload({ file: await toFile(Buffer.from('whole'), 'whole.txt') });
    const before = kept();
    await begin();
    expect(kill(platform, 'workerd')).toBe(true);
    await expect
      .poll(() => client.beta.files.retrieveMetadata(whole.id), within)
      .toMatchObject({ size_bytes: 5 });
    await platform.stop();
    await platform.start();
    client = platform.connect();
    expect(kept()).toEqual(before);
    await client.beta.files.delete(whole.id);
    expect(kept()).toEqual(before.filter((name) => name !== whole.id));
  }, 120_000);
});
