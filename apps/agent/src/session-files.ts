// A session's files in the control plane: its resources, their content, and what its agents make.
import type { Shelf } from '@capstan/db/blob-debts';
import { tokenIdentity } from '@capstan/db/resource-rows';
import { keepOutputs } from '@capstan/db/session-outputs';
import { stores } from '@capstan/db/stores';
import type { FileContents } from '@capstan/harness/models/file-content';
import type { SessionFiles } from '@capstan/harness/workspace/session-files';
import type { SessionAddress } from '@capstan/session/address';
import { mimeTypeOf } from '@capstan/shared/mime';
import type { Sealer } from '@capstan/shared/seal';
import type { Facts } from './facts.ts';

export function sessionFiles(
  { db, blobs, sealer }: Shelf & { sealer: Sealer },
  { tenantId, sessionId }: SessionAddress,
  facts: Facts,
): SessionFiles & FileContents {
  const { files, resources } = stores(db, tenantId);
  return {
    stale: () => facts.get('mounts_stale') !== null,
    resources: () => {
      // First, so that a change that comes meanwhile is looked at again.
      facts.clear('mounts_stale');
      return resources.mountable(sessionId);
    },
    holdsTokens: async () =>
      (await resources.mountable(sessionId)).some(
        (resource) => resource.type !== 'file' && resource.hasToken,
      ),
    token: async (id) => {
      const { token } = await resources.row(sessionId, id);
      return token === null ? null : sealer.open(token, tokenIdentity(tenantId, id));
    },
    open: async (fileId) => {
      const row = await files.find(fileId);
      return row?.blob ? blobs.get(row.blob) : null;
    },
    read: async (fileId, maxBytes) => {
      const row = await files.find(fileId);
      if (row === null || row.blob === null || row.sizeBytes > maxBytes) return null;
      const stream = await blobs.get(row.blob);
      if (stream === null) return null;
      return { mimeType: row.mimeType, bytes: new Uint8Array(await new Response(stream).arrayBuffer()) };
    },
    keep: (outputs) => {
      const named = outputs.map(({ path, content }) => ({
        filename: path,
        mimeType: mimeTypeOf(path),
        content,
      }));
      return keepOutputs({ db, blobs }, { tenantId, sessionId, now: Date.now() }, named);
    },
  };
}
