// Memory stores: named collections of text that outlive sessions and are shared between them (spec §5.8).
import { z } from 'zod';
import { idSchema } from './ids.ts';
import { metadata, metadataPatch } from './metadata.ts';
import { createdAtBounds, pageOf, pageQuery, queryBoolean, timestamp } from './page.ts';
import { defineRoute } from './route.ts';

export const MAX_STORE_NAME_CHARS = 255;
export const MAX_STORE_DESCRIPTION_CHARS = 1_024;

export const memoryStore = z
  .object({
    id: idSchema('memoryStore'),
    type: z.literal('memory_store'),
    name: z.string(),
    /** Empty: there is none. */
    description: z.string(),
    metadata,
    created_at: timestamp,
    /** Changes to its memories do not touch it. */
    updated_at: timestamp,
    archived_at: timestamp.nullable(),
  })
  .meta({ id: 'MemoryStore' });
export type MemoryStore = z.infer<typeof memoryStore>;

const name = z
  .string()
  .min(1)
  .max(MAX_STORE_NAME_CHARS)
  .regex(/^[^\p{Cc}\p{Cs}]*$/u, 'must not have control characters')
  .meta({ example: 'User preferences' });
const description = z.string().max(MAX_STORE_DESCRIPTION_CHARS);

export const createMemoryStore = z
  .object({ name, description: description.nullish(), metadata: metadata.nullish() })
  .meta({ id: 'CreateMemoryStore' });

/** What is absent stays as it is; a null or empty description clears it. */
export const updateMemoryStore = z
  .object({ name: name.nullish(), description: description.nullish(), metadata: metadataPatch.nullish() })
  .meta({ id: 'UpdateMemoryStore' });

const tag = 'Memory stores';
const params = z.object({ memory_store_id: idSchema('memoryStore') });

export const memoryStoreRoutes = {
  create: defineRoute({
    method: 'post',
    path: '/v1/memory_stores',
    operationId: 'createMemoryStore',
    summary: 'Create a memory store',
    tag,
    access: 'key',
    once: true,
    body: createMemoryStore,
    response: memoryStore,
  }),
  list: defineRoute({
    method: 'get',
    path: '/v1/memory_stores',
    operationId: 'listMemoryStores',
    summary: 'List memory stores, newest first',
    tag,
    access: 'key',
    query: pageQuery({ default: 20, max: 100 }).extend({
      ...createdAtBounds,
      include_archived: queryBoolean.default(false),
    }),
    response: pageOf(memoryStore),
  }),
  retrieve: defineRoute({
    method: 'get',
    path: '/v1/memory_stores/{memory_store_id}',
    operationId: 'retrieveMemoryStore',
    summary: 'Retrieve a memory store',
    tag,
    access: 'key',
    params,
    response: memoryStore,
    errors: ['not_found'],
  }),
  update: defineRoute({
    method: 'post',
    path: '/v1/memory_stores/{memory_store_id}',
    operationId: 'updateMemoryStore',
    summary: 'Change a memory store: sessions that exist keep the name and description it had',
    tag,
    access: 'key',
    params,
    body: updateMemoryStore,
    response: memoryStore,
    errors: ['not_found'],
  }),
  archive: defineRoute({
    method: 'post',
    path: '/v1/memory_stores/{memory_store_id}/archive',
    operationId: 'archiveMemoryStore',
    summary: 'Archive a memory store: from then on it is read-only, and no new session can have it',
    tag,
    access: 'key',
    params,
    response: memoryStore,
    errors: ['not_found'],
  }),
  delete: defineRoute({
    method: 'delete',
    path: '/v1/memory_stores/{memory_store_id}',
    operationId: 'deleteMemoryStore',
    summary: 'Delete a memory store with its memories and their versions',
    tag,
    access: 'key',
    params,
    response: z.object({ id: idSchema('memoryStore'), type: z.literal('memory_store_deleted') }),
    errors: ['not_found'],
  }),
};
