import { SandboxError } from '@capstan/sandbox/error';
import type { Sandboxes } from '@capstan/sandbox/port';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { callOf, NEVER, type SandboxWorld, startSandboxWorld, textOf } from '../tools/testing.ts';
import { MemoryFiles, MemoryRecord, serveGit } from './testing.ts';

let world: SandboxWorld;
let files: MemoryFiles;
let record: MemoryRecord;
let tools: ReturnType<SandboxWorld['wake']>;

beforeAll(async () => {
  world = await startSandboxWorld('sesn_workspace');
});
afterAll(() => world.stop());
beforeEach(async () => {
  await tools?.release();
  files = new MemoryFiles();
  record = new MemoryRecord();
  tools = world.wake(world.sandboxes, { files, record });
});

const bash = async (command: string) => textOf(await tools.perform(callOf('bash', { command }), NEVER));
const bytes = (text: string) => new TextEncoder().encode(text);
const keptPaths = () => files.kept.map(({ path }) => path).toSorted();
const until = (condition: () => boolean) =>
  expect.poll(condition, { timeout: 30_000, interval: 20 }).toBe(true);

describe('files of a session', () => {
  it('are in its sandbox before its first tool call, read-only, large ones too', async () => {
    const large = new Uint8Array(20 * 1024 * 1024 + 5);
    for (let at = 0; at < large.length; at += 65_536) crypto.getRandomValues(large.subarray(at, at + 65_536));
    files.mountables = [
      files.file('1', '/mnt/session/uploads/file_1', bytes('one')),
      files.file('2', "/workspace/a dir/it's.csv", bytes('two')),
      files.file('3', '/mnt/session/uploads/empty', bytes('')),
      files.file('4', '/mnt/session/uploads/large', large),
    ];
    const said = await bash(
      `cat /mnt/session/uploads/file_1 "/workspace/a dir/it's.csv"; echo; stat -c '%a %s' /mnt/session/uploads/*; sha256sum </mnt/session/uploads/large`,
    );
    const digest = Buffer.from(await crypto.subtle.digest('SHA-256', large)).toString('hex');
    expect(said).toBe(`onetwo\n444 0\n444 3\n444 ${large.length}\n${digest}  -\n`);
  });

  it('come and go as they are added and taken away', async () => {
    const first = files.file('1', '/mnt/session/uploads/first', bytes('one'));
    files.mountables = [first];
    expect(await bash('ls /mnt/session/uploads')).toBe('first\n');
    files.change([first, files.file('2', '/mnt/session/uploads/second', bytes('two'))]);
    expect(await bash('ls /mnt/session/uploads')).toBe('first\nsecond\n');
    files.change(files.mountables.slice(1));
    expect(await bash('ls /mnt/session/uploads')).toBe('second\n');
  });

  it('are not brought twice into a sandbox, and all of them into one that replaces it', async () => {
    files.mountables = [files.file('1', '/mnt/session/uploads/first', bytes('one'))];
    await bash('rm -f /mnt/session/uploads/first');
    tools = world.wake(world.sandboxes, { files, record });
    expect(await bash('ls /mnt/session/uploads')).toBe('(no output)');
    await world.sandboxes.terminate(world.remembered.sandboxId ?? '');
    tools = world.wake(world.sandboxes, { files, record });
    expect(await bash('ls /mnt/session/uploads')).toContain('first');
  });

  it('that are gone are named once, and the tools work', async () => {
    files.mountables = [
      { type: 'file', id: '1', mountPath: '/mnt/session/uploads/x', fileId: 'file_gone', sizeBytes: 3 },
      files.file('2', '/workspace/taken/below', bytes('two')),
      files.file('3', '/mnt/session/uploads/fine', bytes('three')),
    ];
    await world.sandboxes
      .create({ name: 'session-sesn_workspace' })
      .then(({ sandboxId }) =>
        world.sandboxes.writeFile({ sandboxId, path: '/workspace/taken', content: bytes('a file') }),
      );
    const said = await bash('cat /mnt/session/uploads/fine');
    expect(said).toMatch(/^Note: The file file_gone could not be mounted at .*: its content is gone\.$/m);
    expect(said).toMatch(/^Note: The file file_2 could not be mounted at \/workspace\/taken\/below: /m);
    expect(said).toMatch(/three$/);
    expect(await bash('echo again')).toBe('again\n');
  });
});

describe('repositories of a session', () => {
  const repository = (id: string, url: string, more: object = {}) => ({
    type: 'github_repository' as const,
    id,
    mountPath: `/workspace/${id}`,
    url,
    checkout: null,
    hasToken: false,
    ...more,
  });

  it('are cloned, by branch or commit, and keep what was worked on in them', async () => {
    const { sandboxId } = await world.sandboxes.create({ name: 'session-sesn_workspace' });
    const { url, commit } = await serveGit(world.sandboxes, sandboxId);
    files.mountables = [
      repository('main', `${url}/name.git`),
      repository('side', `${url}/name.git`, { checkout: { type: 'branch', name: 'side' } }),
      repository('old', `${url}/name.git`, { checkout: { type: 'commit', sha: commit } }),
      repository('short', `${url}/name.git`, { checkout: { type: 'commit', sha: commit.slice(0, 8) } }),
    ];
    expect(await bash('cat main/file side/file old/file short/file')).toBe('one\ntwo\none\none\n');
    expect(await bash('cat main/.git/config | grep -c helper; git -C side branch --show-current')).toBe(
      '0\nside\n',
    );
    await bash('echo mine >main/file');
    record.texts.clear();
    tools = world.wake(world.sandboxes, { files, record });
    expect(await bash('cat main/file; ls -A /workspace')).toBe('mine\nmain\nold\nshort\nside\n');
  });

  it('that cannot be had are named with the reason, and leave nothing behind', async () => {
    const { sandboxId } = await world.sandboxes.create({ name: 'session-sesn_workspace' });
    const { url } = await serveGit(world.sandboxes, sandboxId);
    files.mountables = [
      repository('private', `${url}/private/name`, { hasToken: true }),
      repository('forbidden', `${url}/forbidden/name`),
      repository('missing', `${url}/missing/name`),
      repository('branch', `${url}/name.git`, { checkout: { type: 'branch', name: 'none' } }),
      repository('commit', `${url}/name.git`, { checkout: { type: 'commit', sha: 'a'.repeat(40) } }),
      repository('nowhere', 'http://127.0.0.1:9/name'),
    ];
    const said = await bash('ls -A /workspace');
    expect(said).toMatch(
      /\/private\/name could not be mounted at \/workspace\/private: its host asks for credentials\. Its authorization token was not used/,
    );
    expect(said).toMatch(/\/forbidden\/name .*: its host refuses it/);
    expect(said).toMatch(/\/missing\/name .*: there is no such repository/);
    expect(said.match(/it has no such branch or commit/g)).toHaveLength(2);
    expect(said).toMatch(/127\.0\.0\.1:9\/name could not be mounted/);
    expect(said).toMatch(/\(no output\)$/);
    await bash('echo again');
    const errors = tools.news().flatMap((news) => (news.kind === 'repository_failed' ? [news] : []));
    expect(errors.map(({ type, url: of }) => [type, of.split('/').slice(-2).join('/')])).toEqual([
      ['repository_authentication_error', 'private/name'],
      ['repository_forbidden_error', 'forbidden/name'],
      ['repository_not_found_error', 'missing/name'],
      ['repository_checkout_error', `${url.split('/').at(-1)}/name.git`],
      ['repository_checkout_error', `${url.split('/').at(-1)}/name.git`],
      ['repository_clone_error', '127.0.0.1:9/name'],
    ]);
    expect(errors[0]?.message).toMatch(/could not be mounted at \/workspace\/private: its host asks/);
  });

  it('are phases of the boot of their sandbox, with how long each took', async () => {
    const before = tools.news().filter(({ kind }) => kind === 'booted').length;
    files.mountables = [
      repository('nowhere', 'http://127.0.0.1:9/name'),
      files.file('1', '/mnt/session/uploads/one', bytes('one')),
    ];
    await bash('true');
    await bash('true');
    const boots = tools.news().flatMap((news) => (news.kind === 'booted' ? [news.boot] : []));
    expect(boots).toHaveLength(before + 1);
    const { phases = [], duration_ms: whole } = boots.at(-1) ?? {};
    expect(phases.map(({ name }) => name)).toEqual(['image', 'create', 'clone', 'files']);
    expect(phases.map(({ repository_url: of }) => of)).toEqual([null, null, 'http://127.0.0.1:9/name', null]);
    const ends = phases.map(({ started_after_ms: at, duration_ms: ms }) => at + ms);
    expect(whole).toBe(Math.max(...ends));
    expect(ends).toEqual(ends.toSorted((a, b) => a - b));
  });
});

describe('outputs of a session', () => {
  it('become its files once they are complete, and once only', async () => {
    await bash(
      'cd /mnt/session/outputs && mkdir sub && echo hi >a.txt && printf "" >sub/empty && echo ü >"sub/ö ü.txt"',
    );
    await until(() => files.kept.length === 3);
    expect(keptPaths()).toEqual(['a.txt', 'sub/empty', 'sub/ö ü.txt']);
    await bash('touch /tmp/other');
    // The process looks no more: the next one is alone.
    await until(() => record.load('outputs_owed') === 'paid');
    tools = world.wake(world.sandboxes, { files, record });
    await bash('echo more >/mnt/session/outputs/a.txt');
    await until(() => files.kept.length === 4);
    expect(files.kept.at(-1)).toMatchObject({ path: 'a.txt', text: 'more\n' });
  });

  it('are kept by the second look after a background run has written them, and none before it has rested', async () => {
    const looks: number[] = [];
    const counted: Sandboxes = {
      ...world.sandboxes,
      exec: (request, signal) => {
        if (String(request.command).includes('cksum')) looks.push(Date.now());
        return world.sandboxes.exec(request, signal);
      },
    };
    tools = world.wake(counted, { files, record });
    await bash(
      `(for i in 1 2 3 4 5 6; do date +%s%N >>/tmp/wrote; printf $i; sleep 0.3; done >/mnt/session/outputs/slow.txt; date +%s%N >>/tmp/wrote; sleep 1) >/dev/null 2>&1 &`,
    );
    await until(() => files.kept.some(({ text }) => text === '123456'));
    const times = (await bash('cat /tmp/wrote')).trim().split('\n');
    const wrote = times.map((at) => Number(at) / 1e6);
    // A run that comes to a halt for as long rests, too: what it had written by then is kept as well.
    for (const { at, text } of files.kept) expect(at - (wrote[text.length - 1] ?? at)).toBeGreaterThan(380);
    const ended = wrote[6] ?? 0;
    const whole = files.kept.at(-1);
    expect(whole?.text).toBe('123456');
    expect(looks.filter((at) => at < ended).length).toBeGreaterThan(1);
    expect(looks.filter((at) => at > ended && at <= (whole?.at ?? 0)).length).toBeLessThanOrEqual(2);
  });

  it('are read whole when they are large', async () => {
    await bash('head -c 20000003 /dev/zero >/mnt/session/outputs/large');
    await until(() => files.kept.length === 1);
    expect(files.kept[0]).toMatchObject({ path: 'large', sizeBytes: 20_000_003 });
  });

  it('are no links, no special files and nothing that lies elsewhere', async () => {
    await bash(
      'cd /mnt/session/outputs && ln -s /etc/passwd link && ln -s /etc dir && mkfifo pipe && mkdir real && echo x >real/file && ln -s real also',
    );
    await until(() => files.kept.length > 0);
    await tools.release();
    expect(keptPaths()).toEqual(['real/file']);
    tools = world.wake(world.sandboxes, { files, record });
    files.kept = [];
    await bash('rm -rf /mnt/session/outputs && ln -s /etc /mnt/session/outputs');
    await tools.release();
    expect(files.kept).toEqual([]);
  });

  it('that a process left when it died become files when the next wakes, without a call', async () => {
    const { promise: never } = Promise.withResolvers<never>();
    const dying: Sandboxes = {
      ...world.sandboxes,
      exec: (request, signal) =>
        String(request.command).includes('cksum') ? never : world.sandboxes.exec(request, signal),
    };
    tools = world.wake(dying, { files, record });
    await bash('echo late >/mnt/session/outputs/late.txt');
    expect([keptPaths(), record.load('outputs_owed')]).toEqual([[], 'owed']);
    tools = world.wake(world.sandboxes, { files, record });
    tools.follow({ since: null, upTo: null });
    await until(() => files.kept.length === 1);
    expect(files.kept[0]).toMatchObject({ path: 'late.txt', text: 'late\n' });
    await until(() => record.load('outputs_owed') === 'paid');
  });

  it('that could not be looked for are owed, and looked for when the session rests', async () => {
    tools = world.wake(world.sandboxes, { files, record });
    await bash('echo late >/mnt/session/outputs/late.txt');
    await until(() => record.load('outputs_owed') === 'paid');
    files.kept = [];
    record.save('outputs_owed', 'owed');
    const sandboxId = world.remembered.sandboxId ?? '';
    await world.sandboxes.writeFile({
      sandboxId,
      path: '/mnt/session/outputs/other.txt',
      content: bytes('other'),
    });
    let away = true;
    const refusing: Sandboxes = {
      ...world.sandboxes,
      exec: (request, signal) =>
        away && String(request.command).includes('cksum')
          ? Promise.reject(new SandboxError('internal', 'Nobody is there'))
          : world.sandboxes.exec(request, signal),
    };
    tools = world.wake(refusing, { files, record });
    tools.follow({ since: Date.now(), upTo: null });
    await until(() => (tools.careAt() ?? Number.POSITIVE_INFINITY) <= Date.now());
    await expect(tools.care()).rejects.toThrow('Nobody is there');
    expect(record.load('outputs_owed')).toBe('owed');
    away = false;
    await tools.care();
    await until(() => record.load('outputs_owed') === 'paid');
    expect(keptPaths()).toEqual(['other.txt']);
  });

  it('are looked at once more before the sandbox goes', async () => {
    await bash('echo last >/mnt/session/outputs/last.txt');
    await tools.release();
    expect(keptPaths()).toEqual(['last.txt']);
  });
});
