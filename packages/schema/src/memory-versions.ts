// Memory versions: what memories were, when they changed, and who changed them (spec §5.8). They outlive their memory.
import { z } from 'zod';
import { idSchema } from './ids.ts';
import { memoryView } from './memories.ts';
import { createdAtBounds, pageOf, queryInteger, timestamp } from './page.ts';
import { defineRoute } from './route.ts';

/** How long a version is kept at least. */
export const VERSION_RETENTION_DAYS = 30;
/** So many of a memory's latest versions are kept for as long as the memory is there. */
export const RECENT_VERSIONS = 10;

export const memoryOperation = z.enum(['created', 'modified', 'deleted']);
export type MemoryOperation = z.infer<typeof memoryOperation>;

/** Who did something to a memory; the id stays when whom it names is gone. */
export const actor = z
  .discriminatedUnion('type', [
    z.object({ type: z.literal('session_actor'), session_id: idSchema('session') }),
    z.object({ type: z.literal('api_actor'), api_key_id: idSchema('apiKey') }),
    z.object({ type: z.literal('user_actor'), user_id: z.string() }),
    z.object({ type: z.literal('service_account_actor'), service_account_id: z.string() }),
  ])
  .meta({ id: 'Actor' });
export type Actor = z.infer<typeof actor>;

export const memoryVersion = z
  .object({
    id: idSchema('memoryVersion'),
    type: z.literal('memory_version'),
    memory_id: idSchema('memory'),
    memory_store_id: idSchema('memoryStore'),
    operation: memoryOperation,
    /** Null: redacted. */
    path: z.string().nullable(),
    /** Null: redacted, of a deletion, or not shown. */
    content: z.string().nullable(),
    content_sha256: z.string().nullable(),
    content_size_bytes: z.int().min(0).nullable(),
    created_at: timestamp,
    created_by: actor,
    redacted_at: timestamp.nullable(),
    /** Absent: nobody redacted it. */
    redacted_by: actor.optional(),
  })
  .meta({ id: 'MemoryVersion' });
export type MemoryVersion = z.infer<typeof memoryVersion>;

const tag = 'Memory versions';
const inStore = z.object({ memory_store_id: idSchema('memoryStore') });
const params = inStore.extend({ memory_version_id: idSchema('memoryVersion') });
const id = z.string().min(1).max(128);

export const memoryVersionRoutes = {
  list: defineRoute({
    method: 'get',
    path: '/v1/memory_stores/{memory_store_id}/memory_versions',
    operationId: 'listMemoryVersions',
    summary: 'List versions of memories, newest first',
    tag,
    access: 'key',
    params: inStore,
    query: z.object({
      /** Default 20, at most 100; with `view=full` a page has at most 20. */
      limit: queryInteger({ min: 1, max: 100 }).optional(),
      page: z.string().min(1).max(512).optional(),
      memory_id: id.optional(),
      operation: memoryOperation.optional(),
      session_id: id.optional(),
      api_key_id: id.optional(),
      service_account_id: id.optional(),
      ...createdAtBounds,
      view: memoryView.default('basic'),
    }),
    response: pageOf(memoryVersion),
    errors: ['not_found'],
  }),
  retrieve: defineRoute({
    method: 'get',
    path: '/v1/memory_stores/{memory_store_id}/memory_versions/{memory_version_id}',
    operationId: 'retrieveMemoryVersion',
    summary: 'Retrieve a version of a memory',
    tag,
    access: 'key',
    params,
    query: z.object({ view: memoryView.default('full') }),
    response: memoryVersion,
    errors: ['not_found'],
  }),
  redact: defineRoute({
    method: 'post',
    path: '/v1/memory_stores/{memory_store_id}/memory_versions/{memory_version_id}/redact',
    operationId: 'redactMemoryVersion',
    summary:
      'Take path and content out of a version for good; of a memory that is there, not out of the latest',
    tag,
    access: 'key',
    params,
    response: memoryVersion,
    errors: ['not_found'],
  }),
};
