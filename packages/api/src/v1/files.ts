// Files over HTTP. Rows say what a file is, blobs hold what is in it: a blob is there before its row, and goes after it.
import type { Shelf } from '@capstan/db/blob-debts';
import { type FileRow, toFile } from '@capstan/db/file-rows';
import { stores } from '@capstan/db/stores';
import { ApiError, isApiError } from '@capstan/schema/error';
import { type File, fileRoutes } from '@capstan/schema/files';
import type { RouteInput } from '@capstan/schema/route';
import type { Call } from '../call.ts';
import { answer, readClaim } from '../claim.ts';
import { mount } from '../mount.ts';
import type { Surface } from '../surface.ts';
import { settleOrLeave } from './blob-settling.ts';
import { download } from './downloads.ts';
import { receiveUpload, type Upload } from './uploads.ts';

const DEFAULT_LIMIT = 20;

export function mountFiles(surface: Surface): void {
  const { db, blobs } = surface.ports;
  const shelf = { db, blobs };

  mount(surface, fileRoutes.upload, (call) => upload(shelf, call));

  mount(surface, fileRoutes.list, async ({ principal, query }) => {
    const { files } = stores(db, principal.tenantId);
    const { ids = [], scope_id } = query;
    if (ids.length === 0) return inBothStyles(await files.list(toFilter(query)));
    if (query.page !== undefined || query.limit !== undefined)
      throw new ApiError('invalid_request', 'ids: cannot be given together with page or limit');
    return inBothStyles({ data: await files.pick(ids, scope_id), next_page: null, has_more: false });
  });

  mount(surface, fileRoutes.retrieve, async ({ principal, params }) =>
    toFile(await stores(db, principal.tenantId).files.row(params.file_id)),
  );

  mount(surface, fileRoutes.download, async ({ principal, params, request, now }) => {
    const row = await stores(db, principal.tenantId).files.row(params.file_id);
    const blob = readable(row, now);
    const open = async (range?: { offset: number; length: number }) => {
      const body = await blobs.get(blob, range);
      if (body !== null) return body;
      throw new ApiError('internal', 'The content of the file is missing');
    };
    return download(request, { ...row, open });
  });

  mount(surface, fileRoutes.delete, async ({ principal, params, now, logger }) => {
    const { file_id: id } = params;
    const owed = await stores(db, principal.tenantId).files.remove(id, now);
    if (owed === null) throw new ApiError('not_found', `No file ${id}`);
    await settleOrLeave(shelf, { owed, logger });
    return { id, type: 'file_deleted' as const };
  });
}

async function upload(shelf: Shelf, call: Call<typeof fileRoutes.upload>): Promise<File> {
  const { principal, request, head, now, logger } = call;
  const { files, receipts } = stores(shelf.db, principal.tenantId);
  const expected = await files.expect(now);
  const drop = () => settleOrLeave(shelf, { owed: [expected.blob], logger });
  try {
    const received = await receiveUpload(request, shelf.blobs, expected.blob);
    const claim = await readClaim(request, principal, fingerprintOf(received));
    const made = await receipts.once(claim, now, (kept) =>
      files.create({ ...toNewFile(received, now), ...expected, now }, kept),
    );
    if (made.reply.id !== expected.id) await drop();
    return answer(made, head);
  } catch (error) {
    // Of any other failure nobody knows whether the file was kept: what was not is swept.
    if (isApiError(error)) await drop();
    throw error;
  }
}

function toNewFile({ filename, mimeType, content, ...fields }: Upload, now: number) {
  const { expires_in_seconds: seconds, downloadable } = fields;
  return {
    kind: 'upload' as const,
    filename,
    mimeType,
    content,
    downloadable: downloadable === 'true',
    expiresAt: seconds === undefined ? null : now + seconds * 1000,
  };
}

/** The same form is sent with another boundary each time: what it says is the body. */
function fingerprintOf({ content, ...said }: Upload): string {
  return JSON.stringify({ ...said, ...content });
}

function toFilter(query: RouteInput<typeof fileRoutes.list>['query']) {
  const { limit = DEFAULT_LIMIT, page, order, scope_id, after_id, before_id } = query;
  const given = [page, after_id, before_id].filter((position) => position !== undefined);
  if (given.length > 1)
    throw new ApiError('invalid_request', 'page, after_id and before_id: give one of them at most');
  const side = after_id === undefined ? ('before' as const) : ('after' as const);
  const id = after_id ?? before_id;
  return { limit, page, order, sessionId: scope_id, near: id === undefined ? undefined : { id, side } };
}

function inBothStyles(page: { data: File[]; next_page: string | null; has_more: boolean }) {
  return { ...page, first_id: page.data[0]?.id ?? null, last_id: page.data.at(-1)?.id ?? null };
}

/** Where the content is. Refuses what may not be downloaded, or no longer. */
function readable({ id, blob, expiresAt, downloadable }: FileRow, now: number): string {
  if (blob === null || (expiresAt !== null && expiresAt <= now))
    throw new ApiError('not_found', `The file ${id} has expired`, { reason: 'file_expired' });
  if (downloadable) return blob;
  throw new ApiError(
    'invalid_request',
    `The file ${id} was uploaded for agents to read: only files that agents make can be downloaded, and uploads with downloadable=true`,
    { reason: 'file_not_downloadable' },
  );
}
