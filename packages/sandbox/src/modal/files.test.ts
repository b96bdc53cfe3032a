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
  sandboxes = createModalSandboxes({ ...createModalClient(TOKENS), appName: 'files', image: 'debian:12' });
  ({ sandboxId } = await sandboxes.create({ name: 'files' }));
});
afterAll(async () => {
  sandboxes.close();
  await modal.close();
});

const sh = async (command: string) =>
  new TextDecoder().decode((await sandboxes.exec({ sandboxId, command })).stdout).trim();

describe('a file system without room', () => {
  it('is told as such, and keeps the file that was there', async () => {
    const path = '/dev/shm/file';
    await sandboxes.writeFile({ sandboxId, path, content: Buffer.from('old') });
    await sh('cat /dev/zero > /dev/shm/rest');
    for (const size of [30_000, 8_000_000]) {
      const content = new Uint8Array(size).fill(65);
      await expect(sandboxes.writeFile({ sandboxId, path, content })).rejects.toMatchObject({
        code: 'quota_exceeded',
        message: `${path}: could not be written: the sandbox has no room for it`,
      });
    }
    expect(await sh(`cat ${path}; ls -A /dev/shm`)).toBe('oldfile\nrest');
  });
});
