import type { Exec, ExecResult, Sandboxes } from '@capstan/sandbox/port';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { callOf, NEVER, type SandboxWorld, startSandboxWorld, textOf } from '../tools/testing.ts';
import { MemoryStoreDouble } from './memory-testing.ts';
import { MemoryFiles, MemoryRecord } from './testing.ts';

let world: SandboxWorld;
let store: MemoryStoreDouble;
let record: MemoryRecord;
let tools: ReturnType<SandboxWorld['wake']>;

beforeAll(async () => {
  world = await startSandboxWorld('sesn_memory');
});
afterAll(() => world.stop());
beforeEach(async () => {
  await tools?.release();
  store = new MemoryStoreDouble();
  record = new MemoryRecord();
  wake();
});

function wake(
  more: Parameters<MemoryStoreDouble['for']>[1] = {},
  through: Sandboxes = world.sandboxes,
): void {
  const parts = { files: new MemoryFiles(), record, memories: store.for('sesn_memory', more) };
  tools = world.wake(through, parts);
}

const perform = async (name: string, input: Record<string, unknown>) =>
  textOf(await tools.perform(callOf(name, input), NEVER));
const bash = (command: string) => perform('bash', { command });
const texts = () => Object.fromEntries([...store.texts].map(([path, { content }]) => [path, content]));

describe('the memory stores of a session', () => {
  it('are directories of its sandbox before the first call', async () => {
    store.put('/a.md', 'one\u0000\r\n');
    store.put("/deep/er/it's é.md", '');
    expect(await bash('cd /mnt/memory/notes; find . -type f | sort; od -c a.md | head -1')).toBe(
      "./a.md\n./deep/er/it's é.md\n0000000   o   n   e  \\0  \\r  \\n\n",
    );
    expect(store.log).toHaveLength(2);
  });

  it('have what a call writes, edits, renames and deletes when it has ended', async () => {
    store.put('/a.md', 'one');
    store.put('/b.md', 'two');
    store.put('/c.md', 'three');
    const ids = new Map([...store.texts].map(([path, { id }]) => [path, id]));
    store.log = [];
    await bash(
      'cd /mnt/memory/notes; mkdir -p d; echo new >d/new.md; mv a.md d/a.md; rm b.md; echo more >>c.md',
    );
    expect(texts()).toEqual({ '/c.md': 'threemore\n', '/d/a.md': 'one', '/d/new.md': 'new\n' });
    expect(store.texts.get('/d/a.md')?.id).toBe(ids.get('/a.md'));
    expect(store.log.toSorted()).toEqual([
      'sesn_memory changed /c.md',
      'sesn_memory moved /a.md to /d/a.md',
      'sesn_memory removed /b.md',
      'sesn_memory wrote /d/new.md',
    ]);
    await perform('write', { file_path: '/mnt/memory/notes/w.md', content: 'written' });
    await perform('edit', { file_path: '/mnt/memory/notes/w.md', old_string: 'w', new_string: 'W' });
    expect(store.texts.get('/w.md')?.content).toBe('Written');
    store.log = [];
    await bash('touch /mnt/memory/notes/*; cat /mnt/memory/notes/w.md >/dev/null');
    expect(store.log).toEqual([]);
  });

  it('are kept as ever beside one whose name no file can have, which the agent is told of once', async () => {
    store.put('/a.md', 'one');
    store.put(`/d/${'é'.repeat(128)}`, 'lost');
    store.put('/b.md', 'two');
    const first = await bash('ls /mnt/memory/notes');
    expect(first).toContain('é is not here: a part of its path is longer');
    expect(first).toMatch(/\na\.md\nb\.md\n$/);
    expect(await bash('rm /mnt/memory/notes/a.md; ls /mnt/memory/notes')).toBe('b.md\n');
    expect([...store.texts.keys()]).toEqual([`/d/${'é'.repeat(128)}`, '/b.md']);
  });

  it('show what others have written meanwhile, between two calls', async () => {
    store.put('/a.md', 'one');
    expect(await bash('cat /mnt/memory/notes/a.md')).toBe('one');
    store.put('/a.md', 'two');
    store.put('/x/y.md', 'new');
    expect(await bash('cat /mnt/memory/notes/a.md /mnt/memory/notes/x/y.md')).toBe('twonew');
    store.remove('/x/y.md');
    store.put('/x', 'a file now');
    expect(await perform('read', { file_path: '/mnt/memory/notes/x' })).toContain('a file now');
  });

  it('win over what the agent wrote at the same time, which is kept where it can see it', async () => {
    store.put('/a.md', 'one');
    await bash('true');
    const { sandboxId } = await world.sandboxes.create({ name: 'session-sesn_memory' });
    const path = '/mnt/memory/notes/a.md';
    await world.sandboxes.writeFile({ sandboxId, path, content: new TextEncoder().encode('mine') });
    store.put('/a.md', 'theirs');
    const said = await bash('cat /mnt/memory/notes/a.md /mnt/memory-conflicts/notes/a.md');
    expect(said).toContain('Note: /mnt/memory/notes/a.md was changed elsewhere too');
    expect(said).toMatch(/theirsmine$/);
    expect(texts()).toEqual({ '/a.md': 'theirs' });
  });

  it('that are read-only take nothing over: what was there comes back, and the agent is told', async () => {
    store.put('/a.md', 'one');
    wake({ access: 'read_only' });
    const refused = await bash('cd /mnt/memory/notes; stat -c %A a.md .; echo mine 2>&1 >a.md');
    expect(refused).toMatch(/^-r--r--r--\ndr-xr-xr-x\n/);
    const said = await bash('cd /mnt/memory/notes; chmod -R u+w .; echo mine >a.md; echo x >b.md');
    expect(said).toContain(
      'Note: /mnt/memory/notes/a.md is read-only: it is as it was, and what you wrote is at /mnt/memory-conflicts/notes/a.md.',
    );
    expect(await bash('cd /mnt/memory/notes; cat *; cat /mnt/memory-conflicts/notes/*')).toBe('onemine\nx\n');
    expect(texts()).toEqual({ '/a.md': 'one' });
  });

  it('are not given what cannot be a memory, of which the agent is told once', async () => {
    const said = await bash(
      `cd /mnt/memory/notes; head -c 102401 /dev/zero | tr '\\0' x >large; printf '\\377\\376' >binary; ln -s /etc/passwd link; printf x >$'bad\\nname'; echo 'refuse me' >no; echo ok >yes`,
    );
    for (const told of [
      '/large has 102401 bytes',
      '/binary is not UTF-8',
      '/link is a link',
      '/bad\nname has a path',
      '/no was refused',
    ])
      expect(said).toContain(`Note: /mnt/memory/notes${told}`);
    expect(texts()).toEqual({ '/yes': 'ok\n' });
    expect(await bash('ls /mnt/memory/notes | wc -l')).toBe('7\n');
    await bash('echo fine >/mnt/memory/notes/large');
    expect(store.texts.get('/large')?.content).toBe('fine\n');
  });

  it('lose nothing when their directory goes, nor with the process or the sandbox', async () => {
    store.put('/a.md', 'one');
    expect(await bash('rm -rf /mnt/memory/notes; echo done')).toContain('done');
    expect(texts()).toEqual({ '/a.md': 'one' });
    expect(await bash('cat /mnt/memory/notes/a.md')).toContain('one');
    wake();
    await bash('rm /mnt/memory/notes/a.md; echo b >/mnt/memory/notes/b.md');
    expect(texts()).toEqual({ '/b.md': 'b\n' });
    await world.sandboxes.terminate(world.remembered.sandboxId ?? '');
    wake();
    expect(await bash('cat /mnt/memory/notes/b.md')).toContain('b\n');
    expect(texts()).toEqual({ '/b.md': 'b\n' });
  });

  it('are paid what a process that died owed them, once the session rests', async () => {
    await bash('true');
    const sandboxId = world.remembered.sandboxId ?? '';
    const path = '/mnt/memory/notes/late.md';
    await world.sandboxes.writeFile({ sandboxId, path, content: new TextEncoder().encode('late') });
    wake();
    tools.follow({ since: Date.now(), upTo: null });
    expect(tools.careAt()).toBeLessThanOrEqual(Date.now());
    await tools.care();
    expect(texts()).toEqual({ '/late.md': 'late' });
    expect(tools.careAt()).not.toBe(null);
    expect(record.load('memories')).toBe('paid');
  });

  it.each([
    [
      'says only the beginning of what is there',
      (said: ExecResult) => ({ ...said, truncated: true }),
      'holds more',
    ],
    ['fails half way', (said: ExecResult) => ({ ...said, exitCode: 1 }), 'cannot be looked through'],
    ['ends at its limit', (said: ExecResult) => ({ ...said, exitCode: 124, timedOut: true }), 'in time'],
  ])('lose nothing to a look that %s', async (_, spoilt, told) => {
    store.put('/a.md', 'one');
    store.put('/b.md', 'two');
    await bash('true');
    const isLook = ({ command }: Exec) => String(command).includes('find .');
    const halfBlind: Sandboxes = {
      ...world.sandboxes,
      exec: async (request, signal) => {
        const said = await world.sandboxes.exec(request, signal);
        if (!isLook(request)) return said;
        return spoilt({ ...said, stdout: said.stdout.subarray(0, said.stdout.indexOf(10) + 1) });
      },
    };
    wake({}, halfBlind);
    const said = await bash('rm /mnt/memory/notes/b.md');
    expect(said).toContain('Note: /mnt/memory/notes');
    expect(said).toContain(told);
    expect(texts()).toEqual({ '/a.md': 'one', '/b.md': 'two' });
    wake();
    await bash('true');
    expect(texts()).toEqual({ '/a.md': 'one' });
  });

  it('keep what of them cannot be read', async () => {
    store.put('/a.md', 'one');
    await bash('true');
    wake(
      {},
      {
        ...world.sandboxes,
        exec: async (request, signal) => {
          const said = await world.sandboxes.exec(request, signal);
          return String(request.command).includes('sha256sum -z')
            ? { ...said, stdout: new Uint8Array() }
            : said;
        },
      },
    );
    await bash('touch /mnt/memory/notes/a.md');
    expect(texts()).toEqual({ '/a.md': 'one' });
  });

  it('are owed what they could not be given while they could not be reached', async () => {
    await bash('true');
    const sandboxId = world.remembered.sandboxId ?? '';
    const path = '/mnt/memory/notes/late.md';
    await world.sandboxes.writeFile({ sandboxId, path, content: new TextEncoder().encode('late') });
    wake();
    tools.follow({ since: Date.now(), upTo: null });
    for (const away of ['revisions', 'state'] as const) {
      store.away = away;
      await expect(tools.care()).rejects.toThrow('stays owed');
      expect(record.load('memories')).toBe('owed');
    }
    store.away = null;
    await tools.care();
    expect(texts()).toEqual({ '/late.md': 'late' });
    expect(record.load('memories')).toBe('paid');
  });

  it('are shared: what one session writes, another has', async () => {
    await bash('echo "likes tea" >/mnt/memory/notes/user.md');
    const second = await startSandboxWorld('sesn_second');
    const parts = {
      files: new MemoryFiles(),
      record: new MemoryRecord(),
      memories: store.for('sesn_second'),
    };
    const others = second.wake(second.sandboxes, parts);
    const read = await others.perform(callOf('bash', { command: 'cat /mnt/memory/notes/user.md' }), NEVER);
    expect(textOf(read)).toBe('likes tea\n');
    await second.stop();
  });
});
