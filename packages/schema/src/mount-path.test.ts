import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  collide,
  fileMountPath,
  isWithin,
  mountPath,
  placeOfFile,
  placeOfMemoryStore,
  UPLOADS_ROOT,
  WORKSPACE_ROOT,
} from './mount-path.ts';
import { resourceParams } from './resources.ts';

const problem = (path: string) => mountPath.safeParse(path).error?.issues[0]?.message;

describe('a mount path', () => {
  it('is refused when it is not exactly what it says', () => {
    expect(problem('data.csv')).toMatch(/absolute/);
    for (const path of ['/', '/a/', '/a//b', '/a/./b', '/a/../b', '/..', '/workspace/..'])
      expect(problem(path), path).toMatch(/clean/);
    for (const path of ['/a\0', '/a\nb', '/\x7f']) expect(problem(path)).toMatch(/control/);
    for (const path of ['/mnt', '/mnt/session/outputs/a', '/mnt/memory/a', UPLOADS_ROOT])
      expect(problem(path), path).toMatch(/below \/mnt/);
    expect(problem(`/${'x'.repeat(256)}`)).toMatch(/255/);
    expect(problem(`/${'é'.repeat(127)}`)).toBeUndefined();
    expect(problem(`/${'é'.repeat(128)}`)).toMatch(/255 bytes/);
  });

  it('of a file always lies below the uploads or the workspace', () => {
    const segment = fc.string({ minLength: 1, maxLength: 12 });
    fc.assert(
      fc.property(fc.array(segment, { minLength: 1, maxLength: 5 }), (segments) => {
        const path = `/${segments.join('/')}`;
        fc.pre(mountPath.safeParse(path).success);
        const placed = placeOfFile(path, 'file_1');
        expect(isWithin(placed, UPLOADS_ROOT) || isWithin(placed, WORKSPACE_ROOT)).toBe(true);
        expect(mountPath.safeParse(placed).success).toBe(true);
      }),
    );
    expect(placeOfFile(null, 'file_1')).toBe('/mnt/session/uploads/file_1');
    expect(placeOfFile('/workspace/data.csv', 'file_1')).toBe('/workspace/data.csv');
    expect(placeOfFile('/mnt/session/uploads/a/b', 'file_1')).toBe('/mnt/session/uploads/a/b');
    expect(placeOfFile('/etc/passwd', 'file_1')).toBe('/mnt/session/uploads/etc/passwd');
  });

  it('of a file may lack the slash at its start', () => {
    const problemOfFile = (path: string) => fileMountPath.safeParse(path).error?.issues[0]?.message;
    for (const path of ['data.csv', 'a/b.txt', 'workspace/x', '/a'])
      expect(problemOfFile(path), path).toBeUndefined();
    for (const path of ['', 'a/', '../x', 'mnt/memory/a'])
      expect(problemOfFile(path), path).toMatch(/clean|below/);
    expect(placeOfFile('a/b.txt', 'file_1')).toBe('/mnt/session/uploads/a/b.txt');
    expect(placeOfFile('workspace/x', 'file_1')).toBe('/workspace/x');
  });

  it('collides with what lies at, above and below it', () => {
    expect(collide('/a/b', '/a/b')).toBe(true);
    expect(collide('/a', '/a/b')).toBe(true);
    expect(collide('/a/b/c', '/a')).toBe(true);
    expect(collide('/a/b', '/a/bc')).toBe(false);
  });
});

describe('the resources of a new session', () => {
  const first = (resource: object) => resourceParams.safeParse([resource]).error?.issues[0]?.message ?? null;
  const repository = (more: object) =>
    first({ type: 'github_repository', url: 'https://github.com/owner/name', ...more });

  it('name a repository as git and people do', () => {
    for (const url of [
      'https://github.com/owner/name.git',
      'https://git.example.com/a/b/c/',
      'http://git.example.com/name',
    ])
      expect(repository({ url }), url).toBeNull();
    for (const url of [
      'git@github.com:owner/name.git',
      'file:///etc',
      'ssh://github.com/a/b',
      'https://github.com/owner',
      'https://github.com/a/b/c',
      'https://x:y@github.com/a/b',
      'https://github.com/a/b?x=1',
      'https://github.com/a/b#x',
      'https://github.com/a/b;c',
      'https://example.com/',
      'https://example.com/a/%2e%2e/b',
      '--upload-pack=x',
    ])
      expect(repository({ url }), url).not.toBeNull();
  });

  it('check out a branch or a commit, and nothing git would take for an option', () => {
    for (const name of ['main', 'feature/a-b_c.d', 'ü'])
      expect(repository({ checkout: { type: 'branch', name } })).toBeNull();
    for (const name of [
      '',
      '-x',
      '--upload-pack=x',
      'a b',
      'a..b',
      'a~1',
      'a^',
      'a:b',
      'x.lock',
      '/a',
      'a/',
      'a\nb',
      '@',
      'a@{1}',
    ])
      expect(repository({ checkout: { type: 'branch', name } }), name).not.toBeNull();
    expect(repository({ checkout: { type: 'commit', sha: 'a'.repeat(40) } })).toBeNull();
    for (const sha of ['main', 'abc', '-1234567', `${'a'.repeat(65)}`])
      expect(repository({ checkout: { type: 'commit', sha } }), sha).not.toBeNull();
  });

  it('send a token over https only, and mount repositories in the workspace', () => {
    expect(repository({ authorization_token: 'ghp_x' })).toBeNull();
    expect(repository({ authorization_token: 'a b' })).not.toBeNull();
    expect(repository({ url: 'http://git.example.com/a', authorization_token: 'ghp_x' })).toMatch(/https/);
    expect(repository({ mount_path: '/workspace/here' })).toBeNull();
    expect(repository({ mount_path: '/etc/here' })).toMatch(/workspace/);
    expect(repository({ mount_path: '/workspace' })).toMatch(/workspace/);
  });

  it('say how many of them there may be', () => {
    const stores = Array.from({ length: 9 }, () => ({ type: 'memory_store', memory_store_id: 'memstore_1' }));
    expect(resourceParams.safeParse(stores).error?.issues[0]?.message).toBe('at most 8 memory stores');
    expect(resourceParams.safeParse(stores.slice(1)).success).toBe(true);
    const files = Array.from({ length: 501 }, () => ({ type: 'file', file_id: 'file_1' }));
    expect(resourceParams.safeParse(files).error?.issues[0]?.message).toBe('at most 500 files');
    expect(resourceParams.safeParse(files.slice(1)).success).toBe(true);
  });
});

describe('the place of a memory store', () => {
  it('is its name in lower case with a hyphen for all else, told apart by a number', () => {
    const first = placeOfMemoryStore('User Preferences (v2)!', []);
    expect(first).toBe('/mnt/memory/user-preferences-v2-');
    const second = placeOfMemoryStore('USER preferences: v2.', [first]);
    expect(second).toBe('/mnt/memory/user-preferences-v2--2');
    expect(placeOfMemoryStore('../日本', [first, second])).toBe('/mnt/memory/-');
    const long = placeOfMemoryStore('x'.repeat(255), []);
    expect(placeOfMemoryStore('x'.repeat(255), [long])).toBe(`/mnt/memory/${'x'.repeat(253)}-2`);
  });
});
