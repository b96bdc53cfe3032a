import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import Anthropic, { toFile } from '@anthropic-ai/sdk';
import { extractSkillArchive } from '@anthropic-ai/sdk/tools/agent-toolset/node';
import { WorkerKeys } from '@capstan/api/auth/worker-keys';
import { blobDebts, files } from '@capstan/db/tables/files';
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { openWorld, ROOT_SECRET, type World } from './testing/world.ts';

let world: World;
let client: Anthropic;
let stranger: Anthropic;

beforeAll(async () => {
  world = await openWorld();
  client = new Anthropic({ apiKey: world.key, baseURL: world.url, maxRetries: 0 });
  stranger = new Anthropic({ apiKey: world.strangerKey, baseURL: world.url, maxRetries: 0 });
});
afterAll(() => world.close());

const main = (name: string, description = `What ${name} is for`) =>
  `---\nname: ${name}\ndescription: ${description}\n---\n# ${name}\n`;
const fileAt = (path: string, content: string | Uint8Array<ArrayBuffer>) =>
  toFile(Buffer.from(content), path);
const filesOf = (name: string, more: Record<string, string> = {}) =>
  Promise.all([
    fileAt(`${name}/SKILL.md`, main(name)),
    ...Object.entries(more).map(([path, text]) => fileAt(`${name}/${path}`, text)),
  ]);
const create = async (name: string) => client.skills.create({ files: await filesOf(name) });
const refused = (status: number, message: RegExp) => ({
  status,
  apiMessage: expect.stringMatching(message),
});

/** A form with our own parts, as any client sends it. */
async function send(parts: [string, string | File][], headers: Record<string, string> = {}) {
  const form = new FormData();
  for (const [name, value] of parts) form.append(name, value);
  const all = { 'x-api-key': world.key, ...headers };
  const response = await world.fetch('/v1/skills', { method: 'POST', headers: all, body: form });
  const body: { id: string; display_name: string; error?: { message: string } } = await response.json();
  return { status: response.status, headers: response.headers, body };
}

describe('skills through the official SDK', () => {
  it('are created, retrieved, listed and deleted', async () => {
    const skill = await client.skills.create({ files: await filesOf('report'), display_name: 'Reports' });
    expect(skill).toMatchObject({
      id: expect.stringMatching(/^skill_[0-9a-z]{24}$/),
      type: 'skill',
      display_name: 'Reports',
      latest_version_id: expect.stringMatching(/^skver_/),
      source: { type: 'custom' },
      display_title: 'Reports',
      latest_version: skill.latest_version_id,
    });
    expect(await client.beta.skills.retrieve(skill.id)).toEqual(skill);
    const plain = await create('plain');
    expect(plain.display_name).toBe('plain');
    const listed = await client.skills.list({ limit: 1 });
    expect(listed.data).toEqual([plain]);
    expect((await listed.getNextPage()).data[0]).toEqual(skill);
    expect((await client.skills.list({ source: 'custom' })).data).toHaveLength(2);
    expect((await client.skills.list({ source: 'anthropic' })).data).toEqual([]);
    await expect(client.skills.list({ source: 'other' })).rejects.toMatchObject(refused(400, /^source: /));
    await expect(stranger.skills.retrieve(skill.id)).rejects.toMatchObject({ status: 404 });
    await expect(stranger.skills.delete(skill.id)).rejects.toMatchObject({ status: 404 });
    expect((await stranger.skills.list()).data).toEqual([]);
    expect(await client.skills.delete(skill.id)).toEqual({ id: skill.id, type: 'skill_deleted' });
    await expect(client.skills.retrieve(skill.id)).rejects.toMatchObject({ status: 404 });
    await expect(client.skills.versions.list(skill.id)).rejects.toMatchObject({ status: 404 });
  });

  it('have versions, of which one is the latest', async () => {
    const skill = await create('versioned');
    const { id: skill_id } = skill;
    const first = await client.skills.versions.retrieve('latest', { skill_id });
    expect(first).toMatchObject({
      id: skill.latest_version_id,
      type: 'skill_version',
      skill_id,
      name: 'versioned',
      description: 'What versioned is for',
      version: first.id,
      directory: 'versioned',
    });
    const second = await client.beta.skills.versions.create(skill_id, {
      files: [await fileAt('any-directory/SKILL.md', main('versioned', 'Changed'))],
    });
    expect(await client.skills.versions.retrieve('latest', { skill_id })).toEqual(second);
    expect(await client.skills.retrieve(skill_id)).toMatchObject({ latest_version_id: second.id });
    expect((await client.skills.versions.list(skill_id)).data).toEqual([second, first]);
    const renamed = client.skills.versions.create(skill_id, { files: await filesOf('renamed') });
    await expect(renamed).rejects.toMatchObject(
      refused(400, /name is renamed, but that of the skill is versioned/),
    );
    expect(await client.skills.versions.delete(second.id, { skill_id })).toEqual({
      id: second.id,
      type: 'skill_version_deleted',
    });
    expect(await client.skills.versions.retrieve('latest', { skill_id })).toEqual(first);
    await expect(client.skills.versions.delete(first.id, { skill_id })).rejects.toMatchObject(
      refused(400, /is the only version/),
    );
    await expect(client.skills.versions.delete('skver_none', { skill_id })).rejects.toMatchObject({
      status: 404,
    });
    await expect(stranger.skills.versions.retrieve('latest', { skill_id })).rejects.toMatchObject({
      status: 404,
    });
  });

  it('are downloaded as an archive that the SDK unpacks', async () => {
    const dir = mkdtempSync(join(tmpdir(), 'capstan-skills-'));
    onTestFinished(() => rmSync(dir, { recursive: true, force: true }));
    const skill = await client.skills.create({
      files: [
        await fileAt('top/scripts/run.sh', '#!/bin/sh\n'),
        await fileAt('top/SKILL.md', main('unpacked')),
        await fileAt('top/data/ü.bin', new Uint8Array([0, 255])),
      ],
    });
    const response = await client.beta.skills.versions.download('latest', { skill_id: skill.id });
    expect(response.headers.get('content-type')).toBe('application/zip');
    expect(response.headers.get('content-disposition')).toContain('unpacked.zip');
    const dest = join(dir, 'unpacked');
    execFileSync('mkdir', [dest]);
    await extractSkillArchive(response, dest);
    expect(readFileSync(join(dest, 'SKILL.md'), 'utf8')).toBe(main('unpacked'));
    expect([...readFileSync(join(dest, 'data/ü.bin'))]).toEqual([0, 255]);
    expect(statSync(join(dest, 'scripts/run.sh')).mode & 0o111).not.toBe(0);
    const again = await client.skills.create({
      files: [
        await fileAt('other/data/ü.bin', new Uint8Array([0, 255])),
        await fileAt('other/SKILL.md', main('unpacked')),
        await fileAt('other/scripts/run.sh', '#!/bin/sh\n'),
      ],
    });
    const bytesOf = async (skill_id: string) =>
      Buffer.from(await (await client.beta.skills.versions.download('latest', { skill_id })).arrayBuffer());
    expect((await bytesOf(again.id)).equals(await bytesOf(skill.id))).toBe(true);
  });
});

describe('an upload of a skill', () => {
  it('may be one zip archive', async () => {
    const script = `import zipfile, io, sys
b = io.BytesIO(); z = zipfile.ZipFile(b, 'w', zipfile.ZIP_DEFLATED)
z.writestr('zipped/', ''); z.writestr('zipped/SKILL.md', ${JSON.stringify(main('zipped'))})
z.writestr('__MACOSX/zipped/._SKILL.md', 'x'); z.writestr('zipped/.DS_Store', 'x'); z.writestr('zipped/big', ' ' * 3000000)
z.close(); sys.stdout.buffer.write(b.getvalue())`;
    const zip = execFileSync('python3', ['-c', script]);
    const skill = await client.skills.create({ files: [await toFile(zip, 'zipped.zip')] });
    const { data } = await client.skills.versions.list(skill.id);
    expect(data[0]).toMatchObject({ name: 'zipped' });
    const archive = await client.beta.skills.versions.download('latest', { skill_id: skill.id });
    const text = Buffer.from(await archive.arrayBuffer()).toString('latin1');
    expect(text.match(/zipped\/(SKILL\.md|big)/g)).toHaveLength(4);
    expect(text).not.toMatch(/DS_Store|MACOSX/);
  });

  it('is taken under either name of its parts, and under the older name of its title', async () => {
    const part = new File([main('old')], 'old/SKILL.md');
    expect(
      await send([
        ['files', part],
        ['display_title', 'Old'],
      ]),
    ).toMatchObject({
      status: 200,
      body: { display_name: 'Old' },
    });
    expect(await send([['files[]', new File([main('a')], 'from-dir/SKILL.md')]])).toMatchObject({
      status: 200,
    });
    const nameless = new File(['---\ndescription: x\n---\n'], 'from-dir/SKILL.md');
    expect(await send([['files[]', nameless]])).toMatchObject({ body: { display_name: 'from-dir' } });
  });

  it('is refused with the file and the reason when it is no skill, and leaves nothing', async () => {
    const before = await world.db.$count(files);
    const one = (text: string | Uint8Array<ArrayBuffer>, path = 'a/SKILL.md') =>
      send([['files[]', new File([text], path)]]);
    const said = async (answer: ReturnType<typeof send>) => {
      const { status, body } = await answer;
      return `${status} ${body.error?.message}`;
    };
    expect(await said(send([['display_name', 'x']]))).toMatch(/^400 files\[\]: required/);
    expect(await said(send([['files[]', 'text']]))).toMatch(/^400 files\[\]: a text field/);
    expect(await said(one(main('a'), 'SKILL.md'))).toMatch(/^400 files: "SKILL.md" lies in no directory/);
    expect(await said(one(main('a'), 'a/skill.md'))).toMatch(/^400 files\[\]: there is no "a\/SKILL.md"/);
    expect(await said(one(main('a'), 'a/b/SKILL.md'))).toMatch(/there is no "a\/SKILL.md"/);
    expect(await said(one('# no front matter'))).toMatch(/^400 SKILL.md: has to begin with front matter/);
    expect(await said(one(main('Not A Slug')))).toMatch(/^400 SKILL.md: the name "Not A Slug" is not/);
    expect(await said(one(main('x'.repeat(65))))).toMatch(/is not 1 to 64/);
    expect(await said(one('---\nname: a\n---\n'))).toMatch(/has no description/);
    expect(await said(one(main('a', 'x'.repeat(1_025))))).toMatch(/has 1025 characters; at most 1024/);
    expect(await said(one(new Uint8Array([0xff])))).toMatch(/not valid UTF-8/);
    expect(await said(one('PK\u0003\u0004 and nothing that follows'))).toMatch(/cut short, or no zip/);
    const large = new File([new Uint8Array(31 * 1024 * 1024)], 'a/large');
    expect(
      await said(
        send([
          ['files[]', new File([main('a')], 'a/SKILL.md')],
          ['files[]', large],
        ]),
      ),
    ).toMatch(/^413 files: with "a\/large" the files have more than/);
    expect(
      await said(
        send([
          ['files[]', new File([main('a')], 'a/SKILL.md')],
          ['display_name', 'two\nlines'],
        ]),
      ),
    ).toMatch(/^400 display_name: must be one line/);
    expect(await world.db.$count(files)).toBe(before);
    expect(await world.db.$count(blobDebts)).toBe(0);
  });

  it('is done once for each key', async () => {
    const key = { 'idempotency-key': 'one skill' };
    const parts: [string, File][] = [['files[]', new File([main('once')], 'a/SKILL.md')]];
    const first = await send(parts, key);
    const second = await send(parts, key);
    expect(second.body).toEqual(first.body);
    expect(second.headers.get('idempotent-replayed')).toBe('true');
    const other: [string, File][] = [['files[]', new File([main('twice')], 'a/SKILL.md')]];
    expect(await send(other, key)).toMatchObject({ status: 422 });
    expect(await world.db.$count(blobDebts)).toBe(0);
  });

  it('of source anthropic is known by its short name, once', async () => {
    const parts = (name: string): [string, string | File][] => [
      ['source', 'anthropic'],
      ['files[]', new File([main(name)], 'a/SKILL.md')],
    ];
    expect(await send(parts('xlsx'))).toMatchObject({ status: 200, body: { id: 'xlsx' } });
    expect(await send(parts('xlsx'))).toMatchObject({ status: 409 });
    expect(await client.skills.retrieve('xlsx')).toMatchObject({ source: { type: 'anthropic' } });
    expect((await client.skills.list({ source: 'anthropic' })).data.map(({ id }) => id)).toEqual(['xlsx']);
    expect(await client.skills.versions.retrieve('latest', { skill_id: 'xlsx' })).toMatchObject({
      skill_id: 'xlsx',
    });
    await expect(stranger.skills.retrieve('xlsx')).rejects.toMatchObject({ status: 404 });
  });
});

describe('the archive of a skill', () => {
  it('is gone with its version', async () => {
    const { id: skill_id } = await create('going');
    await client.skills.versions.create(skill_id, { files: await filesOf('going', { more: 'x' }) });
    const blobs = async () =>
      (
        await world.db.all<{ blob: string }>(
          `SELECT f.blob AS blob FROM skill_versions v JOIN files f ON f.id = v.file_id WHERE v.skill_id = '${skill_id}' ORDER BY v.id`,
        )
      ).map(({ blob }) => blob);
    const [first = '', second = ''] = await blobs();
    expect(first).toMatch(/^t\/tnt_default\/skills\/file_/);
    const latest = await client.skills.versions.retrieve('latest', { skill_id });
    await client.skills.versions.delete(latest.id, { skill_id });
    expect([await world.blobs.head(first), await world.blobs.head(second)]).toEqual([
      expect.anything(),
      null,
    ]);
    await client.skills.delete(skill_id);
    expect(await world.blobs.head(first)).toBeNull();
    expect(await blobs()).toEqual([]);
  });

  it('is in no list of files', async () => {
    await create('unlisted');
    expect((await client.files.list({ limit: 1000 })).data).toEqual([]);
  });
});

describe('skills of an agent', () => {
  const tools = [{ type: 'agent_toolset_20260401' as const }];
  const agentWith = (skills: Anthropic.Beta.AgentCreateParams['skills']) =>
    client.beta.agents.create({ name: 'Skilled', model: 'some-model', tools, ...(skills && { skills }) });
  const versionOf = async (skill_id: string) =>
    client.skills.versions.create(skill_id, { files: await filesOf('pinned') });

  it('are pinned when it is saved, and stay so', async () => {
    const skill = await create('pinned');
    const named = { type: 'custom' as const, skill_id: skill.id };
    const pinned = [{ ...named, version: skill.latest_version_id }];
    const agent = await agentWith([named]);
    expect(agent.skills).toEqual(pinned);
    const second = await versionOf(skill.id);
    const renamed = await client.beta.agents.update(agent.id, { name: 'Renamed', version: agent.version });
    expect(renamed.skills).toEqual(pinned);
    const same = await client.beta.agents.update(agent.id, { skills: pinned, version: renamed.version });
    expect(same.version).toBe(renamed.version);
    const latest = { skills: [{ ...named, version: 'latest' }], version: same.version };
    const changed = await client.beta.agents.update(agent.id, latest);
    expect(changed.skills).toEqual([{ ...named, version: second.id }]);
    const none = await client.beta.agents.update(agent.id, { skills: null, version: changed.version });
    expect(none.skills).toEqual([]);
    const early = { ...named, version: skill.latest_version_id };
    expect((await agentWith([early])).skills).toEqual([early]);
  });

  it('are refused by name when they are unknown, twice the same, or too many', async () => {
    const skill = await create('refused');
    const twin = await create('refused');
    const named = { type: 'custom' as const, skill_id: skill.id };
    const twice = { type: 'custom' as const, skill_id: twin.id };
    const failing: [Parameters<typeof agentWith>[0], number, RegExp][] = [
      [[{ type: 'custom', skill_id: 'skill_none' }], 404, /^skills\.0\.skill_id: no skill skill_none/],
      [[{ ...named, version: 'skver_none' }], 404, /^skills\.0\.version: no version skver_none/],
      [[{ type: 'anthropic', skill_id: 'pptx' }], 404, /^skills\.0\.skill_id: no skill pptx of Anthropic/],
      [[named, named], 400, /^skills\.1: the same skill as skills\.0/],
      [[named, twice], 400, /^skills\.1: is called refused, as skills\.0 is/],
      [Array.from({ length: 21 }, () => named), 400, /^skills: /],
    ];
    for (const [skills, status, message] of failing)
      await expect(agentWith(skills)).rejects.toMatchObject(refused(status, message));
    const foreign = stranger.beta.agents.create({ name: 'S', model: 'm', tools, skills: [named] });
    await expect(foreign).rejects.toMatchObject({ status: 404 });
    expect((await agentWith([{ type: 'anthropic', skill_id: 'xlsx' }])).skills).toMatchObject([
      { type: 'anthropic', skill_id: 'xlsx', version: expect.stringMatching(/^skver_/) },
    ]);
  });

  it('are a session’s own: they survive their deletion, forks have them too, and they go with it', async () => {
    const skill = await create('survivor');
    const agent = await agentWith([{ type: 'custom', skill_id: skill.id }]);
    const lead = await client.beta.agents.create({
      name: 'Lead',
      model: 'some-model',
      multiagent: { type: 'coordinator', agents: [agent.id] },
    });
    const { id: environment_id } = await client.beta.environments.create({ name: 'Open' });
    const session = await client.beta.sessions.create({ agent: agent.id, environment_id });
    const led = await client.beta.sessions.create({ agent: lead.id, environment_id });
    expect(session.agent.skills).toEqual(agent.skills);
    await client.skills.delete(skill.id);
    const kept = async (id: string) =>
      world.db.all<{ name: string; blob: string }>(
        `SELECT s.name AS name, f.blob AS blob FROM session_skills s JOIN files f ON f.id = s.file_id WHERE s.session_id = '${id}'`,
      );
    const [copy] = await kept(session.id);
    expect(copy).toMatchObject({ name: 'survivor' });
    expect(await kept(led.id)).toEqual([copy]);
    expect(await world.blobs.head(copy?.blob ?? '')).not.toBeNull();
    const late = client.beta.sessions.create({ agent: agent.id, environment_id });
    await expect(late).rejects.toMatchObject(refused(400, /one of its skills has been deleted/));
    expect(await client.beta.agents.update(agent.id, { name: 'Still', version: 1 })).toMatchObject({
      skills: agent.skills,
    });
    await client.beta.sessions.delete(session.id);
    expect(await kept(session.id)).toEqual([]);
    expect(await world.blobs.head(copy?.blob ?? '')).not.toBeNull();
    await client.beta.sessions.delete(led.id);
    await expect.poll(() => world.blobs.head(copy?.blob ?? '')).toBeNull();
  });

  it('are given to the worker of its session, also when they are deleted, and no others are', async () => {
    const skill = await create('worked');
    const other = await create('unworked');
    const agent = await agentWith([{ type: 'custom', skill_id: skill.id }]);
    const config = { type: 'self_hosted' as const };
    const { id: environment_id } = await client.beta.environments.create({ name: 'Own', config });
    const { id: sessionId } = await client.beta.sessions.create({ agent: agent.id, environment_id });
    const headers = { 'x-api-key': world.key };
    const made = await world.fetch(`/v1/environments/${environment_id}/keys`, { method: 'POST', headers });
    const { id: keyId = '' }: { id?: string } = await made.json();
    const secrets = { root: ROOT_SECRET, bootstrapKeyHash: null };
    const keys = new WorkerKeys({ db: world.db, clock: Date, secrets });
    const principal = { tenantId: 'tnt_default', apiKey: { id: keyId, name: '', lastFour: '' } };
    const token = await keys.tokenFor(principal, environment_id, { workId: 'work_1', sessionId, offer: 0 });
    const worker = new Anthropic({ apiKey: token, baseURL: world.url, maxRetries: 0 });
    const [pinned = { skill_id: '', version: '' }] = agent.skills;
    const expected = await client.skills.versions.retrieve(pinned.version, pinned);
    await client.skills.delete(skill.id);
    const { created_at: _, ...same } = expected;
    expect(await worker.beta.skills.versions.retrieve(pinned.version, pinned)).toMatchObject(same);
    const archive = await worker.beta.skills.versions.download(pinned.version, pinned);
    expect(Buffer.from(await archive.arrayBuffer()).toString('latin1')).toContain('worked/SKILL.md');
    const foreign = worker.skills.versions.retrieve(other.latest_version_id, { skill_id: other.id });
    await expect(foreign).rejects.toMatchObject({ status: 404 });
    await expect(worker.skills.list()).rejects.toMatchObject({ status: 403 });
  });
});
