// Rows of memories and their versions, and the resources as the API shows them.
import type { Memory } from '@capstan/schema/memories';
import type { Actor, MemoryVersion } from '@capstan/schema/memory-versions';
import type { ActorType, memories, memoryVersions } from './tables/memories.ts';
import { toTimestamp } from './timestamp.ts';

export type MemoryRow = typeof memories.$inferSelect;
export type VersionRow = typeof memoryVersions.$inferSelect;

/** `content` null: not shown. */
export function toMemory(row: MemoryRow, content: string | null): Memory {
  return {
    id: row.id,
    type: 'memory',
    memory_store_id: row.storeId,
    memory_version_id: row.versionId,
    path: row.path,
    content,
    content_sha256: row.contentSha256,
    content_size_bytes: row.contentSizeBytes,
    created_at: toTimestamp(row.createdAt),
    updated_at: toTimestamp(row.updatedAt),
  };
}

export function toVersion(row: Omit<VersionRow, 'tenantId' | 'expiresAt'>): MemoryVersion {
  const { redactedByType, redactedById } = row;
  return {
    id: row.id,
    type: 'memory_version',
    memory_id: row.memoryId,
    memory_store_id: row.storeId,
    operation: row.operation,
    path: row.path,
    content: row.content,
    content_sha256: row.contentSha256,
    content_size_bytes: row.contentSizeBytes,
    created_at: toTimestamp(row.createdAt),
    created_by: toActor(row.actorType, row.actorId),
    redacted_at: row.redactedAt === null ? null : toTimestamp(row.redactedAt),
    ...(redactedByType !== null && { redacted_by: toActor(redactedByType, redactedById ?? '') }),
  };
}

export function actorColumns(actor: Actor): { type: ActorType; id: string } {
  switch (actor.type) {
    case 'session_actor':
      return { type: actor.type, id: actor.session_id };
    case 'api_actor':
      return { type: actor.type, id: actor.api_key_id };
    case 'user_actor':
      return { type: actor.type, id: actor.user_id };
    case 'service_account_actor':
      return { type: actor.type, id: actor.service_account_id };
  }
}

function toActor(type: ActorType, id: string): Actor {
  switch (type) {
    case 'session_actor':
      return { type, session_id: id };
    case 'api_actor':
      return { type, api_key_id: id };
    case 'user_actor':
      return { type, user_id: id };
    case 'service_account_actor':
      return { type, service_account_id: id };
  }
}

/** Lower-case hex, of the UTF-8 bytes. */
export async function sha256Of(text: string): Promise<string> {
  const digest = await crypto.subtle.digest('SHA-256', new TextEncoder().encode(text));
  return Array.from(new Uint8Array(digest), (byte) => byte.toString(16).padStart(2, '0')).join('');
}
