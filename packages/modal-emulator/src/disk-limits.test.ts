// Disk and inode floods, by the program as it ships.
import type { Sandbox } from 'modal';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { bash, type Connection, connect, type Program, startProgram, temporaryState } from './testing.ts';

const LIMIT_MIB = 64;
const owners = process.getuid?.() === 0 ? [undefined, 65_530] : [undefined];

describe.each(owners)('the disk of a sandbox of user %s', { timeout: 120_000 }, (owner) => {
  const state = temporaryState(owner);
  let program: Program;
  let connection: Connection;
  let neighbour: Sandbox;
  let flooded: Sandbox;

  beforeAll(async () => {
    program = await startProgram(state.stateDir, owner, ['env', `CAPSTAN_EMULATOR_DISK_MIB=${LIMIT_MIB}`]);
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
    flooded = await connection.create();
  });
  afterEach(() => flooded.terminate().then(() => {}));

  /** Beyond the limit hardly more: told before it has twice that, the sandbox stays. */
  const SLOWLY =
    'n=0; while head -c $((n++ < 18 ? 4 << 20 : 1 << 16)) /dev/zero >>/workspace/flood; do read -t 0.2 <><(:); done';
  const answers = async () =>
    expect(await bash(neighbour, 'echo kept >/workspace/file && cat /workspace/file')).toMatchObject({
      stdout: 'kept\n',
    });

  it('stops what writes beyond it, says so, and can be cleared up', async () => {
    const flood = await flooded.exec(['bash', '-c', SLOWLY]);
    const [code, complaint] = await Promise.all([flood.wait(), flood.stderr.readText(), answers()]);
    expect([code, complaint]).toEqual([137, expect.stringMatching(/of 64 MiB in 4096 files .* were killed/)]);
    const size = Number((await bash(flooded, 'stat -c %s /workspace/flood')).stdout);
    expect(size).toBeLessThan(2 * LIMIT_MIB * 1024 * 1024);
    expect(
      (await bash(flooded, 'rm /workspace/flood; echo again >/workspace/file; cat /workspace/file')).stdout,
    ).toBe('again\n');
  });

  it('counts files, however small', async () => {
    const flood = await flooded.exec([
      'python3',
      '-c',
      "import time\nfor i in range(10**7):\n  open(f'/workspace/{i}', 'w').close()\n  if i % 200 == 0 or i > 4600: time.sleep(0.05)",
    ]);
    const [code] = await Promise.all([flood.wait(), answers()]);
    expect(code).toBe(137);
    expect(Number((await bash(flooded, 'ls -U /workspace | wc -l')).stdout)).toBeLessThan(8192);
  });

  it('counts what is hidden: files in a closed directory, and removed ones that are held open', async () => {
    const within = (before: string) => `${before}; ${SLOWLY.replace('>>/workspace/flood', '>&3')}`;
    const closed = 'mkdir /workspace/d; exec 3>/workspace/d/flood; chmod 000 /workspace/d';
    const hidden = await flooded.exec(['bash', '-c', within(closed)]);
    expect(await hidden.wait()).toBe(137);
    await bash(flooded, 'chmod 700 /workspace/d; rm -r /workspace/d');
    const removed = await flooded.exec([
      'bash',
      '-c',
      within('exec 3>/workspace/flood; rm /workspace/flood'),
    ]);
    expect(await removed.wait()).toBe(137);
    await answers();
  });

  it('is the end of a sandbox that writes too fast to be told', async () => {
    const flood = await flooded.exec([
      'bash',
      '-c',
      'for i in $(seq 100); do head -c 1G /dev/zero >/workspace/$i; done',
    ]);
    expect(await flood.wait()).toBe(137);
    await answers();
  });
});
