import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createModalSandboxes, type ModalSandboxes } from '../modal.ts';
import { type LocalModal, openLocalModal, TOKENS } from '../testing.ts';

let modal: LocalModal;
let sandboxes: ModalSandboxes;
let sandboxId: string;

beforeAll(async () => {
  modal = await openLocalModal();
  process.env.MODAL_SERVER_URL = modal.emulator.url;
  const { createModalClient } = await import('./sdk.ts');
  sandboxes = createModalSandboxes({ ...createModalClient(TOKENS), appName: 'runs', image: 'debian:12' });
  ({ sandboxId } = await sandboxes.create({ name: 'runs' }));
  // What runs keep, on a file system that can be filled.
  await sh('mv /var/tmp/.capstan/{runs,shells} /dev/shm && ln -s /dev/shm/{runs,shells} /var/tmp/.capstan');
});
afterAll(async () => {
  sandboxes.close();
  await modal.close();
});

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
