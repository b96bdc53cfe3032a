// The Sandboxes port over Modal's SDK; runs in Node.
import { isSandboxError, SandboxError } from './error.ts';
import { Connection, type Settings } from './modal/connection.ts';
import { create, find } from './modal/creation.ts';
import { isNotFound, toSandboxError } from './modal/errors.ts';
import { exec } from './modal/exec.ts';
import { listFiles, readFile, stat, writeFile } from './modal/files.ts';
import { Images } from './modal/images.ts';
import { toUpdateParams } from './modal/network.ts';
import { killRun, readRun, resetShell, startRun } from './modal/runs.ts';
import { Snapshots } from './modal/snapshots.ts';
import type {
  ExposedPort,
  NetworkPolicy,
  SandboxCapabilities,
  Sandboxes,
  SandboxRef,
  SandboxStatus,
} from './port.ts';
import { validated } from './validation.ts';

/** Modal's sandboxes run in gVisor. It documents no limit of processes. */
const MODAL: SandboxCapabilities = {
  isolation: 'gvisor',
  limits: { cpu: true, memory: true, pids: false, disk: true },
  snapshots: true,
  gpu: true,
};

export interface ModalSandboxes extends Sandboxes {
  /** Drops the connections; sandboxes and their runs go on. */
  close(): void;
}

/** The settings' client decides which Modal: its own environment, or a local one at MODAL_SERVER_URL. */
export function createModalSandboxes(settings: Settings): ModalSandboxes {
  const connection = new Connection(settings);
  const images = new Images(connection);
  const snapshots = new Snapshots(connection);
  const creating = new Map<string, Promise<SandboxRef>>();
  const sandboxes: Sandboxes = {
    create: (request) => {
      if (request.credentials !== undefined) return noCredentials();
      const twin = creating.get(request.name);
      if (twin !== undefined) return twin.then((ref) => ({ ...ref, created: false }));
      const made = create({ connection, images }, request).finally(() => creating.delete(request.name));
      creating.set(request.name, made);
      return made;
    },
    findByName: (name) => findByName(connection, name),
    status: (sandboxId) => status(connection, sandboxId),
    exec: (request, signal) => exec(connection, request, signal),
    startRun: (request, signal) => startRun(connection, request, signal),
    readRun: (request, signal) => readRun(connection, request, signal),
    killRun: (key) => killRun(connection, key),
    resetShell: (key) => resetShell(connection, key),
    readFile: (request) => readFile(connection, request),
    writeFile: (request) => writeFile(connection, request),
    listFiles: (key) => listFiles(connection, key),
    stat: (key) => stat(connection, key),
    buildImage: (recipe) => images.build(recipe),
    snapshot: (request) => snapshots.take(request),
    deleteImage: (imageId) => images.delete(imageId),
    expose: (request) => expose(connection, request),
    setNetwork: (request) => setNetwork(connection, request),
    setCredentials: noCredentials,
    denials: async () => [],
    terminate: (sandboxId) => terminate(connection, sandboxId),
    list: () => list(connection),
    capabilities: async () => settings.capabilities ?? MODAL,
    health: () => health(connection),
  };
  return { ...validated(sandboxes), close: () => connection.close() };
}

/** Modal alone would hand them to the sandbox. */
async function noCredentials(): Promise<never> {
  throw new SandboxError(
    'misconfigured',
    'Credentials need the egress proxy: set CAPSTAN_EGRESS_PORT and CAPSTAN_EGRESS_PUBLIC_URL of the gateway',
  );
}

async function findByName(connection: Connection, name: string): Promise<SandboxRef | null> {
  const handle = await find(connection, name);
  if (!handle) return null;
  const { sandboxId } = handle;
  return { sandboxId, name, created: false, expiresAt: await connection.expiresAt(sandboxId) };
}

async function status(connection: Connection, sandboxId: string): Promise<SandboxStatus> {
  const exitCode = await connection.exitCode(sandboxId);
  if (exitCode !== null) return { state: 'terminated', exitCode };
  try {
    return { state: 'running', expiresAt: await connection.expiresAt(sandboxId) };
  } catch (error) {
    // It ended between two questions.
    if (isSandboxError(error, 'gone')) return status(connection, sandboxId);
    throw error;
  }
}

async function expose(
  connection: Connection,
  { sandboxId, port }: { sandboxId: string; port: number },
): Promise<ExposedPort> {
  const { url, token } = await connection.about(sandboxId, 'opening a port', (sandbox) =>
    sandbox.createConnectToken({ port }),
  );
  return { url: url.replace(/\/+$/, ''), headers: { authorization: `Bearer ${token}` } };
}

async function setNetwork(
  connection: Connection,
  { sandboxId, network }: { sandboxId: string; network: NetworkPolicy },
): Promise<void> {
  const params = toUpdateParams(network, connection.settings.proxy);
  await connection.about(sandboxId, 'changing its network', (sandbox) => sandbox.updateNetworkPolicy(params));
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
