// Files that events name: there, of this tenant, and such that a model can be shown them. A rubric that is a file is read
// here; images and documents are when a model is asked.
import type { Shelf } from '@capstan/db/blob-debts';
import type { FileRow } from '@capstan/db/file-rows';
import { stores } from '@capstan/db/stores';
import { ApiError } from '@capstan/schema/error';
import type { EventParam } from '@capstan/schema/events/user-events';
import { MAX_RUBRIC_CHARS } from '@capstan/schema/outcomes';
import { showingOf } from '@capstan/shared/shown-files';

interface Reference {
  fileId: string;
  /** Names it to the sender. */
  path: string;
  block: 'image' | 'document' | 'rubric';
}

export interface Referring<E> {
  tenantId: string;
  events: readonly E[];
  /** What the events are called to their sender: `events`. */
  path: string;
  /** Epoch ms. */
  now: number;
}

/** The events as a session takes them. Refuses (`invalid_request`) those that name a file which cannot be shown, naming it. */
export async function withFiles<E extends EventParam>(
  shelf: Shelf,
  { tenantId, events, path, now }: Referring<E>,
): Promise<E[]> {
  const named = events.map((event, index) => referencesOf(event, `${path}.${index}`));
  const references = named.flat();
  if (references.length === 0) return [...events];
  const rows = await stores(shelf.db, tenantId).files.rows(references.map(({ fileId }) => fileId));
  const found = new Map(rows.map((row) => [row.id, row]));
  for (const reference of references) requireShown(found.get(reference.fileId), reference, now);
  const taken: E[] = [];
  for (const event of events) taken.push(await withRubric(shelf, event, found));
  return taken;
}

function referencesOf(event: EventParam, path: string): Reference[] {
  if (event.type === 'user.define_outcome') {
    const { rubric } = event;
    if (rubric.type !== 'file') return [];
    return [{ fileId: rubric.file_id, path: `${path}.rubric.file_id`, block: 'rubric' }];
  }
  if (!('content' in event)) return [];
  return (event.content ?? []).flatMap((block, index): Reference[] => {
    if ((block.type !== 'image' && block.type !== 'document') || block.source.type !== 'file') return [];
    const { file_id: fileId } = block.source;
    return [{ fileId, path: `${path}.content.${index}.source.file_id`, block: block.type }];
  });
}

function requireShown(row: FileRow | undefined, { fileId, path, block }: Reference, now: number): void {
  const reason = 'file_not_found';
  if (row === undefined) throw new ApiError('invalid_request', `${path}: no file ${fileId}`, { reason });
  if (row.blob === null || (row.expiresAt !== null && row.expiresAt <= now))
    throw new ApiError('invalid_request', `${path}: the file ${fileId} has expired`, { reason });
  const showing = showingOf(row, block === 'image' ? 'image' : 'document');
  if (typeof showing === 'string') throw new ApiError('invalid_request', `${path}: ${fileId} ${showing}`);
  if (block === 'rubric' && showing.as !== 'text')
    throw new ApiError('invalid_request', `${path}: ${fileId} is of type ${row.mimeType}; a rubric is text`);
}

async function withRubric<E extends EventParam>(
  { blobs }: Shelf,
  event: E,
  found: ReadonlyMap<string, FileRow>,
): Promise<E> {
  if (event.type !== 'user.define_outcome' || event.rubric.type !== 'file') return event;
  const { file_id: id } = event.rubric;
  const stream = await blobs.get(found.get(id)?.blob ?? '');
  const content = stream === null ? '' : await new Response(stream).text();
  if (content.length <= MAX_RUBRIC_CHARS && content !== '')
    return { ...event, rubric: { type: 'text', content } };
  throw new ApiError(
    'invalid_request',
    `rubric: the file ${id} has ${content.length} characters; a rubric has 1 to ${MAX_RUBRIC_CHARS}`,
  );
}
