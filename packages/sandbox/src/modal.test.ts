import { createModalSandboxes } from './modal.ts';
import { describeSandboxes } from './sandboxes.contract.ts';
import { openLocalModal, TOKENS } from './testing.ts';

describeSandboxes('the Modal SDK', async () => {
  const { emulator, outside, close } = await openLocalModal();
  // The SDK reads where Modal is when it is imported.
  process.env.MODAL_SERVER_URL = emulator.url;
  const { createModalClient } = await import('./modal/sdk.ts');
  const sandboxes = createModalSandboxes({
    ...createModalClient(TOKENS),
    appName: 'contract',
    image: 'debian:12',
    capabilities: {
      isolation: 'container',
      limits: { cpu: false, memory: false, pids: false, disk: false },
      snapshots: true,
      gpu: false,
    },
  });
  return {
    sandboxes,
    outside,
    close: async () => {
      sandboxes.close();
      await close();
    },
  };
});
