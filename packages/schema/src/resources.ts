// Session resources: what is mounted in a session's sandbox (spec §5.3). A token that is given is never shown again.
import { z } from 'zod';
import { idSchema } from './ids.ts';
import { fileMountPath, isWithin, mountPath, WORKSPACE_ROOT } from './mount-path.ts';
import { queryInteger, timestamp } from './page.ts';
import { defineRoute } from './route.ts';

export const MAX_FILE_RESOURCES = 500;
export const MAX_MEMORY_STORE_RESOURCES = 8;
export const MAX_INSTRUCTIONS_CHARS = 4_096;
const MAX_REPOSITORIES = 20;

const times = { created_at: timestamp, updated_at: timestamp };

const checkout = z.discriminatedUnion('type', [
  z.object({
    type: z.literal('branch'),
    name: z.string().max(255).refine(isBranchName, 'is not a name that git gives to branches'),
  }),
  z.object({
    type: z.literal('commit'),
    sha: z.string().regex(/^[0-9a-fA-F]{7,64}$/, 'expected 7 to 64 hexadecimal digits'),
  }),
]);
export type Checkout = z.infer<typeof checkout>;

const fileResource = z
  .object({
    id: idSchema('resource'),
    type: z.literal('file'),
    /** The session's own copy. */
    file_id: idSchema('file'),
    mount_path: z.string(),
    ...times,
  })
  .meta({ id: 'FileResource' });
export type FileResource = z.infer<typeof fileResource>;
const repositoryResource = z
  .object({
    id: idSchema('resource'),
    type: z.literal('github_repository'),
    url: z.string(),
    mount_path: z.string(),
    checkout: checkout.nullable(),
    ...times,
  })
  .meta({ id: 'RepositoryResource' });
export const memoryAccess = z.enum(['read_write', 'read_only']);
export type MemoryAccess = z.infer<typeof memoryAccess>;
/** Given at the creation of a session, it stays as it is: there is nothing to name it by. */
const memoryStoreResource = z
  .object({
    type: z.literal('memory_store'),
    memory_store_id: idSchema('memoryStore'),
    access: memoryAccess,
    instructions: z.string().nullable(),
    /** As the store was called then. */
    name: z.string(),
    description: z.string(),
    mount_path: z.string().meta({ example: '/mnt/memory/user-preferences' }),
  })
  .meta({ id: 'MemoryStoreResource' });
export const sessionResource = z.discriminatedUnion('type', [
  fileResource,
  repositoryResource,
  memoryStoreResource,
]);
export type SessionResource = z.infer<typeof sessionResource>;

const token = z
  .string()
  .min(1)
  .max(4_096)
  .regex(/^[\x21-\x7e]+$/, 'expected printable ASCII characters without spaces');

const fileParam = z
  .object({ type: z.literal('file'), file_id: idSchema('file'), mount_path: fileMountPath.nullish() })
  .meta({ id: 'FileResourceParam' });
export type FileResourceParam = z.infer<typeof fileParam>;

const repository = {
  type: z.literal('github_repository'),
  url: z
    .string()
    .max(2_048)
    .superRefine((url, context) => {
      const problem = urlProblem(url);
      if (problem !== null) context.addIssue({ code: 'custom', message: problem });
    }),
  checkout: checkout.nullish(),
  mount_path: mountPath
    .refine((path) => isWithin(path, WORKSPACE_ROOT), `must be below ${WORKSPACE_ROOT}`)
    .nullish(),
};

const repositoryParam = z
  .object({ ...repository, authorization_token: token.optional() })
  .refine(({ url, authorization_token }) => authorization_token === undefined || url.startsWith('https:'), {
    path: ['authorization_token'],
    message: 'is sent over https only; give an https url',
  })
  .meta({ id: 'RepositoryResourceParam' });
export type RepositoryResourceParam = z.infer<typeof repositoryParam>;

const memoryStoreParam = z
  .object({
    type: z.literal('memory_store'),
    memory_store_id: idSchema('memoryStore'),
    /** Default `read_write`. */
    access: memoryAccess.nullish(),
    /** Told to the agent, with the name and description of the store. */
    instructions: z.string().max(MAX_INSTRUCTIONS_CHARS).nullish(),
  })
  .meta({ id: 'MemoryStoreResourceParam' });
export type MemoryStoreResourceParam = z.infer<typeof memoryStoreParam>;

/** A memory store as the session that has it knows it. */
export interface AttachedMemoryStore {
  memoryStoreId: string;
  access: MemoryAccess;
  instructions: string | null;
  name: string;
  description: string;
  mountPath: string;
}

/** What the sessions of a deployment are created with, as it is shown: no token is. */
export const resourceConfig = z
  .discriminatedUnion('type', [
    fileParam,
    z.object(repository).meta({ id: 'RepositoryResourceConfig' }),
    memoryStoreParam,
  ])
  .meta({ id: 'ResourceConfig' });
export type ResourceConfig = z.infer<typeof resourceConfig>;

/** What a session can be created with. */
export const resourceParams = z
  .array(z.discriminatedUnion('type', [fileParam, repositoryParam, memoryStoreParam]))
  .superRefine((params, context) => {
    const count = (type: string) => params.filter((param) => param.type === type).length;
    const refuse = (message: string) => context.addIssue({ code: 'custom', message });
    if (count('file') > MAX_FILE_RESOURCES) refuse(`at most ${MAX_FILE_RESOURCES} files`);
    if (count('github_repository') > MAX_REPOSITORIES) refuse(`at most ${MAX_REPOSITORIES} repositories`);
    if (count('memory_store') > MAX_MEMORY_STORE_RESOURCES)
      refuse(`at most ${MAX_MEMORY_STORE_RESOURCES} memory stores`);
  });

export const addResource = z
  .object({
    type: z.literal('file', 'only files can be added to a session; others are given at its creation'),
    file_id: idSchema('file'),
    mount_path: fileMountPath.nullish(),
  })
  .meta({ id: 'AddResource' });

export const updateResource = z.object({ authorization_token: token }).meta({ id: 'UpdateResource' });

function urlProblem(text: string): string | null {
  const url = URL.canParse(text) ? new URL(text) : null;
  if (url === null || (url.protocol !== 'https:' && url.protocol !== 'http:'))
    return 'expected the https url of a repository, e.g. "https://github.com/owner/name"';
  if (url.username !== '' || url.password !== '')
    return 'must not have credentials in it; give them as authorization_token';
  if (url.search !== '' || url.hash !== '') return 'must not have a query or a fragment';
  const segments = url.pathname.replace(/\/$/, '').slice(1).split('/');
  // As it is written, or a parser would name something else than a reader sees.
  const written = text.replace(/^https?:\/\/[^/]*\//, '').replace(/\/$/, '') === segments.join('/');
  if (!written || segments.some((segment) => !/^[\w.~-]+$/.test(segment)) || repositoryName(text) === '')
    return 'must name a repository, e.g. "https://github.com/owner/name"';
  return url.hostname === 'github.com' && segments.length !== 2
    ? 'must name an owner and a repository: "https://github.com/owner/name"'
    : null;
}

/** The last component of its url, without `.git`. */
export function repositoryName(url: string): string {
  const last = url.replace(/\/+$/, '').split('/').at(-1) ?? '';
  const name = last.replace(/\.git$/, '');
  return name === '.' || name === '..' ? '' : name;
}

/** A part of `git check-ref-format`. */
function isBranchName(name: string): boolean {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: git refuses them
  const forbidden = /[\x00-\x20\x7f~^:?*[\\]|\.\.|@\{|\/\/|^[-/.]|\/\.|[/.]$|\.lock(\/|$)|^@$/;
  return name !== '' && !forbidden.test(name);
}

const tag = 'Session resources';
const inSession = z.object({ session_id: idSchema('session') });
const params = inSession.extend({ resource_id: idSchema('resource') });

export const resourceRoutes = {
  list: defineRoute({
    method: 'get',
    path: '/v1/sessions/{session_id}/resources',
    operationId: 'listSessionResources',
    summary: 'List what is mounted in the sandbox of a session',
    tag,
    access: 'key',
    params: inSession,
    query: z.object({
      /** All of them when absent. */
      limit: queryInteger({ min: 1, max: 1000 }).default(1000),
      page: z.string().min(1).max(512).optional(),
    }),
    response: z.object({ data: z.array(sessionResource), next_page: z.string().nullable() }),
    errors: ['not_found'],
  }),
  add: defineRoute({
    method: 'post',
    path: '/v1/sessions/{session_id}/resources',
    operationId: 'addSessionResource',
    summary: 'Mount another file',
    tag,
    access: 'key',
    once: true,
    params: inSession,
    body: addResource,
    response: fileResource,
    errors: ['not_found', 'conflict'],
  }),
  retrieve: defineRoute({
    method: 'get',
    path: '/v1/sessions/{session_id}/resources/{resource_id}',
    operationId: 'retrieveSessionResource',
    summary: 'Retrieve a resource of a session',
    tag,
    access: 'key',
    params,
    response: sessionResource,
    errors: ['not_found'],
  }),
  update: defineRoute({
    method: 'post',
    path: '/v1/sessions/{session_id}/resources/{resource_id}',
    operationId: 'updateSessionResource',
    summary: 'Replace the authorization token of a repository',
    tag,
    access: 'key',
    params,
    body: updateResource,
    response: sessionResource,
    errors: ['not_found', 'conflict'],
  }),
  delete: defineRoute({
    method: 'delete',
    path: '/v1/sessions/{session_id}/resources/{resource_id}',
    operationId: 'deleteSessionResource',
    summary: 'Take a file out of the sandbox of a session',
    tag,
    access: 'key',
    params,
    response: z.object({ id: idSchema('resource'), type: z.literal('session_resource_deleted') }),
    errors: ['not_found', 'conflict'],
  }),
};
