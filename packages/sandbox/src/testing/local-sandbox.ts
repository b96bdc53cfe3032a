// One sandbox of a local Modal, over the SDK as the gateway uses it.
import { createModalSandboxes, type ModalSandboxes } from '../modal.ts';
import { openLocalModal, TOKENS } from '../testing.ts';

export interface LocalSandbox {
  sandboxes: ModalSandboxes;
  sandboxId: string;
  close(): Promise<void>;
}

type Settings = Omit<Parameters<typeof createModalSandboxes>[0], 'client' | 'appName' | 'image'>;

export async function openLocalSandbox(
  name: string,
  settings: Partial<Settings> = {},
): Promise<LocalSandbox> {
  const modal = await openLocalModal();
  // The SDK reads it when it is loaded.
  process.env.MODAL_SERVER_URL = modal.emulator.url;
  const { createModalClient } = await import('../modal/sdk.ts');
  const own = { ...createModalClient(TOKENS), appName: name, image: 'debian:12' };
  const sandboxes = createModalSandboxes({ ...own, ...settings });
  const { sandboxId } = await sandboxes.create({ name });
  const close = async () => {
    sandboxes.close();
    await modal.close();
  };
  return { sandboxes, sandboxId, close };
}
