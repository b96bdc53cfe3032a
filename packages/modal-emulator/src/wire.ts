// The fields of Modal's protocol that the emulator reads and answers, by the names the SDK's generated code gives them.
export const GenericStatus = { success: 1, failure: 2, terminated: 3, timeout: 4 } as const;
export const ObjectCreation = { lookup: 0, create: 1, failIfExists: 2, overwrite: 3, ephemeral: 5 } as const;
/** Of TaskExecStart's stdoutConfig and stderrConfig. */
export const StreamConfig = { discard: 0, pipe: 1, toStdout: 2 } as const;
export const Descriptor = { stdout: 0, stderr: 1 } as const;

export const NetworkAccessType = { unspecified: 0, open: 1, blocked: 2, allowlist: 3 } as const;

export type Empty = Record<string, never>;

export interface GenericResult {
  status: number;
  exitcode: number;
  exception: string;
}

export interface NamedTag {
  tagName: string;
  tagValue: string;
}

export interface SecretSource {
  secretId?: string;
  env?: { contents: Record<string, string> };
}

export interface ImageDefinition {
  baseImages: { imageId: string }[];
  dockerfileCommands: string[];
  secretIds: string[];
}

export interface NetworkAccess {
  networkAccessType: number;
  allowedCidrs: string[];
  allowedDomains: string[];
}

export interface PortSpec {
  port: number;
  unencrypted: boolean;
  tunnelType?: number;
}

export interface TunnelData {
  containerPort: number;
  /** With TLS. */
  host: string;
  port: number;
  unencryptedHost?: string;
  unencryptedPort?: number;
}

export interface VolumeMountRequest {
  volumeId: string;
  mountPath: string;
  readOnly: boolean;
  subPath?: string;
}

/** 0: not said. */
export interface Resources {
  milliCpu: number;
  milliCpuMax: number;
  memoryMb: number;
  memoryMbMax: number;
}

export interface SandboxDefinition {
  entrypointArgs: string[];
  imageId: string;
  secretIds: string[];
  timeoutSecs: number;
  idleTimeoutSecs?: number;
  workdir?: string;
  name?: string;
  openPorts?: { ports: PortSpec[] };
  volumeMounts: VolumeMountRequest[];
  cloudBucketMounts: unknown[];
  networkAccess?: NetworkAccess;
  resources?: Resources;
  inboundCidrAllowlist: string[];
  experimentalOutboundPolicy?: unknown;
  outboundPolicy?: unknown;
}

export interface RouterAccess {
  url: string;
  jwt: string;
}

export interface SandboxId {
  sandboxId: string;
}

export interface TunnelsResponse {
  result?: GenericResult;
  tunnels: readonly TunnelData[];
}

export interface ConnectTokenRequest extends SandboxId {
  userMetadata: string;
  port?: number;
}

export interface ConnectTokenResponse {
  url: string;
  token: string;
}

export interface SetNetworkAccessRequest {
  taskId: string;
  networkAccess?: NetworkAccess;
}

export interface ExecId {
  taskId: string;
  execId: string;
}

export interface EnvironmentRequest {
  deploymentName: string;
  objectCreationType: number;
}

export interface EnvironmentResponse {
  environmentId: string;
  metadata: { name: string; settings: { imageBuilderVersion: string } };
}

export interface AppRequest {
  appName: string;
  environmentName: string;
  objectCreationType: number;
}

export interface VolumeRequest {
  deploymentName: string;
  environmentName: string;
  objectCreationType: number;
  /** 0: not said. */
  version: number;
}

export interface VolumeResponse {
  volumeId: string;
  version: number;
  metadata: { version: number; name: string };
}

export interface SecretRequest {
  deploymentName: string;
  environmentName: string;
  objectCreationType: number;
  envDict: Record<string, string>;
  requiredKeys: string[];
}

export interface ImageRequest {
  image?: ImageDefinition;
  existingImageId: string;
  forceBuild: boolean;
}

export interface ImageResponse {
  imageId: string;
  result: { status: number; exception?: string };
}

export interface SandboxCreateRequest {
  appId: string;
  definition?: SandboxDefinition;
  secretSources: SecretSource[];
  tags: NamedTag[];
}

export interface SandboxCreateResponse {
  sandboxId: string;
  taskId: string;
  tunnels: readonly TunnelData[];
  commandRouterAccess: RouterAccess;
}

export interface SandboxListRequest {
  appId?: string;
  beforeTimestamp?: number;
  includeFinished: boolean;
  tags: NamedTag[];
}

export interface SandboxEntry {
  id: string;
  createdAt: number;
  appId: string;
  tags: NamedTag[];
  name: string;
  imageId: string;
}

export interface SandboxByNameRequest {
  sandboxName: string;
  appName: string;
  environmentName: string;
  includeTerminated?: boolean;
}

export interface ExecStartRequest extends ExecId {
  commandArgs: string[];
  stdoutConfig: number;
  stderrConfig: number;
  timeoutSecs?: number;
  workdir?: string;
  env: Record<string, string>;
  secretIds: string[];
  secretSources: SecretSource[];
  ptyInfo?: { enabled: boolean };
}

export interface ReloadVolumesRequest {
  taskId: string;
  /** '': the sandbox itself. */
  containerId: string;
}

export interface SnapshotRequest {
  taskId: string;
  /** The client's, the same when it asks again. */
  snapshotId: string;
}

export interface StdioReadRequest extends ExecId {
  offset: number;
  fileDescriptor: number;
}

export interface StdinWriteRequest extends ExecId {
  offset: number;
  data: Uint8Array;
  eof: boolean;
}

export interface StdinStreamRequest {
  start?: ExecId & { offset: number };
  data?: Uint8Array;
  end?: Empty;
}

export interface ExitStatus {
  code?: number;
  signal?: number;
}
