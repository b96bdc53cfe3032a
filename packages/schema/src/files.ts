// Files: uploads of a tenant, and what agents leave in the outputs directory of their sandboxes (spec §5.9).
// What is uploaded is for agents to read: only what they made, or what was uploaded to be read back, is downloadable.
import { z } from 'zod';
import { idCursor, idSchema } from './ids.ts';
import { order, queryInteger, timestamp } from './page.ts';
import { defineRoute } from './route.ts';

/** What one file may have. */
export const MAX_FILE_BYTES = 500 * 1024 * 1024;
export const MAX_FILENAME_CHARS = 255;
const MAX_IDS = 100;

export const file = z
  .object({
    id: idSchema('file'),
    type: z.literal('file'),
    filename: z.string(),
    mime_type: z.string(),
    size_bytes: z.int().min(0),
    created_at: timestamp,
    downloadable: z.boolean(),
    /** From then on its content is gone. */
    expires_at: timestamp.nullable(),
    /** The session that it belongs to, and with which it is deleted. */
    scope: z.object({ type: z.literal('session'), id: idSchema('session') }).nullable(),
  })
  .meta({ id: 'File' });
export type File = z.infer<typeof file>;

/** The text parts of an upload, as they arrive. */
export const uploadFields = z.object({
  expires_in_seconds: queryInteger({ min: 3_600, max: 7_776_000 }).optional(),
  /** Our extension: an upload that can be read back. */
  downloadable: z.enum(['true', 'false']).optional(),
});

const upload = uploadFields
  .extend({ file: z.string().meta({ format: 'binary', description: 'At most 500 MiB.' }) })
  .meta({ id: 'UploadFile' });

/** Absent and empty ones mean no list. */
const ids = z
  .array(z.string())
  .transform((given) => [...new Set(given.filter((id) => id !== ''))])
  .refine((given) => given.length <= MAX_IDS, `at most ${MAX_IDS} ids`);

const tag = 'Files';
const params = z.object({ file_id: idSchema('file') });

export const fileRoutes = {
  upload: defineRoute({
    method: 'post',
    path: '/v1/files',
    operationId: 'uploadFile',
    summary: 'Upload a file',
    tag,
    access: 'key',
    once: true,
    form: upload,
    response: file,
    errors: ['invalid_request', 'too_large', 'unsupported_media_type'],
  }),
  list: defineRoute({
    method: 'get',
    path: '/v1/files',
    operationId: 'listFiles',
    summary: 'List files, newest first',
    tag,
    access: 'key',
    query: z.object({
      /** Default 20. */
      limit: queryInteger({ min: 1, max: 1000 }).optional(),
      page: z.string().min(1).max(512).optional(),
      /** The older way to turn pages: what follows, or comes before, that file. */
      after_id: idCursor('file').optional(),
      before_id: idCursor('file').optional(),
      /** These files, on one page; unknown ones are left out. */
      ids: ids.optional(),
      /** Only what that session's agents have made. */
      scope_id: z.string().min(1).max(128).optional(),
      order: order.default('desc'),
    }),
    response: z.object({
      data: z.array(file),
      next_page: z.string().nullable(),
      has_more: z.boolean(),
      first_id: z.string().nullable(),
      last_id: z.string().nullable(),
    }),
  }),
  retrieve: defineRoute({
    method: 'get',
    path: '/v1/files/{file_id}',
    operationId: 'retrieveFile',
    summary: 'Retrieve what is known of a file',
    tag,
    access: 'key',
    params,
    response: file,
    errors: ['not_found'],
  }),
  download: defineRoute({
    method: 'get',
    path: '/v1/files/{file_id}/content',
    operationId: 'downloadFile',
    summary: 'Download a file, or with `range` a piece of it',
    tag,
    access: 'key',
    params,
    bytes: { type: '*/*', ranges: true, filename: 'sales.csv', example: 'region,total\nnorth,12\nsouth,9\n' },
    response: z.string().meta({ format: 'binary' }),
    errors: ['not_found', 'precondition_failed', 'range_not_satisfiable'],
  }),
  delete: defineRoute({
    method: 'delete',
    path: '/v1/files/{file_id}',
    operationId: 'deleteFile',
    summary: 'Delete a file',
    tag,
    access: 'key',
    params,
    response: z.object({ id: idSchema('file'), type: z.literal('file_deleted') }),
    errors: ['not_found'],
  }),
};
