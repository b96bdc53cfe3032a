// Memories: texts at paths of a memory store (spec §5.8). Nothing normalizes them: what is read is what was written.
import { z } from 'zod';
import { idSchema } from './ids.ts';
import { memoryPath, memoryPathPrefix, sizeOfText } from './memory-path.ts';
import { pageOf, queryInteger, timestamp } from './page.ts';
import { defineRoute } from './route.ts';

export const MAX_MEMORY_BYTES = 102_400;
export const MAX_MEMORIES = 2_000;
/** What a page has at most when it shows contents. */
export const MAX_FULL_PAGE = 20;
/** A cursor holds a path. */
const MAX_CURSOR_CHARS = 4_096;

export const memoryView = z.enum(['basic', 'full']);
export type MemoryView = z.infer<typeof memoryView>;

export const contentSha256 = z
  .string()
  .regex(/^[0-9a-f]{64}$/, 'expected a SHA-256 as 64 lower-case hexadecimal digits')
  .meta({ example: 'e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855' });

export const memory = z
  .object({
    id: idSchema('memory'),
    type: z.literal('memory'),
    memory_store_id: idSchema('memoryStore'),
    /** The version that holds what it is now. */
    memory_version_id: idSchema('memoryVersion'),
    path: z.string(),
    /** Null where contents are not shown. */
    content: z.string().nullable(),
    /** Of its UTF-8 bytes. */
    content_sha256: z.string(),
    content_size_bytes: z.int().min(0),
    created_at: timestamp,
    updated_at: timestamp,
  })
  .meta({ id: 'Memory' });
export type Memory = z.infer<typeof memory>;

/** One or more memories below a path, where a list does not go deeper. */
export const memoryPrefix = z
  .object({ type: z.literal('memory_prefix'), path: z.string().meta({ example: '/projects/foo/' }) })
  .meta({ id: 'MemoryPrefix' });

export const memoryListItem = z.discriminatedUnion('type', [memory, memoryPrefix]);
export type MemoryListItem = z.infer<typeof memoryListItem>;

const content = z
  .string()
  .refine((text) => text.isWellFormed(), 'must be Unicode text: it has half of a surrogate pair')
  .refine((text) => sizeOfText(text) <= MAX_MEMORY_BYTES, `must have at most ${MAX_MEMORY_BYTES} bytes`);

export const createMemory = z.object({ path: memoryPath, content }).meta({ id: 'CreateMemory' });

export const updateMemory = z
  .object({
    /** Absent or null: the memory stays where it is. */
    path: memoryPath.nullish(),
    /** Absent or null: it stays as it is. */
    content: content.nullish(),
    /** What has to be true of the memory for anything to be changed. */
    precondition: z.object({ type: z.literal('content_sha256'), content_sha256: contentSha256 }).nullish(),
  })
  .meta({ id: 'UpdateMemory' });

const tag = 'Memories';
const inStore = z.object({ memory_store_id: idSchema('memoryStore') });
const params = inStore.extend({ memory_id: idSchema('memory') });
const shown = z.object({ view: memoryView.default('basic') });

export const memoryRoutes = {
  create: defineRoute({
    method: 'post',
    path: '/v1/memory_stores/{memory_store_id}/memories',
    operationId: 'createMemory',
    summary: 'Create a memory at a path that is free',
    tag,
    access: 'key',
    callers: ['api_key', 'sessions_token'],
    once: true,
    params: inStore,
    query: shown,
    body: createMemory,
    response: memory,
    errors: ['not_found', 'memory_path_conflict'],
  }),
  list: defineRoute({
    method: 'get',
    path: '/v1/memory_stores/{memory_store_id}/memories',
    operationId: 'listMemories',
    summary: 'List memories by path',
    tag,
    access: 'key',
    callers: ['api_key', 'sessions_token'],
    params: inStore,
    query: z.object({
      /** Default 20, at most 100; with `view=full` a page has at most 20. */
      limit: queryInteger({ min: 1, max: 100 }).optional(),
      page: z.string().min(1).max(MAX_CURSOR_CHARS).optional(),
      path_prefix: memoryPathPrefix.optional(),
      /** 0: all below the prefix. 1: what is directly below it, and a `memory_prefix` for what is deeper. */
      depth: queryInteger({ min: 0, max: 1 }).default(0),
      view: memoryView.default('basic'),
    }),
    response: pageOf(memoryListItem),
    errors: ['not_found'],
  }),
  retrieve: defineRoute({
    method: 'get',
    path: '/v1/memory_stores/{memory_store_id}/memories/{memory_id}',
    operationId: 'retrieveMemory',
    summary: 'Retrieve a memory',
    tag,
    access: 'key',
    callers: ['api_key', 'sessions_token'],
    params,
    query: z.object({ view: memoryView.default('full') }),
    response: memory,
    errors: ['not_found'],
  }),
  update: defineRoute({
    method: 'post',
    path: '/v1/memory_stores/{memory_store_id}/memories/{memory_id}',
    operationId: 'updateMemory',
    summary: 'Change what a memory says, where it stands, or both',
    tag,
    access: 'key',
    callers: ['api_key', 'sessions_token'],
    params,
    query: shown,
    body: updateMemory,
    response: memory,
    errors: ['not_found', 'memory_path_conflict', 'memory_precondition_failed'],
  }),
  delete: defineRoute({
    method: 'delete',
    path: '/v1/memory_stores/{memory_store_id}/memories/{memory_id}',
    operationId: 'deleteMemory',
    summary: 'Delete a memory: its versions stay for a while',
    tag,
    access: 'key',
    callers: ['api_key', 'sessions_token'],
    params,
    query: z.object({ expected_content_sha256: contentSha256.optional() }),
    response: z.object({ id: idSchema('memory'), type: z.literal('memory_deleted') }),
    errors: ['not_found', 'memory_precondition_failed'],
  }),
};
