import { readlinkSync } from 'node:fs';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { Cgroups } from './cgroups.ts';
import { SandboxStarts } from './sandbox-starts.ts';
import { PATIENTLY, waitingStarts } from './testing.ts';

const cgroups = new Cgroups('/state', { mountInfo: '', ownGroups: '' });
let starts = new SandboxStarts(cgroups);
afterEach(async () => {
  await starts.close();
  starts = new SandboxStarts(cgroups);
});

describe('SandboxStarts', () => {
  it('keeps one ahead, which is the next that is taken', async () => {
    starts.prepare();
    starts.prepare();
    await vi.waitFor(() => expect(waitingStarts()).toHaveLength(1), PATIENTLY);
    const next = starts.nextId;
    const [pid] = waitingStarts();
    const start = starts.take();
    expect([start.id, start.child.pid]).toEqual([next, pid]);
    expect(starts.nextId).not.toBe(next);
    const other = starts.take();
    expect(other.id).not.toBe(next);
    await Promise.all([start.discard(), other.discard()]);
    expect(waitingStarts()).toEqual([]);
  });

  it('has it wait as a process of the host, which ends with its order pipe', async () => {
    starts.prepare();
    const start = starts.take();
    for (const kind of ['user', 'mnt', 'pid', 'net'])
      expect(readlinkSync(`/proc/${start.child.pid}/ns/${kind}`)).toBe(readlinkSync(`/proc/self/ns/${kind}`));
    start.child.stdin?.destroy();
    const { message } = await start.ended;
    expect(message).toMatch(/: The emulator did not say what to start\.$/);
  });

  it('gives none that has ended meanwhile', async () => {
    starts.prepare();
    const lost = starts.nextId;
    const [pid] = await vi.waitFor(() => {
      expect(waitingStarts()).toHaveLength(1);
      return waitingStarts();
    }, PATIENTLY);
    process.kill(pid ?? 0, 'SIGKILL');
    await vi.waitFor(() => expect(starts.nextId).not.toBe(lost), PATIENTLY);
    const start = starts.take();
    expect([start.child.exitCode, start.child.signalCode]).toEqual([null, null]);
    await start.discard();
  });

  it('has none wait once it is closed', async () => {
    starts.prepare();
    await vi.waitFor(() => expect(waitingStarts()).toHaveLength(1), PATIENTLY);
    await starts.close();
    starts.prepare();
    expect(waitingStarts()).toEqual([]);
  });
});
