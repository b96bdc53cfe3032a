import { readdirSync, readlinkSync } from 'node:fs';
import { describe, expect, it, onTestFinished, vi } from 'vitest';
import { SandboxCgroup } from './cgroups.ts';
import { startSandboxProcess } from './sandbox-process.ts';
import { temporaryState } from './testing.ts';

describe('startSandboxProcess', () => {
  it('starts nothing where its control group does not take it, and says why', async () => {
    const { stateDir: directory, remove } = temporaryState();
    onTestFinished(remove);
    const order = { ownerId: undefined, shifts: [], listenPorts: [8796], mounts: [], volumes: [] };
    const group = new SandboxCgroup(['/nowhere']);
    const options = { ...order, directory, runDirectory: directory, group, memoryBytesPerProcess: undefined };
    await expect(startSandboxProcess(options)).rejects.toThrow("open '/nowhere/cgroup.procs'");
    await vi.waitFor(() => expect(processesIn(directory)).toEqual([]));
  });

  it('says what its start complained of', async () => {
    const { stateDir: directory, remove } = temporaryState();
    onTestFinished(remove);
    const mounts = ['/nowhere', './root', '', '4096', ''];
    const order = { ownerId: undefined, shifts: [], listenPorts: [8796], mounts, volumes: [] };
    const group = new SandboxCgroup([]);
    const options = { ...order, directory, runDirectory: directory, group, memoryBytesPerProcess: undefined };
    await expect(startSandboxProcess(options)).rejects.toThrow(
      /^The sandbox's start ended with code \d+: Mounting \/nowhere on \.\/root: No such file or directory$/,
    );
  });
});

function processesIn(directory: string): string[] {
  return readdirSync('/proc').filter((pid) => {
    try {
      return /^\d+$/.test(pid) && readlinkSync(`/proc/${pid}/cwd`) === directory;
    } catch {
      return false;
    }
  });
}
