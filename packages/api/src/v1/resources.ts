// Resources of a session over HTTP. Rows say what is to be mounted; the session looks at them when it is told that they
// have changed, and mounts before its next tool call.
import { tokenIdentity, toResource } from '@capstan/db/resource-rows';
import { stores } from '@capstan/db/stores';
import { ApiError } from '@capstan/schema/error';
import { resourceRoutes } from '@capstan/schema/resources';
import type { SessionAddress } from '@capstan/session/address';
import { answer } from '../claim.ts';
import { mount } from '../mount.ts';
import type { Surface } from '../surface.ts';
import { settleOrLeave } from './blob-settling.ts';
import { toNewFile } from './new-resources.ts';
import { findSession } from './session-row.ts';

export function mountResources(surface: Surface): void {
  const { db, blobs, sessions, sealer } = surface.ports;

  mount(surface, resourceRoutes.list, async ({ principal: { tenantId }, params, query }) => {
    const { id } = await findSession(db, { tenantId, sessionId: params.session_id });
    return stores(db, tenantId).resources.list(id, query);
  });

  mount(surface, resourceRoutes.add, async ({ principal: { tenantId }, params, body, claim, head, now }) => {
    const address = { tenantId, sessionId: params.session_id };
    await requireOpen(surface, address);
    await requireSandbox(surface, address);
    const { resources, receipts } = stores(db, tenantId);
    const added = { sessionId: address.sessionId, resource: toNewFile(body), now };
    const made = await receipts.once(claim, now, (kept) => resources.add(added, kept));
    await sessions.remount(address);
    return answer(made, head);
  });

  mount(surface, resourceRoutes.retrieve, async ({ principal: { tenantId }, params }) => {
    const { id } = await findSession(db, { tenantId, sessionId: params.session_id });
    return toResource(await stores(db, tenantId).resources.row(id, params.resource_id));
  });

  mount(surface, resourceRoutes.update, async ({ principal: { tenantId }, params, body, now }) => {
    const address = { tenantId, sessionId: params.session_id };
    await findSession(db, address);
    const { resources } = stores(db, tenantId);
    const row = await resources.row(address.sessionId, params.resource_id);
    if (row.type !== 'github_repository')
      throw new ApiError(
        'invalid_request',
        `${row.id} is a file: only a repository has an authorization token`,
      );
    if (!row.url?.startsWith('https:'))
      throw new ApiError(
        'invalid_request',
        'authorization_token: is sent over https only; the url is not https',
      );
    await requireOpen(surface, address);
    const token = await sealer.seal(body.authorization_token, tokenIdentity(tenantId, row.id));
    const updated = await resources.putToken(row, token, now);
    await sessions.remount(address);
    return updated;
  });

  mount(surface, resourceRoutes.delete, async ({ principal: { tenantId }, params, now, logger }) => {
    const address = { tenantId, sessionId: params.session_id };
    await findSession(db, address);
    const { resources } = stores(db, tenantId);
    const row = await resources.row(address.sessionId, params.resource_id);
    if (row.type !== 'file')
      throw new ApiError('invalid_request', `${row.id} is a repository: it stays for as long as its session`);
    await requireOpen(surface, address);
    const owed = await resources.removeFile(row, now);
    await sessions.remount(address);
    await settleOrLeave({ db, blobs }, { owed, logger });
    return { id: row.id, type: 'session_resource_deleted' as const };
  });
}

/** Refuses (`invalid_request`) a session whose tools work at its user's own. */
async function requireSandbox({ ports: { db } }: Surface, { tenantId, sessionId }: SessionAddress) {
  const place = await stores(db, tenantId).sessions.placeOf(sessionId);
  if (place?.type !== 'self_hosted') return;
  const how = 'put the file where its worker works';
  throw new ApiError(
    'invalid_request',
    `The session's environment is self_hosted: it has no sandbox; ${how}`,
  );
}

/** Refuses (`not_found`) an unknown session, and (`conflict`) one that is over. */
async function requireOpen({ ports: { db, sessions } }: Surface, address: SessionAddress): Promise<void> {
  await findSession(db, address);
  const { status } = await sessions.view(address);
  if (status === 'terminated')
    throw new ApiError('conflict', 'The session is over: nothing is mounted in it any more');
}
