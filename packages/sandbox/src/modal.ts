// The Sandboxes port over Modal's SDK; runs in Node.
import type { Sandbox } from 'modal';
import { isSandboxError, SandboxError } from './error.ts';
import { toEntries } from './modal/command.ts';
import { Connection, type Settings } from './modal/connection.ts';
import { isNameTaken, isNotFound, toSandboxError } from './modal/errors.ts';
import { exec } from './modal/exec.ts';
import { listFiles, readFile, stat, writeFile } from './modal/files.ts';
import { install, killRun, readRun, resetShell, startRun } from './modal/runs.ts';
import { type CreateSandbox, type Sandboxes, type SandboxRef, WORKSPACE } from './port.ts';
import { validated } from './validation.ts';

const DAY_MS = 24 * 60 * 60 * 1000;
const DEFAULT_IDLE_MS = 30 * 60 * 1000;
/** A name can be freed and taken again between two of our calls; more often than this is no accident. */
const NAME_ATTEMPTS = 3;

export interface ModalSandboxes extends Sandboxes {
  /** Drops the connections; sandboxes and their runs go on. */
  close(): void;
}

/** The settings' client decides which Modal: its own environment, or a local one at MODAL_SERVER_URL. */
export function createModalSandboxes(settings: Settings): ModalSandboxes {
  const connection = new Connection(settings);
  const creating = new Map<string, Promise<SandboxRef>>();
  const sandboxes: Sandboxes = {
    create: (request) => {
      const twin = creating.get(request.name);
      if (twin !== undefined) return twin.then((ref) => ({ ...ref, created: false }));
      const made = create(connection, request).finally(() => creating.delete(request.name));
      creating.set(request.name, made);
      return made;
    },
    findByName: async (name) => {
      const handle = await find(connection, name);
      return handle && { sandboxId: handle.sandboxId, name, created: false };
    },
    status: async (sandboxId) => {
      const exitCode = await connection.exitCode(sandboxId);
      return exitCode === null ? { state: 'running' } : { state: 'terminated', exitCode };
    },
    exec: (request, signal) => exec(connection, request, signal),
    startRun: (request, signal) => startRun(connection, request, signal),
    readRun: (request, signal) => readRun(connection, request, signal),
    killRun: (key) => killRun(connection, key),
    resetShell: (key) => resetShell(connection, key),
    readFile: (request) => readFile(connection, request),
    writeFile: (request) => writeFile(connection, request),
    listFiles: (key) => listFiles(connection, key),
    stat: (key) => stat(connection, key),
    terminate: (sandboxId) => terminate(connection, sandboxId),
    list: () => list(connection),
    health: () => health(connection),
  };
  return { ...validated(sandboxes), close: () => connection.close() };
}

async function create(connection: Connection, request: CreateSandbox): Promise<SandboxRef> {
  const { name } = request;
  // A sandbox with a variable its shell cannot export would be there, and fail every call.
  toEntries(request.env);
  for (let attempt = 1; attempt <= NAME_ATTEMPTS; attempt++) {
    const made = await make(connection, request);
    const handle = made ?? (await find(connection, name));
    if (!handle) continue;
    connection.keep(handle);
    try {
      await install(connection, handle.sandboxId);
      return { sandboxId: handle.sandboxId, name, created: made !== null };
    } catch (error) {
      if (!isSandboxError(error, 'gone')) throw error;
    }
  }
  throw new SandboxError('unavailable', `Sandboxes named "${name}" end as soon as they are made`);
}

/** Null when the name is taken. */
async function make(connection: Connection, request: CreateSandbox, retry = true): Promise<Sandbox | null> {
  const { client, image } = connection.settings;
  try {
    return await client.sandboxes.create(await connection.app(), connection.image(request.image ?? image), {
      name: request.name,
      workdir: WORKSPACE,
      timeoutMs: wholeSeconds(request.timeoutMs ?? DAY_MS),
      idleTimeoutMs: wholeSeconds(request.idleTimeoutMs ?? DEFAULT_IDLE_MS),
      env: { ...request.env },
    });
  } catch (error) {
    if (isNameTaken(error)) return null;
    connection.forgetImages();
    if (isNotFound(error) && retry) return make(connection, request, false);
    throw toSandboxError(error, 'creating a sandbox');
  }
}

async function find(connection: Connection, name: string): Promise<Sandbox | null> {
  const { client, appName } = connection.settings;
  try {
    const handle = await client.sandboxes.fromName(appName, name);
    return (await handle.poll()) === null ? handle : null;
  } catch (error) {
    if (isNotFound(error)) return null;
    throw toSandboxError(error, 'looking for a sandbox');
  }
}

async function terminate(connection: Connection, sandboxId: string): Promise<void> {
  try {
    await (await connection.handle(sandboxId)).terminate();
  } catch (error) {
    if (!isNotFound(error)) throw toSandboxError(error, 'ending a sandbox');
  } finally {
    connection.forget(sandboxId);
  }
}

async function list(connection: Connection): Promise<{ sandboxId: string }[]> {
  try {
    const { appId } = await connection.app();
    const found: { sandboxId: string }[] = [];
    for await (const { sandboxId } of connection.settings.client.sandboxes.list({ appId }))
      found.push({ sandboxId });
    return found;
  } catch (error) {
    throw toSandboxError(error, 'listing sandboxes');
  }
}

async function health(connection: Connection): Promise<{ detail: string }> {
  try {
    await connection.app(true);
    return { detail: `Modal app "${connection.settings.appName}", image ${connection.settings.image}` };
  } catch (error) {
    throw toSandboxError(error, 'asking for its health');
  }
}

function wholeSeconds(ms: number): number {
  return Math.ceil(ms / 1000) * 1000;
}
