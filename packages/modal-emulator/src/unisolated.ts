// Sandboxes of one trusted tenant where namespaces are forbidden and somebody said that it may be so: commands of the
// emulator's own user, on its own files and network. What needs more than that is refused, never quietly left out.
import { accessSync, constants, existsSync } from 'node:fs';
import { dirname } from 'node:path';
import type { ImageRecord } from './image-store.ts';
import type { NetworkPolicy } from './network-policy.ts';

/** Where Capstan's commands start. */
const WORKSPACE = '/workspace';

export class UnisolatedError extends Error {
  override readonly name = 'UnisolatedError';

  constructor(what: string) {
    super(`Sandboxes here are not isolated (SANDBOX_ISOLATION=none), and so ${what}.`);
  }
}

export interface UnisolatedRequest {
  appId: string;
  image: Pick<ImageRecord, 'tree' | 'layers'>;
  network: NetworkPolicy;
  volumes?: readonly unknown[];
}

/** Throws UnisolatedError for a sandbox that is more than commands on this machine. */
export function refuseUnisolated({ appId, image, network, volumes = [] }: UnisolatedRequest): void {
  if (appId === '') throw new UnisolatedError('images cannot be built: RUN would change this machine');
  if (image.tree !== undefined || image.layers.length > 0)
    throw new UnisolatedError('an image with files of its own cannot be used');
  if (volumes.length > 0)
    throw new UnisolatedError('volumes cannot be mounted: they would be in the way of this machine');
  if (!network.isOpen)
    throw new UnisolatedError('no network policy can be kept: only an open network is what it says');
}

/** Why commands may find nowhere to work, and how to mend it. */
export function workspaceProblem(
  workspace = WORKSPACE,
): { what: string; why: string; fix: string } | undefined {
  try {
    const writable = existsSync(workspace) ? workspace : dirname(workspace);
    accessSync(writable, constants.W_OK | constants.X_OK);
    return undefined;
  } catch (cause) {
    return {
      what: `Sandboxes without isolation work in ${workspace}, which this user cannot write.`,
      why: cause instanceof Error ? cause.message : String(cause),
      fix: `Run: sudo mkdir -p ${workspace} /mnt/session && sudo chown "$USER" ${workspace} /mnt/session.`,
    };
  }
}
