import { copyFile, mkdtemp, readdir, readFile, rm, truncate, utimes, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { createPolicyStore } from './policy-store.ts';
import { createMemoryRecords, openSealedRecords, type Records } from './sealed-records.ts';
import { credentialFor } from './testing.ts';

const [SECRET, NEXT] = ['the-current-secret-of-the-gateway', 'the-next-secret-of-the-gateway'];

async function directory(): Promise<string> {
  const dir = await mkdtemp(join(tmpdir(), 'capstan-records-'));
  onTestFinished(() => rm(dir, { recursive: true }));
  return dir;
}

const onlyFile = async (dir: string) => {
  const names = await readdir(dir);
  expect(names).toHaveLength(1);
  return join(dir, names[0] ?? '');
};

describe.each<[string, () => Promise<Records>]>([
  ['in memory', async () => createMemoryRecords()],
  ['in a directory', async () => openSealedRecords(await directory(), [SECRET])],
])('records %s', (_, open) => {
  it('are as they were last put, the same object until then, and gone when dropped', async () => {
    const records = await open();
    expect(await records.get('a')).toBeNull();
    await records.put('a', { n: 1 });
    await records.put('b', 'other');
    expect(await records.get('a')).toEqual({ n: 1 });
    expect(await records.get('a')).toBe(await records.get('a'));
    await records.put('a', { n: 2 });
    expect(await records.get('a')).toEqual({ n: 2 });
    await records.drop('a');
    await records.drop('a');
    expect(await records.get('a')).toBeNull();
    expect(await records.get('b')).toBe('other');
  });
});

describe('records in memory', () => {
  it('are forgotten a day after anybody could need them', async () => {
    let now = 0;
    const records = createMemoryRecords(() => now);
    await records.put('old', 1);
    await records.put('again', 1);
    now = 25 * 60 * 60 * 1000;
    await records.put('again', 2);
    now = 27 * 60 * 60 * 1000;
    await records.put('new', 1);
    expect([await records.get('old'), await records.get('again'), await records.get('new')]).toEqual([
      null,
      2,
      1,
    ]);
  });
});

describe('sealed records', () => {
  it('are seen by whoever shares the directory and a secret, and by nobody else', async () => {
    const dir = await directory();
    const one = await openSealedRecords(dir, [SECRET]);
    const other = await openSealedRecords(dir, [NEXT, SECRET]);
    await one.put('a', 1);
    expect(await other.get('a')).toBe(1);
    await other.put('a', 2);
    expect(await one.get('a')).toBeNull();
    expect(await (await openSealedRecords(dir, [NEXT])).get('a')).toBe(2);
  });

  it('tell nothing of what they hold, and open only where they were put and whole', async () => {
    const dir = await directory();
    const records = await openSealedRecords(dir, [SECRET]);
    await records.put('a', { secret: 'hunter2-hunter2' });
    const file = await onlyFile(dir);
    expect((await readFile(file)).includes('hunter2')).toBe(false);
    await records.put('b', 'b');
    const [other = ''] = (await readdir(dir)).map((name) => join(dir, name)).filter((name) => name !== file);
    await copyFile(file, other);
    expect(await records.get('b')).toBeNull();
    const bytes = await readFile(file);
    await writeFile(file, bytes.fill(0, bytes.length - 1));
    expect(await records.get('a')).toBeNull();
    await truncate(file, 10);
    expect(await records.get('a')).toBeNull();
  });

  it('are removed a day after anybody could need them', async () => {
    const dir = await directory();
    const records = await openSealedRecords(dir, [SECRET]);
    await records.put('old', 1);
    const old = Date.now() / 1000 - 27 * 60 * 60;
    await utimes(await onlyFile(dir), old, old);
    await records.put('new', 1);
    await writeFile(join(dir, 'not-ours'), '');
    await utimes(join(dir, 'not-ours'), old, old);
    const again = await openSealedRecords(dir, [SECRET]);
    expect([await again.get('old'), await again.get('new')]).toEqual([null, 1]);
    expect(await readdir(dir)).toContain('not-ours');
  });
});

describe('policy store', () => {
  const policy = {
    network: { type: 'limited', allowedHosts: ['api.test'] },
    credentials: [credentialFor(['api.test'])],
  } as const;

  it('gives rules as they were said, compiled once', async () => {
    const store = createPolicyStore(await openSealedRecords(await directory(), [SECRET]));
    expect(await store.get('sbx')).toBeNull();
    await store.set('sbx', policy);
    expect(await store.read('sbx')).toEqual(policy);
    expect(await store.get('sbx')).toBe(await store.get('sbx'));
    await store.set('sbx', { ...policy, credentials: [] });
    expect(await store.get('sbx')).toMatchObject({ type: 'limited', credentials: [] });
  });

  it('keeps nothing that says nothing sensible', async () => {
    const store = createPolicyStore(createMemoryRecords());
    await expect(
      store.set('sbx', { network: { type: 'limited', allowedHosts: ['a/b'] }, credentials: [] }),
    ).rejects.toThrow('leave out the path');
    expect(await store.get('sbx')).toBeNull();
    const records = createMemoryRecords();
    await records.put('policy sbx', { network: { type: 'everything' } });
    expect(await createPolicyStore(records).get('sbx')).toBeNull();
  });

  it('knows the last sandbox that had a name, and no earlier one', async () => {
    const store = createPolicyStore(createMemoryRecords());
    await store.bind('sb-1', 'sbx');
    expect(await store.nameOf('sb-1')).toBe('sbx');
    await store.bind('sb-2', 'sbx');
    expect([await store.nameOf('sb-1'), await store.nameOf('sb-2')]).toEqual([null, 'sbx']);
    await store.forget('sbx');
    expect(await store.nameOf('sb-2')).toBeNull();
  });
});
