// The contract against Modal itself; run by `pnpm test:live` alone, because it spends money.

import { createModalClient } from './modal/sdk.ts';
import { createModalSandboxes } from './modal.ts';
import { describeSandboxes } from './sandboxes.contract.ts';

describeSandboxes('Modal', async () => {
  const sandboxes = createModalSandboxes({
    ...createModalClient(),
    // An App stays at Modal, so all runs use one; all that is in it is ended, so one run at a time does.
    appName: 'capstan-contract',
    image: process.env.CAPSTAN_SANDBOX_IMAGE || 'python:3.12-trixie',
  });
  return {
    sandboxes,
    outside: { host: 'example.com', port: 443 },
    close: async () => {
      const left = await sandboxes.list();
      await Promise.all(left.map(({ sandboxId }) => sandboxes.terminate(sandboxId)));
      sandboxes.close();
    },
  };
});
