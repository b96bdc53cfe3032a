// Against plain directories that stand for the kernel's; limits.test.ts uses what this machine really has.
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { Cgroups, withLimits } from './cgroups.ts';

const GROUP = `capstan-${process.pid}-${createHash('sha256').update('/state').digest('hex').slice(0, 12)}`;
const LIMITS = { memoryBytes: 1 << 28, processes: 640, milliCpu: 500, milliCpuMax: 250 };

let root: string;
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'cgroups-'));
});
afterEach(() => rmSync(root, { recursive: true, force: true }));

/** A group, with the files the kernel would put there. */
function group(path: string, files: Record<string, string> = {}): string {
  const directory = join(root, path);
  mkdirSync(directory, { recursive: true });
  for (const [name, text] of Object.entries(files)) writeFileSync(join(directory, name), text);
  return directory;
}

function settings(directory: string): Record<string, string> {
  return Object.fromEntries(
    readdirSync(directory).map((name) => [name, readFileSync(join(directory, name), 'utf8')]),
  );
}

const first = (names: string, path = '/') => ({
  mount: `32 31 0:29 ${path} ${root}/${names} rw,relatime shared:1 - cgroup cgroup rw,${names}`,
  own: (below: string) => `1:${names}:${path === '/' ? '' : path}${below}`,
});

describe('Cgroups of version 1', () => {
  it('holds a sandbox by each controller, below the group of the emulator', async () => {
    for (const name of ['cpu', 'memory', 'pids']) group(`${name}/own`);
    const all = ['cpu', 'memory', 'pids'].map((name) => first(name));
    const cgroups = new Cgroups('/state', {
      mountInfo: all.map(({ mount }) => mount).join('\n'),
      ownGroups: all.map(({ own }) => own('/own')).join('\n'),
    });
    expect(cgroups.versions).toEqual({ cpu: 'cgroup1', memory: 'cgroup1', pids: 'cgroup1' });
    await withLimits(cgroups.create('sb-1'), LIMITS);
    const of = (name: string) => settings(join(root, name, 'own', GROUP, 'sb-1'));
    expect([of('cpu'), of('memory'), of('pids')]).toEqual([
      { 'cpu.shares': '512', 'cpu.cfs_period_us': '100000', 'cpu.cfs_quota_us': '25000' },
      { 'memory.limit_in_bytes': '268435456' },
      { 'pids.max': '640' },
    ]);
  });

  it('removes what emulators left that have ended, and nothing of one that runs', () => {
    const ended = spawnSync('true').pid;
    for (const name of [
      `capstan-${ended}-0/sb-1`,
      `capstan-${ended}-0/sb-2`,
      'capstan-1-0/sb-1',
      'of-another/x',
    ])
      group(`memory/${name}`);
    const { mount, own } = first('memory');
    new Cgroups('/state', { mountInfo: mount, ownGroups: own('/') });
    expect(readdirSync(join(root, 'memory')).toSorted()).toEqual(
      [GROUP, 'capstan-1-0', 'of-another'].toSorted(),
    );
  });

  it('finds its group where a container shows only that', () => {
    group('memory');
    const { mount, own } = first('memory', '/docker/abc');
    const cgroups = new Cgroups('/state', { mountInfo: mount, ownGroups: own('') });
    expect(cgroups.versions).toEqual({ memory: 'cgroup1' });
    expect(readdirSync(join(root, 'memory'))).toEqual([GROUP]);
  });

  it('sets no quota where none is asked for', async () => {
    group('cpu,cpuacct');
    const { mount, own } = first('cpu,cpuacct');
    const cgroups = new Cgroups('/state', { mountInfo: mount, ownGroups: own('/') });
    await withLimits(cgroups.create('sb-1'), { memoryBytes: 1, processes: 1 });
    expect(settings(join(root, 'cpu,cpuacct', GROUP, 'sb-1'))).toEqual({ 'cpu.shares': '1024' });
  });
});

describe('Cgroups of version 2', () => {
  const source = () => ({
    mountInfo: `31 23 0:28 / ${root} rw shared:1 - cgroup2 cgroup2 rw,nsdelegate`,
    ownGroups: '0::/own',
  });
  const control = (controllers: string, passed = '') => ({
    'cgroup.controllers': controllers,
    'cgroup.subtree_control': passed,
    'cgroup.procs': '',
  });

  it('holds a sandbox in one group, by what its own passes on', async () => {
    group('own', control('cpu memory pids', 'cpu memory pids'));
    group(`own/${GROUP}`, control('cpu memory pids'));
    const cgroups = new Cgroups('/state', source());
    expect(cgroups.versions).toEqual({ cpu: 'cgroup2', memory: 'cgroup2', pids: 'cgroup2' });
    const made = await withLimits(cgroups.create('sb-1'), LIMITS);
    const directory = join(root, 'own', GROUP, 'sb-1');
    expect(settings(directory)).toEqual({
      'cpu.weight': '50',
      'cpu.max': '25000 100000',
      'memory.max': '268435456',
      'pids.max': '640',
    });
    await made.add(13);
    expect(settings(directory)['cgroup.procs']).toBe('13');
  });

  it('takes what there is of them', () => {
    group('own', control('memory', 'memory'));
    group(`own/${GROUP}`, control('memory'));
    expect(new Cgroups('/state', source()).versions).toEqual({ memory: 'cgroup2' });
  });

  it('is none where the kernel has none, or lets nobody have it', () => {
    expect(new Cgroups('/state', source()).versions).toEqual({});
    group('own', control(''));
    expect(new Cgroups('/state', source()).versions).toEqual({});
    expect(new Cgroups('/state', { mountInfo: '', ownGroups: '' }).versions).toEqual({});
  });
});

describe('a sandbox without control groups', () => {
  it('is in none, and leaves none', async () => {
    const made = await new Cgroups('/state', { mountInfo: '', ownGroups: '' }).create('sb-1');
    await made.add(1);
    await made.remove();
    expect(readdirSync(root)).toEqual([]);
  });
});
