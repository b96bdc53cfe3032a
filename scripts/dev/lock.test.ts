import { spawn } from 'node:child_process';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
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

  it('passes from an owner that died, and what it had started ends', async () => {
    const dir = scratchDir();
    const orphan = spawn('sleep', ['1000'], { detached: true, stdio: 'ignore' });
    const mark = markOf(orphan.pid ?? 0);
    writeFileSync(claim(dir), JSON.stringify({ pid: 4_194_304, started: '1', programs: [mark] }));
    new Lock(dir).take();
    await until('the orphan is gone', () => !groupIsAlive(orphan.pid ?? 0));
  });

  it('spares a process that merely has the id of one that was started', () => {
    const dir = scratchDir();
    const bystander = spawn('sleep', ['1000'], { detached: true, stdio: 'ignore' });
    const mark = { pid: bystander.pid, started: '1' };
    writeFileSync(claim(dir), JSON.stringify({ pid: 4_194_304, started: '1', programs: [mark] }));
    new Lock(dir).take();
    expect(markOf(bystander.pid ?? 0)).toBeDefined();
    bystander.kill('SIGKILL');
  });

  it('takes over a claim that cannot be read', () => {
    const dir = scratchDir();
    writeFileSync(claim(dir), '{"pid":');
    new Lock(dir).take();
    expect(JSON.parse(readFileSync(claim(dir), 'utf8')).pid).toBe(process.pid);
  });
});
