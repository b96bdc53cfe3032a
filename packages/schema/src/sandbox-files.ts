// Files of a session's sandbox while it runs: our extension. Paths are the sandbox's own and are resolved inside it.
import { z } from 'zod';
import { idSchema } from './ids.ts';
import { timestamp } from './page.ts';
import { defineRoute } from './route.ts';

export const sandboxFile = z
  .object({
    path: z.string(),
    type: z.enum(['file', 'directory', 'symlink', 'other']),
    size_bytes: z.int(),
    modified_at: timestamp,
    /** Permissions in octal, e.g. `0644`. */
    mode: z.string(),
  })
  .meta({ id: 'SandboxFile' });
export type SandboxFile = z.infer<typeof sandboxFile>;

const path = z
  .string()
  .max(4_096)
  .regex(/^\//, 'must be absolute, i.e. begin with "/"')
  .refine((text) => !text.includes('\0'), 'must not contain NUL');

const tag = 'Sandbox files';
const params = z.object({ session_id: idSchema('session') });
const query = z.object({ path: path.default('/workspace') });

export const sandboxFileRoutes = {
  list: defineRoute({
    method: 'get',
    path: '/v1/sessions/{session_id}/sandbox/files',
    operationId: 'listSandboxFiles',
    summary: "List a directory of the session's sandbox",
    tag,
    access: 'key',
    params,
    query,
    response: z.object({ data: z.array(sandboxFile), truncated: z.boolean() }),
    errors: ['not_found', 'conflict', 'unavailable'],
  }),
  read: defineRoute({
    method: 'get',
    path: '/v1/sessions/{session_id}/sandbox/files/content',
    operationId: 'readSandboxFile',
    summary: "Read a file of the session's sandbox",
    tag,
    access: 'key',
    params,
    query,
    bytes: { type: '*/*', filename: 'sales.csv', example: 'region,total\nnorth,12\nsouth,9\n' },
    response: z.string().meta({ format: 'binary' }),
    errors: ['not_found', 'conflict', 'unavailable'],
  }),
  write: defineRoute({
    method: 'post',
    path: '/v1/sessions/{session_id}/sandbox/files/content',
    operationId: 'writeSandboxFile',
    summary: "Write a file into the session's sandbox, which is made or restored for it",
    tag,
    access: 'key',
    params,
    query,
    raw: true,
    response: z.object({ path: z.string(), size_bytes: z.int() }),
    errors: ['not_found', 'conflict', 'too_large', 'unavailable'],
  }),
  archive: defineRoute({
    method: 'get',
    path: '/v1/sessions/{session_id}/sandbox/files/archive',
    operationId: 'archiveSandboxFiles',
    summary: "Download a directory of the session's sandbox as a tar archive",
    tag,
    access: 'key',
    params,
    query,
    bytes: { type: 'application/x-tar', filename: 'workspace.tar' },
    response: z.string().meta({ format: 'binary' }),
    errors: ['not_found', 'conflict', 'too_large', 'unavailable'],
  }),
};
