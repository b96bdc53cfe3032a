// Credentials of vaults over HTTP. Their secrets are sealed before they are kept, and no answer has any of them.
import { type CredentialRow, openSecrets, sealSecrets } from '@capstan/db/credential-secrets';
import { stores } from '@capstan/db/stores';
import type { AuthPatch } from '@capstan/schema/credential-auth';
import { credentialRoutes, type UpdateCredential } from '@capstan/schema/credentials';
import { ApiError } from '@capstan/schema/error';
import { patchMetadata } from '@capstan/schema/metadata';
import { newId } from '@capstan/shared/ids';
import type { Sealer } from '@capstan/shared/seal';
import { answer } from '../claim.ts';
import { mount } from '../mount.ts';
import type { Surface } from '../surface.ts';
import { patchAuth, requirePublic, toAuth } from './credential-auth.ts';
import { validateCredential } from './credential-validation.ts';
import { tellSessions } from './vault-news.ts';

const UPDATE_ATTEMPTS = 5;

export function mountCredentials(surface: Surface): void {
  const { db, sealer, reach } = surface.ports;

  mount(
    surface,
    credentialRoutes.create,
    async ({ principal: { tenantId }, params, body, claim, head, now }) => {
      const { credentials, receipts } = stores(db, tenantId);
      const made = await receipts.once(claim, now, async (kept) => {
        const { shown: auth, secrets } = toAuth(body.auth, now);
        requirePublic(auth, reach);
        const id = newId('credential', now);
        const sealed = await sealSecrets(sealer, { tenantId, id }, secrets);
        const shown = { displayName: body.display_name ?? null, metadata: body.metadata ?? {}, auth };
        return credentials.create({ id, vaultId: params.vault_id, ...shown, secrets: sealed, now }, kept);
      });
      return answer(made, head);
    },
  );

  mount(surface, credentialRoutes.list, ({ principal, params, query }) =>
    stores(db, principal.tenantId).credentials.list(params.vault_id, {
      limit: query.limit,
      page: query.page,
      includeArchived: query.include_archived,
    }),
  );

  mount(surface, credentialRoutes.retrieve, ({ principal, params }) =>
    stores(db, principal.tenantId).credentials.retrieve(params.vault_id, params.credential_id),
  );

  mount(surface, credentialRoutes.update, async ({ principal: { tenantId }, params, body, now, logger }) => {
    const { vault_id: vaultId, credential_id: id } = params;
    const updated = await update(surface, { tenantId, vaultId, id, body, now });
    if (body.auth?.type === 'environment_variable')
      await tellSessions(surface.ports, { tenantId, vaultId, now, logger });
    return updated;
  });

  mount(surface, credentialRoutes.archive, async ({ principal: { tenantId }, params, now, logger }) => {
    const { vault_id: vaultId, credential_id: id } = params;
    const archived = await stores(db, tenantId).credentials.archive(vaultId, id, now);
    if (archived.auth.type === 'environment_variable')
      await tellSessions(surface.ports, { tenantId, vaultId, now, logger });
    return archived;
  });

  mount(surface, credentialRoutes.delete, async ({ principal: { tenantId }, params, now, logger }) => {
    const { vault_id: vaultId, credential_id: id } = params;
    await stores(db, tenantId).credentials.delete(vaultId, id, now);
    await tellSessions(surface.ports, { tenantId, vaultId, now, logger });
    return { id, type: 'vault_credential_deleted' as const };
  });

  mount(surface, credentialRoutes.validate, async ({ principal, params, logger }) => {
    const { credentials } = stores(db, principal.tenantId);
    const row = await credentials.row(params.vault_id, params.credential_id);
    return validateCredential({ ports: surface.ports, row, logger });
  });
}

interface Change {
  tenantId: string;
  vaultId: string;
  id: string;
  body: UpdateCredential;
  now: number;
}

/** Changes that race are made one after the other, each to what the one before it left. */
async function update({ ports: { db, sealer } }: Surface, { tenantId, vaultId, id, body, now }: Change) {
  const { credentials } = stores(db, tenantId);
  for (let attempt = 0; attempt < UPDATE_ATTEMPTS; attempt++) {
    const row = await credentials.row(vaultId, id);
    if (row.archivedAt !== null)
      throw new ApiError('invalid_request', `The credential ${id} is archived and cannot be changed`);
    const displayName = body.display_name === undefined ? row.displayName : body.display_name;
    const metadata = body.metadata ? patchMetadata(row.metadata, body.metadata) : row.metadata;
    const auth = body.auth && (await revised({ row, sealer, patch: body.auth, now }));
    const updated = await credentials.update(row, { displayName, metadata, auth }, now);
    if (updated !== null) return updated;
  }
  throw new ApiError('unavailable', 'The credential is being changed: try again', { retryAfterSeconds: 1 });
}

interface Revision {
  row: CredentialRow;
  sealer: Sealer;
  patch: AuthPatch;
  now: number;
}

async function revised({ row, sealer, patch, now }: Revision) {
  const secrets = await openSecrets(sealer, row);
  const next = patchAuth({ shown: row.auth, secrets }, patch, now);
  return { shown: next.shown, secrets: await sealSecrets(sealer, row, next.secrets) };
}
