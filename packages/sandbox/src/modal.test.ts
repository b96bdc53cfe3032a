import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { startEmulator } from '@capstan/modal-emulator/emulator';
import { createModalSandboxes } from './modal.ts';
import { describeSandboxes } from './sandboxes.contract.ts';

describeSandboxes('the Modal SDK', async () => {
  const stateDir = await mkdtemp(join(tmpdir(), 'capstan-modal-'));
  const emulator = await startEmulator({ stateDir, port: 0, tokenId: 'ak-test', tokenSecret: 'as-test' });
  // The SDK reads where Modal is when it is imported.
  process.env.MODAL_SERVER_URL = emulator.url;
  const { ModalClient } = await import('modal');
  const logger = { debug() {}, info() {}, warn() {}, error() {} };
  const client = new ModalClient({ tokenId: 'ak-test', tokenSecret: 'as-test', logger });
  const sandboxes = createModalSandboxes({ client, appName: 'contract', image: 'debian:12' });
  return {
    sandboxes,
    close: async () => {
      sandboxes.close();
      await emulator.stop();
      await rm(stateDir, { recursive: true, force: true });
    },
  };
});
