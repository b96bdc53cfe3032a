// Making sandboxes over Modal, and finding those that were made. A name belongs to one live sandbox, by Modal's word.
import type { Sandbox } from 'modal';
import { isSandboxError, SandboxError } from '../error.ts';
import { type CreateSandbox, MAX_RUN_MS, type SandboxRef, WORKSPACE } from '../port.ts';
import { toEntries } from './command.ts';
import type { Connection } from './connection.ts';
import { isNameTaken, isNotFound, toSandboxError } from './errors.ts';
import { type Images, noSuchImage, toImageError } from './images.ts';
import { toCreateParams } from './network.ts';
import { install } from './preparation.ts';
import { EXPIRY_TAG } from './tags.ts';

const DEFAULT_IDLE_MS = 30 * 60 * 1000;
/** A name can be freed and taken again between two of our calls; more often than this is no accident. */
const NAME_ATTEMPTS = 3;

export interface Workshop {
  connection: Connection;
  images: Images;
}

export async function create(workshop: Workshop, request: CreateSandbox): Promise<SandboxRef> {
  const { connection } = workshop;
  const { name } = request;
  // A sandbox with a variable its shell cannot export would be there, and fail every call.
  toEntries(request.env);
  for (let attempt = 1; attempt <= NAME_ATTEMPTS; attempt++) {
    const { handle, created } = await obtain(workshop, request);
    if (!handle) continue;
    connection.keep(handle);
    const { sandboxId } = handle;
    try {
      const [expiresAt] = await Promise.all([
        connection.expiresAt(sandboxId),
        install(connection, sandboxId),
      ]);
      return { sandboxId, name, created, expiresAt };
    } catch (error) {
      if (!isSandboxError(error, 'gone')) throw error;
    }
  }
  throw new SandboxError('unavailable', `Sandboxes named "${name}" end as soon as they are made`);
}

interface Obtained {
  handle: Sandbox | null;
  created: boolean;
}

async function obtain(workshop: Workshop, request: CreateSandbox): Promise<Obtained> {
  try {
    const made = await make(workshop, request);
    if (made) return { handle: made, created: true };
  } catch (error) {
    // The image of a sandbox may be gone while the sandbox lives.
    const alive = isSandboxError(error, 'image_not_found') && (await find(workshop.connection, request.name));
    if (!alive) throw error;
    return { handle: alive, created: false };
  }
  return { handle: await find(workshop.connection, request.name), created: false };
}

/** Null when the name is taken. */
async function make(workshop: Workshop, request: CreateSandbox, retry = true): Promise<Sandbox | null> {
  const { connection, images } = workshop;
  const params = toParams(connection, request);
  // Before Modal's own clock begins: it ends no earlier than this.
  const expiresAt = Date.now() + params.timeoutMs;
  try {
    const [app, image] = await Promise.all([connection.app(), images.of(request)]);
    const tags = { [EXPIRY_TAG]: String(expiresAt) };
    const handle = await connection.settings.client.sandboxes.create(app, image, { ...params, tags });
    connection.keepExpiry(handle.sandboxId, expiresAt);
    return handle;
  } catch (error) {
    if (isNameTaken(error)) return null;
    if (isSandboxError(error)) throw error;
    images.forget();
    if (isNotFound(error) && retry) return make(workshop, request, false);
    if (isNotFound(error) && request.imageId !== undefined) throw noSuchImage(request.imageId, error);
    throw toImageError(connection, error, 'creating a sandbox');
  }
}

function toParams({ settings }: Connection, request: CreateSandbox) {
  const { name, env, cpu, memoryMiB, gpu, network = { type: 'unrestricted' } } = request;
  if (gpu !== undefined && settings.capabilities?.gpu === false)
    throw new SandboxError('invalid', 'gpu: this backend has none; leave it out');
  return {
    name,
    workdir: WORKSPACE,
    timeoutMs: wholeSeconds(request.timeoutMs ?? MAX_RUN_MS),
    idleTimeoutMs: wholeSeconds(request.idleTimeoutMs ?? DEFAULT_IDLE_MS),
    env: { ...env },
    ...(cpu !== undefined && { cpu, cpuLimit: cpu }),
    ...(memoryMiB !== undefined && { memoryMiB, memoryLimitMiB: memoryMiB }),
    ...(gpu !== undefined && { gpu }),
    ...toCreateParams(network, settings.proxy),
  };
}

export async function find(connection: Connection, name: string): Promise<Sandbox | null> {
  const { client, appName } = connection.settings;
  try {
    const handle = await client.sandboxes.fromName(appName, name);
    return (await handle.poll()) === null ? handle : null;
  } catch (error) {
    if (isNotFound(error)) return null;
    throw toSandboxError(error, 'looking for a sandbox');
  }
}

function wholeSeconds(ms: number): number {
  return Math.ceil(ms / 1000) * 1000;
}
