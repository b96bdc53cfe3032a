// Modal's SDK as this adapter uses it: the one version it was written for, checked before anything depends on it.
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { ContainerProcess, Image, ModalClient, type ModalClientParams, Sandbox } from 'modal';
import { createBuildLogs } from './build-logs.ts';
import type { Settings } from './connection.ts';

export const MODAL_VERSION = '0.11.1';

/** The SDK's own lines would not be ours to read: what fails is told by the call that fails. */
const silent = { debug() {}, info() {}, warn() {}, error() {} };

const SERVICES = {
  apps: ['fromName'],
  images: ['fromRegistry', 'fromId', 'delete'],
  sandboxes: ['create', 'fromId', 'fromName', 'list'],
} as const;
const CLASSES: readonly [name: string, prototype: object, methods: readonly string[]][] = [
  // The first is the SDK's own, for the files it writes: typed, and not documented.
  ['ContainerProcess', ContainerProcess.prototype, ['_stdinWriteStream', 'closeStdin', 'wait']],
  ['Image', Image.prototype, ['dockerfileCommands', 'build', 'imageId']],
  [
    'Sandbox',
    Sandbox.prototype,
    [
      ...['exec', 'poll', 'terminate', 'detach', 'getTags', 'setTags'],
      ...['snapshotFilesystem', 'createConnectToken', 'updateNetworkPolicy'],
    ],
  ],
];

/** A client and what it hears of builds. Throws TypeError when the installed SDK is not the expected one. */
export function createModalClient(params: ModalClientParams = {}): Pick<Settings, 'client' | 'buildLogs'> {
  const buildLogs = createBuildLogs();
  const grpcMiddleware = [...(params.grpcMiddleware ?? []), buildLogs.middleware];
  const client = new ModalClient({ logger: silent, ...params, grpcMiddleware });
  assertSdk(client);
  return { client, buildLogs };
}

/** Throws TypeError that says what is missing. */
export function assertSdk(client: ModalClient, version = installedVersion()): void {
  if (version !== MODAL_VERSION)
    throw new TypeError(
      `The installed modal SDK is ${version}: install ${MODAL_VERSION}, which this program was written for`,
    );
  const services = Object.entries(SERVICES).flatMap(([service, methods]) =>
    missing(Reflect.get(client, service), methods).map((method) => `client.${service}.${method}`),
  );
  const classes = CLASSES.flatMap(([name, prototype, methods]) =>
    missing(prototype, methods).map((method) => `${name}.${method}`),
  );
  const all = [...services, ...classes];
  if (all.length > 0) throw new TypeError(`The installed modal SDK has no ${all.join(', ')}`);
}

function missing(object: unknown, members: readonly string[]): string[] {
  return members.filter((member) => typeof object !== 'object' || object === null || !(member in object));
}

function installedVersion(): string {
  const entry = createRequire(import.meta.url).resolve('modal');
  const { version }: { version?: unknown } = JSON.parse(
    readFileSync(new URL('../package.json', `file://${entry}`), 'utf8'),
  );
  return String(version);
}
