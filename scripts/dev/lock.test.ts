import { spawn } from 'node:child_process';
import { existsSync, readdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { Lock } from './lock.ts';
import { groupIsAlive, markOf } from './process-table.ts';
import { scratchDir, until } from './testing.ts';

const claim = (dir: string) => join(dir, 'dev.lock');

describe('Lock', () => {
  it('refuses a second owner, naming the first and the way out', () => {
    const dir = scratchDir();
    new Lock(dir).take();
    expect(() => new Lock(dir).take()).toThrow(
      `already runs on this state directory (process ${process.pid})`,
    );
  });

  it('is free again after a release', () => {
    const dir = scratchDir();
    const lock = new Lock(dir);
    lock.take();
    lock.release();
    expect(existsSync(claim(dir))).toBe(false);
    new Lock(dir).take();
  });

  it('keeps its claim when there is no room to note a program', () => {
    const dir = scratchDir();
    const lock = new Lock(dir);
    lock.take();
    symlinkSync('/dev/full', `${claim(dir)}.${process.pid}`);
    expect(() => lock.note([])).toThrow('ENOSPC');
    expect(() => new Lock(dir).take()).toThrow('already runs');
    lock.note([]);
    lock.release();
    expect(readdirSync(dir)).toEqual([]);
  });

  it('passes from an owner that died, and what it had started ends', async () => {
    const dir = scratchDir();
    const orphan = spawn('sleep', ['1000'], { detached: true, stdio: 'ignore' });
    const mark = markOf(orphan.pid ?? 0);
    writeFileSync(claim(dir), JSON.stringify({ pid: 4_194_304, started: '1', programs: [mark] }));
    new Lock(dir).take();
    await until('the orphan is gone', () => !groupIsAlive(orphan.pid ?? 0));
  });

  it('spares a process that merely has the id of one that was started', async () => {
    const dir = scratchDir();
    const [bystander, orphan] = [0, 1].map(() =>
      spawn('sleep', ['1000'], { detached: true, stdio: 'ignore' }),
    );
    onTestFinished(() => void bystander?.kill('SIGKILL'));
    const programs = [{ pid: bystander?.pid, started: '1' }, markOf(orphan?.pid ?? 0)];
    writeFileSync(claim(dir), JSON.stringify({ pid: 4_194_304, started: '1', programs }));
    new Lock(dir).take();
    // Both would have been signalled by now, the bystander first.
    await until('the orphan is gone', () => !groupIsAlive(orphan?.pid ?? 0));
    expect(markOf(bystander?.pid ?? 0)).toBeDefined();
  });

  it('takes over a claim that cannot be read', () => {
    const dir = scratchDir();
    writeFileSync(claim(dir), '{"pid":');
    new Lock(dir).take();
    expect(JSON.parse(readFileSync(claim(dir), 'utf8')).pid).toBe(process.pid);
  });
});
