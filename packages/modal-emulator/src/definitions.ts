// Modal's service definitions. The SDK bundles them without exporting them, so a load hook reads them from its own
// generated code: nothing is copied, and they always match the installed version. What the emulator needs of them is
// checked once at the start; a release of the SDK that moved something fails here and says what moved.
import { createRequire, registerHooks } from 'node:module';
import { pathToFileURL } from 'node:url';
import type { TsProtoMessageType } from 'nice-grpc/lib/service-definitions/ts-proto.js';
import type * as wire from './wire.ts';

export interface Method<In, Out, InStream extends boolean, OutStream extends boolean> {
  name: string;
  requestType: TsProtoMessageType<In>;
  requestStream: InStream;
  responseType: TsProtoMessageType<Out>;
  responseStream: OutStream;
  options: Record<string, never>;
}
type Unary<In, Out> = Method<In, Out, false, false>;
interface Definition<Methods> {
  name: string;
  fullName: string;
  methods: Methods;
}

export type ControlPlaneMethods = {
  authTokenGet: Unary<wire.Empty, { token: string }>;
  environmentGetOrCreate: Unary<wire.EnvironmentRequest, wire.EnvironmentResponse>;
  appGetOrCreate: Unary<wire.AppRequest, { appId: string }>;
  imageGetOrCreate: Unary<wire.ImageRequest, wire.ImageResponse>;
  imageFromId: Unary<{ imageId: string }, { imageId: string }>;
  imageDelete: Unary<{ imageId: string }, wire.Empty>;
  secretGetOrCreate: Unary<wire.SecretRequest, { secretId: string }>;
  secretDelete: Unary<{ secretId: string }, wire.Empty>;
  volumeGetOrCreate: Unary<wire.VolumeRequest, wire.VolumeResponse>;
  volumeHeartbeat: Unary<{ volumeId: string }, wire.Empty>;
  volumeDelete: Unary<{ volumeId: string }, wire.Empty>;
  sandboxCreateV2: Unary<wire.SandboxCreateRequest, wire.SandboxCreateResponse>;
  sandboxGetTaskIdV2: Unary<wire.SandboxId, { taskId: string; taskResult?: wire.GenericResult }>;
  sandboxWaitV2: Unary<
    wire.SandboxId & { timeout: number },
    { result?: wire.GenericResult; metadata: { appId: string } }
  >;
  sandboxTerminateV2: Unary<wire.SandboxId, { existingResult?: wire.GenericResult }>;
  sandboxListV2: Unary<wire.SandboxListRequest, { sandboxes: wire.SandboxEntry[] }>;
  sandboxGetFromNameV2: Unary<wire.SandboxByNameRequest, wire.SandboxId>;
  sandboxGetFromName: Unary<wire.SandboxByNameRequest, wire.SandboxId>;
  sandboxTagsSetV2: Unary<wire.SandboxId & { tags: wire.NamedTag[] }, wire.Empty>;
  sandboxTagsGetV2: Unary<wire.SandboxId, { tags: wire.NamedTag[] }>;
  sandboxGetTunnelsV2: Unary<wire.SandboxId, wire.TunnelsResponse>;
  sandboxCreateConnectTokenV2: Unary<wire.ConnectTokenRequest, wire.ConnectTokenResponse>;
  sandboxGetCommandRouterAccess: Unary<{ sandboxId?: string; taskId?: string }, wire.RouterAccess>;
};

export type CommandRouterMethods = {
  taskExecStart: Unary<wire.ExecStartRequest, wire.Empty>;
  taskExecStdioRead: Method<wire.StdioReadRequest, { data: Uint8Array }, false, true>;
  taskExecStdinWrite: Unary<wire.StdinWriteRequest, wire.Empty>;
  taskExecStdinWriteStream: Method<wire.StdinStreamRequest, wire.Empty, true, false>;
  taskExecStdinStatus: Unary<wire.ExecId, { numBytesWritten: number; closed: boolean }>;
  taskExecPoll: Unary<wire.ExecId, wire.ExitStatus>;
  taskExecWait: Unary<wire.ExecId, wire.ExitStatus>;
  taskSetNetworkAccess: Unary<wire.SetNetworkAccessRequest, wire.Empty>;
  taskReloadVolumes: Unary<wire.ReloadVolumesRequest, wire.Empty>;
  taskSnapshotFilesystem: Unary<wire.SnapshotRequest, { imageId: string }>;
};

export interface Definitions {
  controlPlane: Definition<ControlPlaneMethods>;
  commandRouter: Definition<CommandRouterMethods>;
}

/** Per method: the request fields read and the response fields answered, those of their messages behind a dot. */
type Expected<Methods> = { [Name in keyof Methods]: [request: string, response: string] };

const under = (message: string, fields: string) =>
  fields
    .split(' ')
    .map((field) => `${message}.${field}`)
    .join(' ');
const NETWORK_ACCESS = under('networkAccess', 'networkAccessType allowedCidrs allowedDomains');
const TUNNELS = under('tunnels', 'containerPort host port unencryptedHost unencryptedPort');
const RESOURCES = under('resources', 'milliCpu milliCpuMax memoryMb memoryMbMax');
const VOLUME_MOUNTS = under('volumeMounts', 'volumeId mountPath readOnly subPath');
const DEFINITION = under(
  'definition',
  `entrypointArgs imageId secretIds timeoutSecs idleTimeoutSecs workdir name openPorts.ports.port openPorts.ports.unencrypted openPorts.ports.tunnelType ${VOLUME_MOUNTS} cloudBucketMounts inboundCidrAllowlist experimentalOutboundPolicy outboundPolicy ${NETWORK_ACCESS} ${RESOURCES}`,
);

const CONTROL_PLANE: Expected<ControlPlaneMethods> = {
  authTokenGet: ['', 'token'],
  environmentGetOrCreate: ['deploymentName objectCreationType', 'environmentId metadata'],
  appGetOrCreate: ['appName environmentName objectCreationType', 'appId'],
  imageGetOrCreate: ['image existingImageId forceBuild', 'imageId result'],
  imageFromId: ['imageId', 'imageId'],
  secretGetOrCreate: ['deploymentName environmentName objectCreationType envDict requiredKeys', 'secretId'],
  secretDelete: ['secretId', ''],
  volumeGetOrCreate: [
    'deploymentName environmentName objectCreationType version',
    'volumeId version metadata.version metadata.name',
  ],
  volumeHeartbeat: ['volumeId', ''],
  volumeDelete: ['volumeId', ''],
  sandboxCreateV2: [
    `appId secretSources.secretId secretSources.env.contents tags.tagName tags.tagValue ${DEFINITION}`,
    `sandboxId taskId commandRouterAccess.url commandRouterAccess.jwt ${TUNNELS}`,
  ],
  imageDelete: ['imageId', ''],
  sandboxGetTaskIdV2: ['sandboxId', 'taskId taskResult'],
  sandboxWaitV2: ['sandboxId timeout', 'result metadata'],
  sandboxTerminateV2: ['sandboxId', 'existingResult'],
  sandboxListV2: ['appId beforeTimestamp includeFinished tags', 'sandboxes'],
  sandboxGetFromNameV2: ['sandboxName appName environmentName includeTerminated', 'sandboxId'],
  sandboxGetFromName: ['sandboxName appName environmentName', 'sandboxId'],
  sandboxTagsSetV2: ['sandboxId tags', ''],
  sandboxTagsGetV2: ['sandboxId', 'tags'],
  sandboxGetTunnelsV2: ['sandboxId', `result ${TUNNELS}`],
  sandboxCreateConnectTokenV2: ['sandboxId userMetadata port', 'url token'],
  sandboxGetCommandRouterAccess: ['sandboxId taskId', 'url jwt'],
};

const COMMAND_ROUTER: Expected<CommandRouterMethods> = {
  taskExecStart: [
    'taskId execId commandArgs stdoutConfig stderrConfig timeoutSecs workdir env secretIds secretSources ptyInfo',
    '',
  ],
  taskExecStdioRead: ['taskId execId offset fileDescriptor', 'data'],
  taskExecStdinWrite: ['taskId execId offset data eof', ''],
  taskExecStdinWriteStream: ['start data end', ''],
  taskExecStdinStatus: ['taskId execId', 'numBytesWritten closed'],
  taskExecPoll: ['taskId execId', 'code signal'],
  taskExecWait: ['taskId execId', 'code signal'],
  taskSetNetworkAccess: [`taskId ${NETWORK_ACCESS}`, ''],
  taskReloadVolumes: ['taskId containerId', ''],
  taskSnapshotFilesystem: ['taskId snapshotId ttlSeconds', 'imageId'],
};

/** Reads and checks the definitions of the installed SDK; throws one error naming everything that is missing. */
export function loadDefinitions(): Definitions {
  const bundle = loadBundle();
  const problems: string[] = [];
  const definitions = {
    controlPlane: select(bundle.ModalClientDefinition, CONTROL_PLANE, problems),
    commandRouter: select(bundle.TaskCommandRouterDefinition, COMMAND_ROUTER, problems),
  };
  assertComplete(definitions, problems);
  return definitions;
}

function assertComplete(found: unknown, problems: string[]): asserts found is Definitions {
  if (problems.length === 0) return;
  throw new TypeError(
    `The installed "modal" package is not the one this emulator speaks for: ${problems.join('; ')}. Pin modal 0.11.1, or teach packages/modal-emulator the new shape.`,
  );
}

const SPECIFIER = 'capstan:modal-definitions';
const EXPORTS = '\nmodule.exports = { ModalClientDefinition, TaskCommandRouterDefinition };\n';

function loadBundle(): Record<string, unknown> {
  const require = createRequire(import.meta.url);
  const url = `${pathToFileURL(require.resolve('modal')).href}?definitions`;
  const hooks = registerHooks({
    resolve: (specifier, context, next) =>
      specifier === SPECIFIER ? { url, format: 'commonjs', shortCircuit: true } : next(specifier, context),
    load: (target, context, next) => {
      if (target !== url) return next(target, context);
      const loaded = next(target.replace('?definitions', ''), context);
      return { ...loaded, source: `${String(loaded.source)}${EXPORTS}` };
    },
  });
  try {
    return require(SPECIFIER);
  } finally {
    hooks.deregister();
  }
}

function select(definition: unknown, expected: Record<string, [string, string]>, problems: string[]) {
  const { name, fullName, methods } = isRecord(definition) ? definition : {};
  if (!isRecord(methods)) problems.push('a service definition is gone from its bundle');
  const selected: Record<string, unknown> = {};
  for (const [method, [request, response]] of Object.entries(expected)) {
    const found = isRecord(methods) ? methods[method] : undefined;
    selected[method] = found;
    if (!isRecord(found)) problems.push(`method ${method} is gone`);
    else {
      checkFields(`${method} request`, [found.requestType, request], problems);
      checkFields(`${method} response`, [found.responseType, response], problems);
    }
  }
  return { name, fullName, methods: selected };
}

function checkFields(where: string, [type, fields]: [unknown, string], problems: string[]): void {
  const make = isRecord(type) ? type.create : undefined;
  const create = (partial: unknown): unknown =>
    typeof make === 'function' ? Reflect.apply(make, type, [partial]) : undefined;
  const missing = fields.split(' ').filter((field) => field !== '' && !hasField(create, field.split('.')));
  if (missing.length > 0) problems.push(`${where} has no ${missing.join(', ')}`);
}

/** Asks a message made with nothing in it, and for a message within it one made with nothing in that. */
function hasField(create: (partial: unknown) => unknown, [name = '', ...rest]: string[]): boolean {
  const empty = create({});
  if (!isRecord(empty) || !(name in empty)) return false;
  if (rest.length === 0) return true;
  const inner = (partial: unknown) => {
    const made = create({ [name]: Array.isArray(empty[name]) ? [partial] : partial });
    const field = isRecord(made) ? made[name] : undefined;
    return Array.isArray(field) ? field[0] : field;
  };
  return hasField(inner, rest);
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null;
}
