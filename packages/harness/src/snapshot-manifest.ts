// What a sandbox says of the snapshot it came from: a file that is written before a snapshot is taken, and so is in it.
import { isSandboxError } from '@capstan/sandbox/error';
import type { Sandboxes } from '@capstan/sandbox/port';
import { z } from 'zod';
import { persist } from './persistence.ts';

const PATH = '/var/tmp/.capstan/snapshot.json';
const MAX_BYTES = 4_096;

const manifest = z.object({ snapshot_id: z.string() });

interface Named {
  sandboxId: string;
  snapshotId: string;
}

/** False: the sandbox has no room for it. */
export async function writeManifest(
  sandboxes: Sandboxes,
  { sandboxId, snapshotId }: Named,
): Promise<boolean> {
  const content = new TextEncoder().encode(JSON.stringify({ snapshot_id: snapshotId }));
  try {
    await persist(() => sandboxes.writeFile({ sandboxId, path: PATH, content }));
    return true;
  } catch (error) {
    if (isSandboxError(error, 'quota_exceeded')) return false;
    throw error;
  }
}

/** Whether the sandbox came from that snapshot. */
export async function isFromSnapshot(
  sandboxes: Sandboxes,
  { sandboxId, snapshotId }: Named,
): Promise<boolean> {
  try {
    const read = { sandboxId, path: PATH, maxBytes: MAX_BYTES };
    const { bytes } = await persist(() => sandboxes.readFile(read));
    const found = manifest.safeParse(JSON.parse(new TextDecoder().decode(bytes)));
    return found.success && found.data.snapshot_id === snapshotId;
  } catch (error) {
    if (error instanceof SyntaxError || isSandboxError(error, 'file_not_found')) return false;
    if (isSandboxError(error, 'is_directory') || isSandboxError(error, 'forbidden')) return false;
    throw error;
  }
}
