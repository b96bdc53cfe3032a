// Resources as they are asked for, made ready to be kept: each with its place, its ids and its token sealed.
import type { MemoryStoresStore, StoreStanding } from '@capstan/db/memory-stores';
import {
  type NewResource,
  type ResourceRow,
  toAttachedStore,
  tokenIdentity,
} from '@capstan/db/resource-rows';
import { ApiError } from '@capstan/schema/error';
import { collide, placeOfFile, placeOfMemoryStore, WORKSPACE_ROOT } from '@capstan/schema/mount-path';
import {
  type FileResourceParam,
  type MemoryStoreResourceParam,
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

interface Giver extends Owner {
  memoryStores: Pick<MemoryStoresStore, 'standing'>;
}

/** Refuses (`invalid_request`) two that cannot both have their place, and memory stores as they are refused. */
export async function toNewResources(params: readonly ResourceParam[], owner: Giver): Promise<NewResource[]> {
  const made: NewResource[] = [];
  const attached = await toAttached(params, owner);
  for (const [index, param] of params.entries()) {
    const id = idAt(owner.now, index);
    const resource = attached.get(index) ?? (await toNewResource(param, { ...owner, id }));
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
      throw new TypeError('made with all others of its kind');
  }
}

/** By their place in the list. Refuses (`not_found`, `invalid_request`) stores that are not there, archived, or given twice. */
async function toAttached(
  params: readonly ResourceParam[],
  { memoryStores, now }: Giver,
): Promise<Map<number, NewResource>> {
  const wanted = params.flatMap((param) => (param.type === 'memory_store' ? [param.memory_store_id] : []));
  const standing = await memoryStores.standing([...new Set(wanted)]);
  const made = new Map<number, NewResource>();
  const places: string[] = [];
  for (const [index, param] of params.entries()) {
    if (param.type !== 'memory_store') continue;
    const path = `resources.${index}.memory_store_id`;
    const store = standing.find(({ id }) => id === param.memory_store_id);
    if (wanted.indexOf(param.memory_store_id) !== places.length)
      throw new ApiError('invalid_request', `${path}: ${param.memory_store_id} is given twice; give it once`);
    if (store === undefined)
      throw new ApiError('not_found', `${path}: no memory store ${param.memory_store_id}`);
    if (store.archivedAt !== null) throw archivedStore(path, store.id);
    const mountPath = placeOfMemoryStore(store.name, places);
    places.push(mountPath);
    made.set(index, { id: idAt(now, index), mountPath, ...toAttachment(param, store) });
  }
  return made;
}

function archivedStore(path: string, id: string): ApiError {
  const reason = 'memory_store_archived';
  return new ApiError('invalid_request', `${path}: ${id} is archived; no new session can have it`, {
    reason,
  });
}

function toAttachment(
  { memory_store_id, access, instructions }: MemoryStoreResourceParam,
  { name, description }: Pick<StoreStanding, 'name' | 'description'>,
) {
  return {
    type: 'memory_store' as const,
    memoryStoreId: memory_store_id,
    access: access ?? ('read_write' as const),
    instructions: instructions ?? null,
    name,
    description,
  };
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
export async function copiesOf(rows: readonly ResourceRow[], owner: Owner): Promise<NewResource[]> {
  const copies: NewResource[] = [];
  for (const [index, row] of rows.entries())
    copies.push(await copyOf(row, { ...owner, id: idAt(owner.now, index) }));
  return copies;
}

async function copyOf(
  row: ResourceRow,
  { tenantId, sealer, id }: Owner & { id: string },
): Promise<NewResource> {
  const { type, fileId, url, checkout, mountPath, token } = row;
  switch (type) {
    case 'file':
      return { id, type, source: fileId ?? '', fileId: newId('file'), mountPath };
    case 'memory_store':
      return { id, type, mountPath, ...toAttachedStore(row) };
    case 'github_repository': {
      const opened = token === null ? null : await sealer.open(token, tokenIdentity(tenantId, row.id));
      const sealed = opened === null ? null : await sealer.seal(opened, tokenIdentity(tenantId, id));
      return { id, type, url: url ?? '', checkout, mountPath, token: sealed };
    }
  }
}
