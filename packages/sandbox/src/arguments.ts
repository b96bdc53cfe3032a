// What the calls of the Sandboxes port accept and answer, as data: checked at every border, over HTTP and in process.
// Names and ids become file names and Modal names, so nothing passes here that could mean anything else there.
import { isolation } from '@capstan/schema/isolation';
import { imageLine, imageReference, resourceLimits } from '@capstan/schema/machine';
import { z } from 'zod';
import { SandboxError } from './error.ts';
import { MAX_CHUNK_BYTES, MAX_RUN_MS, MAX_WAIT_MS } from './port.ts';

const text = z.string().refine((value) => !value.includes('\0'), 'must not contain a NUL character');
const name = z.string().regex(/^[A-Za-z0-9._-]{1,64}$/, 'must be 1-64 letters, digits, ".", "_" or "-"');
const sandboxId = z.string().regex(/^[A-Za-z0-9_-]{1,128}$/, 'must be the id of a sandbox');
const runId = z.string().regex(/^[A-Za-z0-9_-]{1,128}$/, 'must be 1-128 letters, digits, "_" or "-"');
const shell = z.string().regex(/^[a-z0-9_-]{1,32}$/, 'must be 1-32 lower-case letters, digits, "_" or "-"');
const path = text.max(4096).regex(/^\//, 'must be an absolute path');
/** Where something may come to be: no Linux file system takes longer names. */
const newPath = path.refine(
  (value) => value.split('/').every((name) => new TextEncoder().encode(name).length <= 255),
  'has a name of more than 255 bytes',
);
const env = z.record(z.string(), z.string());
const imageId = z.string().regex(/^[A-Za-z0-9_-]{1,128}$/, 'must be the id of an image');
const snapshotId = z.string().regex(/^[A-Za-z0-9_-]{1,128}$/, 'must be 1-128 letters, digits, "_" or "-"');
const LABEL = '[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?';
const HOST = new RegExp(`^(?=[^:]{1,253}(:|$))(\\*\\.)?(${LABEL}\\.)*${LABEL}(:[1-9][0-9]{0,4})?$`);
const host = z
  .string()
  .max(260)
  .regex(HOST, 'must be a host in lower-case ASCII, e.g. api.example.com, *.example.com or example.com:8443')
  .refine((value) => Number(value.split(':')[1] ?? 0) <= 65_535, 'must have a port up to 65535');
const network = z.discriminatedUnion('type', [
  z.object({ type: z.literal('unrestricted') }),
  z.object({ type: z.literal('limited'), allowedHosts: z.array(host).max(1_000).readonly() }),
  z.object({ type: z.literal('blocked') }),
]);
const credentials = z
  .array(
    z.object({
      id: z.string().regex(/^[A-Za-z0-9_-]{1,128}$/, 'must be 1-128 letters, digits, "_" or "-"'),
      placeholder: z.string().regex(/^capstan_ph_[a-z0-9]{32}$/, 'must come from newPlaceholder'),
      secret: text.min(1).max(64 * 1024),
      hosts: z
        .array(z.union([z.literal('*'), host]))
        .min(1)
        .max(100)
        .readonly(),
      locations: z.object({ header: z.boolean(), query: z.boolean(), body: z.boolean() }),
    }),
  )
  .max(100)
  .readonly();
const port = z.int().min(1).max(65_535);
const command = z.union([z.string(), z.array(z.string())]).readonly();
const bytes = z.custom<Uint8Array>((value) => value instanceof Uint8Array, 'must be bytes');
const until = z.enum(['end', 'output']).optional();
const waitMs = z.int().min(0).max(MAX_WAIT_MS).optional();
const maxBytes = z.int().min(1).max(MAX_CHUNK_BYTES).optional();
const offset = z.int().min(0);
const lifetimeMs = z.int().min(1_000).max(MAX_RUN_MS).optional();

export const args = {
  create: z.object({
    name,
    image: imageReference.optional(),
    imageId: imageId.optional(),
    cpu: resourceLimits.cpu.optional(),
    memoryMiB: resourceLimits.memory.optional(),
    gpu: resourceLimits.gpu.optional(),
    network: network.optional(),
    credentials: credentials.optional(),
    env: env.optional(),
    timeoutMs: lifetimeMs,
    idleTimeoutMs: lifetimeMs,
  }),
  findByName: z.object({ name }),
  status: z.object({ sandboxId }),
  exec: z.object({
    sandboxId,
    command,
    cwd: path.optional(),
    env: env.optional(),
    stdin: bytes.optional(),
    timeoutMs: z.int().min(1).max(MAX_WAIT_MS).optional(),
    maxBytes,
  }),
  startRun: z.object({
    sandboxId,
    runId,
    command,
    cwd: path.optional(),
    env: env.optional(),
    timeoutMs: z.int().min(1).max(MAX_RUN_MS),
    waitMs,
    until,
    maxBytes,
    shell: shell.optional(),
  }),
  readRun: z.object({
    sandboxId,
    runId,
    offset,
    waitMs,
    until,
    maxBytes,
  }),
  killRun: z.object({ sandboxId, runId }),
  resetShell: z.object({ sandboxId, shell }),
  readFile: z.object({ sandboxId, path, offset: offset.optional(), maxBytes }),
  writeFile: z.object({ sandboxId, path: newPath, content: bytes }),
  listFiles: z.object({ sandboxId, path }),
  stat: z.object({ sandboxId, path }),
  buildImage: z.object({ base: imageReference.optional(), lines: z.array(imageLine).max(500).readonly() }),
  snapshot: z.object({ sandboxId, snapshotId }),
  deleteImage: z.object({ imageId }),
  expose: z.object({ sandboxId, port }),
  setNetwork: z.object({ sandboxId, network }),
  setCredentials: z.object({ sandboxId, credentials }),
  denials: z.object({ sandboxId, after: z.int().min(0).optional() }),
  terminate: z.object({ sandboxId }),
  list: z.object({}),
  capabilities: z.object({}),
  health: z.object({}),
};

const ref = z.object({
  sandboxId: z.string(),
  name: z.string(),
  created: z.boolean(),
  expiresAt: z.number(),
});
const image = z.object({ imageId: z.string() });
const outcome = z.union([
  z.object({ state: z.enum(['running', 'lost']) }),
  z.object({ state: z.enum(['exited', 'timed_out', 'killed']), exitCode: z.int() }),
]);
const runChunk = z.object({
  outcome,
  bytes,
  nextOffset: z.int(),
  eof: z.boolean(),
  truncated: z.boolean(),
  outputPath: z.string(),
  denied: z.int().optional(),
});
const fileStat = z.object({
  path: z.string(),
  type: z.enum(['file', 'directory', 'symlink', 'other']),
  sizeBytes: z.number(),
  modifiedAt: z.number(),
  mode: z.int(),
});
const nothing = z.null();

export const results = {
  create: ref,
  findByName: ref.nullable(),
  status: z.discriminatedUnion('state', [
    z.object({ state: z.literal('running'), expiresAt: z.number() }),
    z.object({ state: z.literal('terminated'), exitCode: z.int() }),
  ]),
  exec: z.object({
    exitCode: z.int(),
    stdout: bytes,
    stderr: bytes,
    timedOut: z.boolean(),
    truncated: z.boolean(),
  }),
  startRun: runChunk,
  readRun: runChunk,
  killRun: outcome,
  resetShell: nothing,
  readFile: z.object({ bytes, sizeBytes: z.number(), eof: z.boolean() }),
  writeFile: nothing,
  listFiles: z.object({ entries: z.array(fileStat), truncated: z.boolean() }),
  stat: fileStat,
  buildImage: image,
  snapshot: image,
  deleteImage: nothing,
  expose: z.object({ url: z.string(), headers: z.record(z.string(), z.string()) }),
  setNetwork: nothing,
  setCredentials: nothing,
  denials: z.array(
    z.object({ number: z.int(), target: z.string().nullable(), reason: z.string(), advice: z.string() }),
  ),
  terminate: nothing,
  list: z.array(z.object({ sandboxId: z.string() })),
  capabilities: z.object({
    isolation,
    limits: z.object({ cpu: z.boolean(), memory: z.boolean(), pids: z.boolean(), disk: z.boolean() }),
    snapshots: z.literal(true),
    gpu: z.boolean(),
  }),
  health: z.object({ detail: z.string() }),
} satisfies Record<Operation, z.ZodType>;

export type Operation = keyof typeof args;
export type Args<O extends Operation> = z.infer<(typeof args)[O]>;
export type Result<O extends Operation> = z.infer<(typeof results)[O]>;

export function isOperation(name: string): name is Operation {
  return Object.hasOwn(args, name);
}

/** The arguments, checked; throws `invalid` or `too_large` naming the argument. */
export function checkArgs<O extends Operation>(operation: O, value: unknown): Args<O> {
  const parsed = args[operation].safeParse(value);
  if (!parsed.success) throw new SandboxError('invalid', describe(parsed.error));
  const content: unknown = 'content' in parsed.data ? parsed.data.content : undefined;
  if (content instanceof Uint8Array && content.length > MAX_CHUNK_BYTES) {
    throw new SandboxError('too_large', `content: ${content.length} bytes; the limit is ${MAX_CHUNK_BYTES}`);
  }
  // TypeScript does not follow a schema through a table it is looked up in.
  return parsed.data as Args<O>;
}

/** The answer, checked; throws `internal` when it is none. */
export function checkResult<O extends Operation>(operation: O, value: unknown): Result<O> {
  const parsed = results[operation].safeParse(value);
  if (!parsed.success) {
    throw new SandboxError(
      'internal',
      `The gateway's answer to ${operation} cannot be read: ${describe(parsed.error)}`,
    );
  }
  return parsed.data as Result<O>;
}

function describe(error: z.ZodError): string {
  const [issue] = error.issues;
  return issue ? `${issue.path.join('.') || 'arguments'}: ${issue.message}` : 'arguments: not understood';
}
