import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { ModalSandboxes } from '../modal.ts';
import { type LocalSandbox, openLocalSandbox } from '../testing/local-sandbox.ts';
import { toArgv } from './programs.ts';

let local: LocalSandbox;
let sandboxes: ModalSandboxes;
let sandboxId: string;

beforeAll(async () => {
  local = await openLocalSandbox('runs');
  ({ sandboxes, sandboxId } = local);
  // What runs keep, on a file system that can be filled.
  await sh('mv /var/tmp/.capstan/{runs,shells} /dev/shm && ln -s /dev/shm/{runs,shells} /var/tmp/.capstan');
});
afterAll(() => local.close());

const text = (bytes: Uint8Array) => new TextDecoder().decode(bytes);
const sh = async (command: string) => text((await sandboxes.exec({ sandboxId, command })).stdout);
const start = (runId: string, command: string, shell?: string) =>
  sandboxes.startRun({
    sandboxId,
    runId,
    command,
    timeoutMs: 20_000,
    waitMs: 15_000,
    ...(shell && { shell }),
  });
const FILL = 'cat /dev/zero > /dev/shm/fill 2>/dev/null';
const empty = () => sh('rm -f /dev/shm/fill');

describe('a run on a full disk', () => {
  it('is not started, says so, and can be started once there is room', async () => {
    await sh(FILL);
    const command = 'echo once >> /workspace/count; cat /workspace/count';
    for (const _ of [1, 2]) {
      await expect(start('late', command)).rejects.toMatchObject({
        code: 'quota_exceeded',
        message: expect.stringContaining('disk is full'),
      });
    }
    await empty();
    expect(await start('late', command)).toMatchObject({ outcome: { state: 'exited', exitCode: 0 } });
    expect(await sh('cat /workspace/count')).toBe('once\n');
  });

  it('keeps its outcome when it fills the disk itself', async () => {
    const chunk = await start('filler', `echo before; ${FILL}; exit 3`);
    expect(chunk.outcome).toEqual({ state: 'exited', exitCode: 3 });
    expect(text(chunk.bytes)).toBe('before\n');
    await empty();
  });

  it('leaves its shell as it was', async () => {
    await start('one', 'cd /tmp; export KEPT=1', 'main');
    expect((await start('two', `cd /usr; export KEPT=2; ${FILL}; true`, 'main')).outcome).toMatchObject({
      state: 'exited',
    });
    await empty();
    expect(text((await start('three', 'echo $KEPT; pwd', 'main')).bytes)).toBe('1\n/tmp\n');
  });
});

describe('a run', () => {
  const read = (runId: string, waitMs = 0) => sandboxes.readRun({ sandboxId, runId, offset: 0, waitMs });

  it('has a fifo that no other run has, however many start at once', async () => {
    const ids = Array.from({ length: 40 }, (_, index) => `many-${index}`);
    const chunks = await Promise.all(ids.map((runId) => start(runId, `echo ${runId}`)));
    expect(chunks.map(({ bytes }) => text(bytes))).toEqual(ids.map((runId) => `${runId}\n`));
    expect(
      await sh('cd /var/tmp/.capstan/runs; cat many-*.live | sort -u | xargs stat -c %F | uniq -c'),
    ).toBe('     40 fifo\n');
    expect(await sh('ls /var/tmp/.capstan/runs/many-*.fifo | wc -l')).not.toBe('40\n');
  });

  it('is killed 5 s after it was told to end, though it refuses and whoever asked is gone', async () => {
    const runId = 'refuses';
    const begun = await sandboxes.startRun({
      sandboxId,
      runId,
      command: 'trap "" TERM; echo begun; while :; do sleep 1; done',
      timeoutMs: 60_000,
      waitMs: 15_000,
      until: 'output',
    });
    expect(text(begun.bytes)).toBe('begun\n');
    const args = ['kill', runId, '0', 'end', '0', '0'];
    const ask = toArgv({ program: 'run', args, maxBytes: 64 });
    const command = ['bash', '-c', '"$@"; kill -KILL 0', 'bash', ...ask];
    const asked = await sandboxes.exec({ sandboxId, command });
    expect(text(asked.stdout)).toBe('capstan running - whole\n');
    expect((await read(runId, 15_000)).outcome).toEqual({ state: 'killed', exitCode: 137 });
  }, 60_000);

  it('ends at once when it was told to before it could be', async () => {
    await sh('touch /var/tmp/.capstan/runs/early.kill');
    expect((await start('early', 'sleep 30')).outcome).toEqual({ state: 'killed', exitCode: 143 });
  });

  it('is waited for while whoever claimed it has not come to naming its fifo, or to opening it', async () => {
    const slow = '/var/tmp/.capstan/runs/slow';
    const name = `sleep 0.1; echo ${slow}.fifo >${slow}.live; sleep 0.1; mkfifo ${slow}.fifo; sleep 0.1; exec 8<>${slow}.fifo`;
    const open = `printf '%s\\n' key >${slow}.key; touch ${slow}.open; read -t 20 <&8`;
    await sh(`: >${slow}.live`);
    const holder = { sandboxId, runId: 'slow-holder', timeoutMs: 20_000 };
    await sandboxes.startRun({ ...holder, command: `${name}; ${open}` });
    expect((await read('slow', 100)).outcome).toEqual({ state: 'running' });
    await sh(`until [[ -e ${slow}.open ]]; do sleep 0.02; done`);
    await sandboxes.killRun(holder);
    expect((await read('slow', 10_000)).outcome).toEqual({ state: 'lost' });
  });

  it('is read and joined when another release began it, whose claim is the fifo itself', async () => {
    const old = '/var/tmp/.capstan/runs/old';
    const hold = `exec 8<>${old}.live; echo here; until [[ -e ${old}.go ]]; do sleep 0.02; done`;
    await sh(`mkfifo ${old}.live; printf '%s\\n' key >${old}.key; echo out >${old}.out`);
    await sandboxes.startRun({
      sandboxId,
      runId: 'holder',
      command: hold,
      timeoutMs: 20_000,
      waitMs: 10_000,
      until: 'output',
    });
    expect((await read('old', 200)).outcome).toEqual({ state: 'running' });
    await sh(`touch ${old}.go`);
    expect(await read('old', 10_000)).toMatchObject({ outcome: { state: 'lost' }, nextOffset: 4 });
    await sh(`printf 'exited 6 -\\n' >${old}.exit`);
    expect((await read('old')).outcome).toEqual({ state: 'exited', exitCode: 6 });
    await expect(start('old', 'echo again')).rejects.toMatchObject({ code: 'conflict' });
  });
});
