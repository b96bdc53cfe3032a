// Floods of all kinds, by the program as it ships, and what the neighbours notice of them.
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Sandbox } from 'modal';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import {
  bash,
  type Connection,
  connect,
  PATIENTLY,
  type Program,
  startProgram,
  temporaryState,
} from './testing.ts';

const MIB = 1024 * 1024;
const isRoot = process.getuid?.() === 0;
const owners = isRoot ? [undefined, 65_531] : [undefined];
/** Groups as a process of this machine has them. */
const GROUPS = '/sys/fs/cgroup';

describe.each(owners)('a flooding sandbox of the emulator run by user %s', { timeout: 120_000 }, (owner) => {
  const state = temporaryState(owner);
  let program: Program;
  let connection: Connection;
  let flooded: Sandbox;
  let neighbour: Sandbox;

  beforeAll(async () => {
    program = await startProgram(state.stateDir, owner);
    connection = await connect(program.url);
    neighbour = await connection.create();
  }, 60_000);
  afterAll(async () => {
    connection.close();
    program.child.kill('SIGTERM');
    await program.exited;
    state.remove();
  });
  beforeEach(async () => {
    flooded = await connection.create({ cpu: 0.5, cpuLimit: 0.5, memoryMiB: 256, memoryLimitMiB: 256 });
  });
  afterEach(() => flooded.terminate().then(() => {}));

  const neighbourAnswers = async () =>
    expect(await bash(neighbour, 'for i in $(seq 20); do /bin/true || exit 1; done; echo fine')).toEqual({
      code: 0,
      stdout: 'fine\n',
      stderr: '',
    });
  const recovers = () =>
    vi.waitFor(async () => expect((await bash(flooded, 'echo here')).stdout).toBe('here\n'), PATIENTLY);

  it('with processes stops at its number of them', async () => {
    const bomb = await flooded.exec(['bash', '-c', ':(){ :|:& };:; sleep 600'], { timeoutMs: 3000 });
    await neighbourAnswers();
    await bomb.wait().catch(() => 137);
    await flooded.terminate();
    await neighbourAnswers();
  });

  it('with memory loses what takes it, and goes on', async () => {
    const eater =
      "import sys\nheld = []\nwhile True: held.append(b'x' * (16 << 20)); print(len(held), flush=True)";
    const run = await flooded.exec(['python3', '-c', eater]);
    const [code, output] = await Promise.all([run.wait(), run.stdout.readText(), neighbourAnswers()]);
    expect(code).not.toBe(0);
    expect(output.trim().split('\n').length * 16).toBeLessThan(256);
    await recovers();
  });

  it.runIf(owner === undefined && isRoot)(
    'with memory of many processes, and in files, is held as one',
    async () => {
      const eaters =
        'for i in $(seq 8); do python3 -c "import time; x = b\'x\' * (64 << 20); time.sleep(600)" & done; wait -n; echo lost one; head -c 300M /dev/zero >/dev/shm/file; ls -l /dev/shm/file';
      const run = await flooded.exec(['bash', '-c', eaters]);
      const reader = run.stdout.getReader();
      expect((await reader.read()).value).toBe('lost one\n');
      await neighbourAnswers();
      await recovers();
      expect(peakMemory()).toBeGreaterThan(200 * MIB);
      expect(peakMemory()).toBeLessThanOrEqual(256 * MIB);
    },
  );

  it.runIf(owner === undefined && isRoot)('with work gets the part of a processor it may have', async () => {
    const busy = await flooded.exec([
      'bash',
      '-c',
      'for i in 1 2 3 4; do while :; do :; done & done; sleep 2; kill $(jobs -p); times',
    ]);
    await neighbourAnswers();
    const spent = [...(await busy.stdout.readText()).matchAll(/(\d+)m([\d.]+)s/g)].map(
      ([, minutes, seconds]) => Number(minutes) * 60 + Number(seconds),
    );
    // Two seconds and the moments before and after them, at half a processor.
    expect(Math.max(...spent)).toBeLessThan(2);
  });

  it('leaves no group when it ends', async () => {
    const name = flooded.sandboxId;
    if (isRoot && owner === undefined) expect(groupsNamed(name).length).toBeGreaterThan(0);
    await flooded.terminate();
    await vi.waitFor(() => expect(groupsNamed(name)).toEqual([]), PATIENTLY);
  });

  const peakMemory = () => {
    const group = groupsNamed(flooded.sandboxId).find((path) =>
      existsSync(join(path, 'memory.max_usage_in_bytes')),
    );
    return group === undefined ? 0 : Number(readFileSync(join(group, 'memory.max_usage_in_bytes'), 'utf8'));
  };
});

/** The control groups of a sandbox, wherever they are. Others come and go meanwhile. */
function groupsNamed(name: string, below = GROUPS): string[] {
  return groupsIn(below).flatMap((group) => {
    const path = join(below, group);
    return group === name ? [path] : groupsNamed(name, path);
  });
}

function groupsIn(directory: string): string[] {
  try {
    const entries = readdirSync(directory, { withFileTypes: true });
    return entries.filter((entry) => entry.isDirectory()).map((entry) => entry.name);
  } catch {
    return [];
  }
}
