// Resources as they are asked for, made ready to be kept: each with its place, its ids and its token sealed.
import { type NewResource, type ResourceRow, tokenIdentity } from '@capstan/db/resource-rows';
import { ApiError } from '@capstan/schema/error';
import { collide, placeOfFile, WORKSPACE_ROOT } from '@capstan/schema/mount-path';
import {
  type FileResourceParam,
  type RepositoryResourceParam,
  repositoryName,
} from '@capstan/schema/resources';
import type { CreateSession } from '@capstan/schema/sessions';
import { newId } from '@capstan/shared/ids';
import type { Sealer } from '@capstan/shared/seal';

export type ResourceParam = NonNullable<CreateSession['resources']>[number];

interface Owner {
  tenantId: string;
  sealer: Sealer;
  /** Epoch ms. */
  now: number;
}

/** Ids order by time: a millisecond apart they keep the order in which the resources were given. */
function idAt(now: number, index: number): string {
  return newId('resource', now + index);
}

/** Refuses (`invalid_request`) two that cannot both have their place. */
export async function toNewResources(params: readonly ResourceParam[], owner: Owner): Promise<NewResource[]> {
  const made: NewResource[] = [];
  for (const [index, param] of params.entries()) {
    const resource = await toNewResource(param, { ...owner, id: idAt(owner.now, index) });
    const other = made.findIndex(({ mountPath }) => collide(mountPath, resource.mountPath));
    if (other !== -1)
      throw new ApiError(
        'invalid_request',
        `resources.${index}.mount_path: ${resource.mountPath} lies at, above or below that of resources.${other}; choose another one`,
      );
    made.push(resource);
  }
  return made;
}

async function toNewResource(param: ResourceParam, owner: Owner & { id: string }): Promise<NewResource> {
  switch (param.type) {
    case 'file':
      return toNewFile(param, owner.id);
    case 'github_repository':
      return toNewRepository(param, owner);
    case 'memory_store':
      // The schema lets none through.
      throw new ApiError('invalid_request', 'memory stores are not supported by this server yet');
  }
}

export function toNewFile({ file_id, mount_path }: FileResourceParam, id = newId('resource')) {
  const mountPath = placeOfFile(mount_path, file_id);
  return { id, type: 'file' as const, source: file_id, fileId: newId('file'), mountPath };
}

async function toNewRepository(
  param: RepositoryResourceParam,
  { tenantId, sealer, id }: Owner & { id: string },
): Promise<NewResource> {
  const { url, checkout = null, authorization_token: token, mount_path } = param;
  return {
    id,
    type: 'github_repository',
    url,
    checkout,
    mountPath: mount_path ?? `${WORKSPACE_ROOT}/${repositoryName(url)}`,
    token: token === undefined ? null : await sealer.seal(token, tokenIdentity(tenantId, id)),
  };
}

/** The resources of a session for another one that begins like it. */
export async function copiesOf(
  rows: readonly ResourceRow[],
  { tenantId, sealer, now }: Owner,
): Promise<NewResource[]> {
  const copies: NewResource[] = [];
  for (const [index, { id: from, type, fileId, url, checkout, mountPath, token }] of rows.entries()) {
    const id = idAt(now, index);
    if (type === 'file') copies.push({ id, type, source: fileId ?? '', fileId: newId('file'), mountPath });
    else {
      const opened = token === null ? null : await sealer.open(token, tokenIdentity(tenantId, from));
      const sealed = opened === null ? null : await sealer.seal(opened, tokenIdentity(tenantId, id));
      copies.push({ id, type, url: url ?? '', checkout, mountPath, token: sealed });
    }
  }
  return copies;
}
