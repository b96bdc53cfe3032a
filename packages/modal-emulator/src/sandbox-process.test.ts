import { describe, expect, it, onTestFinished } from 'vitest';
import { Cgroups } from './cgroups.ts';
import { startSandboxProcess } from './sandbox-process.ts';
import { SandboxStarts } from './sandbox-starts.ts';
import { temporaryState } from './testing.ts';

describe('startSandboxProcess', () => {
  it('starts nothing where its control group does not take it, and says why', async () => {
    const options = beginning([]);
    const group = Promise.reject(new RangeError('There is no room.'));
    await expect(startSandboxProcess({ ...options, group })).rejects.toThrow('There is no room.');
    await options.start.ended;
    expect(options.start.child.signalCode).toBe('SIGKILL');
  });

  it('says what its start complained of', async () => {
    await expect(startSandboxProcess(beginning(['/nowhere', './root', '', '4096', '']))).rejects.toThrow(
      /^The sandbox's start ended with code \d+: Mounting \/nowhere on \.\/root: No such file or directory$/,
    );
  });

  it('says so too when the process has ended before', async () => {
    const options = beginning([]);
    options.start.child.kill('SIGKILL');
    await options.start.ended;
    await expect(startSandboxProcess(options)).rejects.toThrow("The sandbox's start ended with code null: ");
  });
});

function beginning(mounts: string[]) {
  const { stateDir: directory, remove } = temporaryState();
  const start = new SandboxStarts(new Cgroups(directory, { mountInfo: '', ownGroups: '' })).take();
  onTestFinished(async () => {
    await start.discard();
    remove();
  });
  const order = { directory, ownerId: undefined, shifts: [], listenPorts: [8796], mounts, volumes: [] };
  return { ...order, runDirectory: directory, start, group: start.group, memoryBytesPerProcess: undefined };
}
