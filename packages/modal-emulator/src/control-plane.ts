// Modal's control plane, as far as the V2 sandbox API needs it: tokens, apps, images, volumes, secrets, and the life of sandboxes.
import { setTimeout as delay } from 'node:timers/promises';
import { type CallContext, ServerError, Status } from 'nice-grpc';
import { MAX_USER_DATA } from './connect-token.ts';
import type { ControlPlaneMethods, Method } from './definitions.ts';
import { fail } from './failure.ts';
import { newId } from './identifiers.ts';
import { DEFAULT_WORKDIR, ImageBuildError, type ImageBuilds, ImageNotFoundError } from './image-builds.ts';
import { failImage, toStatus } from './image-errors.ts';
import type { ImageTrees } from './image-trees.ts';
import { DEFAULT_ENVIRONMENT, secretMethods, volumeMethods } from './named-objects.ts';
import { type NetworkPolicy, NetworkPolicyError, networkPolicy } from './network-policy.ts';
import type { Sandboxes } from './sandboxes.ts';
import type { Secrets } from './secrets.ts';
import { NameTakenError, type SandboxRecord, type Store } from './store.ts';
import type { Tokens } from './tokens.ts';
import { parseVolumeMounts } from './volume-mounts.ts';
import type { Volumes } from './volumes.ts';
import * as wire from './wire.ts';

export interface ControlPlanePorts {
  store: Store;
  sandboxes: Sandboxes;
  trees: ImageTrees;
  builds: ImageBuilds;
  volumes: Volumes;
  secrets: Secrets;
  tokens: Tokens;
  /** Where the command router listens, as `https:` (the SDK insists, and dials loopback in plain text). */
  routerUrl: () => string;
}

type Implementation<Methods> = {
  [Name in keyof Methods]: Methods[Name] extends Method<infer In, infer Out, false, false>
    ? (request: In, context: CallContext) => Promise<Out>
    : never;
};

const DEFAULT_TIMEOUT_SECONDS = 300;
const DEFAULT_CONNECT_PORT = 8080;

export function createControlPlane(ports: ControlPlanePorts): Implementation<ControlPlaneMethods> {
  const { store, sandboxes, tokens } = ports;
  const sandbox = (id: string) =>
    store.findSandbox('id', id) ?? fail(Status.NOT_FOUND, `Sandbox with ID '${id}' not found`);
  return {
    authTokenGet: async () => ({ token: tokens.sign('client') }),
    environmentGetOrCreate: async ({ deploymentName }) => ({
      environmentId: 'en-local',
      metadata: {
        name: deploymentName || DEFAULT_ENVIRONMENT,
        settings: { imageBuilderVersion: '2025.06' },
      },
    }),
    appGetOrCreate: async (request) => ({ appId: getOrCreateApp(store, request) }),
    imageGetOrCreate: async (request) => getOrCreateImage(ports, request),
    imageFromId: async ({ imageId }) => ({ imageId: existingImage(store, imageId).id }),
    imageDelete: async ({ imageId }) => {
      if (!ports.trees.delete(imageId)) fail(Status.NOT_FOUND, `Could not find image with ID ${imageId}`);
      return {};
    },
    ...secretMethods(ports.secrets),
    ...volumeMethods(ports.volumes),
    sandboxCreateV2: async (request) => createSandbox(ports, request),
    // Whoever found a sandbox by its name may have found it before it runs.
    sandboxGetTaskIdV2: async ({ sandboxId }) => {
      await sandboxes.started(sandboxId);
      const { taskId, result } = sandbox(sandboxId);
      return { taskId, taskResult: result };
    },
    sandboxWaitV2: async ({ sandboxId, timeout }, { signal }) => {
      const { appId } = sandbox(sandboxId);
      await settled(sandboxes.live(sandboxId)?.ended, timeout * 1000, signal);
      return { result: sandbox(sandboxId).result, metadata: { appId } };
    },
    sandboxTerminateV2: async ({ sandboxId }) => {
      await sandboxes.started(sandboxId);
      sandbox(sandboxId);
      return { existingResult: await sandboxes.terminate(sandboxId) };
    },
    sandboxListV2: async ({ appId, beforeTimestamp, includeFinished, tags }) => ({
      sandboxes: store
        .listSandboxes({ appId, createdBefore: beforeTimestamp, includeFinished, tags })
        .map(toEntry),
    }),
    sandboxGetFromNameV2: async (request) => {
      const appId = store.findApp(request.environmentName || DEFAULT_ENVIRONMENT, request.appName);
      const found =
        appId && store.findSandboxByName(appId, request.sandboxName, request.includeTerminated ?? false);
      return found ? { sandboxId: found.id } : noSandboxNamed(request);
    },
    // The SDK asks the first backend for names the second does not have; there is nothing in it.
    sandboxGetFromName: async (request) => noSandboxNamed(request),
    sandboxTagsSetV2: async ({ sandboxId, tags }) => {
      store.setTags(sandbox(sandboxId).id, tags);
      return {};
    },
    sandboxTagsGetV2: async ({ sandboxId }) => ({ tags: sandbox(sandboxId).tags }),
    sandboxGetTunnelsV2: async ({ sandboxId }) => {
      const { result } = sandbox(sandboxId);
      return { result, tunnels: sandboxes.live(sandboxId)?.network.tunnels ?? [] };
    },
    sandboxCreateConnectTokenV2: async (request) => {
      sandbox(request.sandboxId);
      return createConnectToken(sandboxes, request);
    },
    sandboxGetCommandRouterAccess: async ({ sandboxId, taskId }) => {
      const record = sandboxId ? sandbox(sandboxId) : store.findSandbox('task_id', taskId ?? '');
      if (record === undefined) fail(Status.NOT_FOUND, `Task '${taskId}' not found`);
      return routerAccess(ports, record.taskId);
    },
  };
}

function getOrCreateApp(store: Store, request: wire.AppRequest): string {
  const environment = request.environmentName || DEFAULT_ENVIRONMENT;
  const known = store.findApp(environment, request.appName);
  if (known !== undefined) return known;
  if (request.objectCreationType !== wire.ObjectCreation.create)
    fail(Status.NOT_FOUND, `App '${request.appName}' not found in environment '${environment}'`);
  const id = newId('ap');
  store.addApp(id, environment, request.appName);
  return id;
}

async function getOrCreateImage(
  { store, builds, secrets }: ControlPlanePorts,
  request: wire.ImageRequest,
): Promise<wire.ImageResponse> {
  const success = { status: wire.GenericStatus.success };
  if (request.existingImageId)
    return { imageId: existingImage(store, request.existingImageId).id, result: success };
  const { image: definition, forceBuild: isForced } = request;
  if (definition === undefined) fail(Status.INVALID_ARGUMENT, 'The request has no image definition');
  const secretEnv = await secrets.environment([], definition.secretIds);
  try {
    const image = await builds.build({ definition, isForced, secretEnv });
    return { imageId: image.id, result: success };
  } catch (cause) {
    if (cause instanceof ImageNotFoundError) fail(Status.NOT_FOUND, cause.message);
    if (!(cause instanceof ImageBuildError)) return failImage(cause);
    const result = { status: wire.GenericStatus.failure, exception: cause.message };
    return { imageId: newId('im'), result };
  }
}

function existingImage(store: Store, id: string) {
  return store.images.find(id) ?? fail(Status.NOT_FOUND, `Could not find image with ID ${id}`);
}

async function createSandbox(
  ports: ControlPlanePorts,
  request: wire.SandboxCreateRequest,
): Promise<wire.SandboxCreateResponse> {
  const { definition } = request;
  if (definition === undefined) fail(Status.INVALID_ARGUMENT, 'The request has no sandbox definition');
  refuseUnsupported(definition);
  const image = existingImage(ports.store, definition.imageId);
  if (!ports.store.hasApp(request.appId)) fail(Status.NOT_FOUND, `App ${request.appId} not found`);
  const secretEnv = await ports.secrets.environment(request.secretSources, definition.secretIds);
  try {
    const { record, network } = await ports.sandboxes.create({
      appId: request.appId,
      image,
      name: definition.name ?? '',
      tags: request.tags,
      env: {
        ...ports.trees.env,
        ...image.env,
        ...secretEnv,
      },
      workdir: definition.workdir || image.workdir || DEFAULT_WORKDIR,
      timeoutMs: (definition.timeoutSecs || DEFAULT_TIMEOUT_SECONDS) * 1000,
      idleTimeoutMs: definition.idleTimeoutSecs ? definition.idleTimeoutSecs * 1000 : undefined,
      network: policyOf(definition.networkAccess),
      resources: definition.resources,
      volumes: parseVolumeMounts(definition.volumeMounts),
    });
    return {
      sandboxId: record.id,
      taskId: record.taskId,
      tunnels: await network.openTunnels(definition.openPorts?.ports ?? []),
      commandRouterAccess: routerAccess(ports, record.taskId),
    };
  } catch (cause) {
    if (cause instanceof NameTakenError) fail(Status.ALREADY_EXISTS, cause.message);
    if (cause instanceof ServerError) throw cause;
    const message = `The sandbox did not start: ${cause instanceof Error ? cause.message : String(cause)}`;
    throw toStatus(cause) ?? new ServerError(Status.FAILED_PRECONDITION, message);
  }
}

/** Only what a header can carry is accepted as user data. */
async function createConnectToken(
  sandboxes: Sandboxes,
  { sandboxId, port = DEFAULT_CONNECT_PORT, userMetadata }: wire.ConnectTokenRequest,
): Promise<wire.ConnectTokenResponse> {
  if (port < 1 || port > 65_535) fail(Status.INVALID_ARGUMENT, `${port} is no port: use 1 to 65535.`);
  if (userMetadata.length >= MAX_USER_DATA || !/^[\x20-\x7e]*$/.test(userMetadata))
    fail(
      Status.INVALID_ARGUMENT,
      `userMetadata has to be printable ASCII, and shorter than ${MAX_USER_DATA}.`,
    );
  const live = sandboxes.live(sandboxId) ?? fail(Status.NOT_FOUND, 'The sandbox has already shut down.');
  live.touch();
  return live.network.connectToken(port, userMetadata);
}

/** Also for the command router, where a running sandbox's policy changes. */
export function policyOf(access: wire.NetworkAccess | undefined): NetworkPolicy {
  try {
    return networkPolicy(access);
  } catch (cause) {
    if (cause instanceof NetworkPolicyError) fail(Status.INVALID_ARGUMENT, cause.message);
    throw cause;
  }
}

/** What cannot be honoured is refused by name: a sandbox quietly without it would be worse than none. */
function refuseUnsupported(definition: wire.SandboxDefinition): void {
  const unsupported = [
    definition.entrypointArgs.length > 0 && 'command',
    definition.cloudBucketMounts.length > 0 && 'cloud buckets',
    definition.inboundCidrAllowlist.length > 0 && 'inbound allowlist',
    (definition.outboundPolicy ?? definition.experimentalOutboundPolicy) !== undefined && 'outbound policy',
  ].filter((name) => name !== false);
  if (unsupported.length > 0)
    fail(Status.UNIMPLEMENTED, `The local emulator has no ${unsupported.join(', ')} yet: leave it out.`);
}

function routerAccess({ routerUrl, tokens }: ControlPlanePorts, taskId: string): wire.RouterAccess {
  return { url: routerUrl(), jwt: tokens.sign(taskId) };
}

function toEntry({ id, createdAt, appId, tags, name, imageId }: SandboxRecord): wire.SandboxEntry {
  return { id, createdAt, appId, tags, name, imageId };
}

function noSandboxNamed({ sandboxName, appName }: wire.SandboxByNameRequest): never {
  return fail(Status.NOT_FOUND, `Sandbox with name '${sandboxName}' not found in App '${appName}'`);
}

async function settled(
  ended: Promise<wire.GenericResult> | undefined,
  timeoutMs: number,
  signal: AbortSignal,
): Promise<void> {
  if (ended === undefined || timeoutMs <= 0) return;
  const stop = new AbortController();
  const expired = delay(timeoutMs, undefined, { signal: AbortSignal.any([signal, stop.signal]) }).catch(
    () => {},
  );
  await Promise.race([ended, expired]);
  stop.abort();
}
