// The Sandboxes port: isolated machines that commands run in. No vendor type crosses it.
//  S1 create is idempotent by name: callers that race get one sandbox.
//  S2 startRun is idempotent by runId: a command is started at most once, whoever asks and however often.
//  S3 A run belongs to its sandbox, not to a caller: it goes on when every caller dies, and its output and
//     outcome are read from any offset by anyone, until the sandbox is terminated.
//  S4 Failures are SandboxError, recognised by shape with isSandboxError.
//  S5 snapshot is idempotent by snapshotId: asked again, the last snapshot of a sandbox is the same image.
// Offsets and sizes are bytes, durations milliseconds, instants epoch milliseconds, paths absolute.

import type { Isolation } from '@capstan/schema/isolation';

/** Where commands start unless they say otherwise; exists and is writable in every sandbox. */
export const WORKSPACE = '/workspace';
/** Files an agent wants to hand out; exists and is writable in every sandbox. */
export const OUTPUTS = '/mnt/session/outputs';
/** Files a user handed in; exists and is writable in every sandbox. */
export const UPLOADS = '/mnt/session/uploads';

/** Skills of a session's agents, a directory each; made where there are any. */
export const SKILLS = '/mnt/skills';

/** What one run keeps of its output. The command goes on beyond it, the rest is dropped and `truncated` says so. */
export const MAX_OUTPUT_BYTES = 64 * 1024 * 1024;
/** The longest script or argv of one command. */
export const MAX_COMMAND_BYTES = 1024 * 1024;
/** What one call carries at most: a read of output or of a file, or the content of writeFile. */
export const MAX_CHUNK_BYTES = 8 * 1024 * 1024;
/** What a read of output or of a file returns unless `maxBytes` says otherwise. */
export const DEFAULT_CHUNK_BYTES = 1024 * 1024;
/** The longest that one call waits for a run. Callers that want to wait longer call again. */
export const MAX_WAIT_MS = 60_000;
/** The longest time limit of one run. */
export const MAX_RUN_MS = 24 * 60 * 60 * 1000;
/** What of the log of a failed build its error tells, at most: the end of it. */
export const MAX_BUILD_LOG_BYTES = 4096;
/** A run that is stopped gets SIGTERM, and SIGKILL this much later. */
export const KILL_GRACE_MS = 5_000;

/** What an image is made of: a registry reference and Dockerfile lines on top of it, one instruction each. */
export interface ImageRecipe {
  /** Registry reference; default: the image that sandboxes have when they ask for none. */
  base?: string;
  /** `RUN`, `ENV` and `WORKDIR` only. The same lines on the same base are the same image, built once. */
  lines: readonly string[];
}

/**
 * Where a sandbox may connect to. `allowedHosts`: `api.example.com`, or `*.example.com` for any depth below it and not itself,
 * each optionally with `:port`; without one, ports 80 and 443. Lower-case ASCII.
 */
export type NetworkPolicy =
  | { type: 'unrestricted' }
  | { type: 'limited'; allowedHosts: readonly string[] }
  | { type: 'blocked' };

/**
 * A secret that a sandbox may use and never holds: it holds the placeholder, and the egress proxy puts the secret in its place
 * in requests to the credential's own hosts, over verified TLS. Needs an egress proxy; without one it is `misconfigured`.
 */
export interface SandboxCredential {
  /** Names it in logs; never secret. */
  id: string;
  /** From newPlaceholder. */
  placeholder: string;
  secret: string;
  /** As in `allowedHosts`, at port 443 unless it names one; `*` is every host. A credential does not widen a network. */
  hosts: readonly string[];
  /** Where in a request the placeholder is replaced. */
  locations: { header: boolean; query: boolean; body: boolean };
}

/** A request of a sandbox that the egress proxy refused. */
export interface DeniedRequest {
  /** Higher than that of every denial before it. */
  number: number;
  /** `host:port`; null when the request named none. */
  target: string | null;
  /** e.g. `host_not_allowed`. */
  reason: string;
  /** A sentence that says what would mend it. */
  advice: string;
}

export interface CreateSandbox {
  /** 1-64 of `A-Za-z0-9._-`. Names one live sandbox; free again once that is terminated. */
  name: string;
  /** Registry reference, e.g. `python:3.12-trixie`. It needs bash and GNU coreutils and findutils. */
  image?: string;
  /** From buildImage or snapshot; wins over `image`. */
  imageId?: string;
  /** Cores, in steps of 0.125: reserved, and the most it gets. Default: what the backend gives. */
  cpu?: number;
  /** Reserved, and the most it gets. Default: what the backend gives. */
  memoryMiB?: number;
  /** Kind and optionally count, e.g. `T4` or `A100-80GB:2`. `invalid` where capabilities() has no gpu. */
  gpu?: string;
  /** Default: unrestricted. */
  network?: NetworkPolicy;
  /** Given, if only as an empty list, the sandbox is made ready for credentials that come later. At most 100. */
  credentials?: readonly SandboxCredential[];
  /** Environment of every command in the sandbox. */
  env?: Readonly<Record<string, string>>;
  /** Terminated this long after creation; default and maximum 24 h. */
  timeoutMs?: number;
  /** Terminated after this long without a call; default 30 min. A run alone is no activity, reading it is. */
  idleTimeoutMs?: number;
}

export interface SandboxRef {
  sandboxId: string;
  name: string;
  /** False when the name was taken already and this is that sandbox. */
  created: boolean;
  /** Its lifetime ends then or a little later, never before; 0 when it was not made by this port. Snapshot and recreate in time. */
  expiresAt: number;
}

export type SandboxStatus =
  | { state: 'running'; expiresAt: number }
  | { state: 'terminated'; exitCode: number };

/** A string is a bash script; an array is run as it stands, without a shell. */
export type Command = string | readonly string[];

export interface Exec {
  sandboxId: string;
  command: Command;
  /** Default /workspace. */
  cwd?: string;
  env?: Readonly<Record<string, string>>;
  stdin?: Uint8Array;
  /** Default 30 s, maximum 60 s: longer work is a run. */
  timeoutMs?: number;
  /** Kept of stdout and of stderr, each; default 1 MiB. The rest is dropped. */
  maxBytes?: number;
}

export interface ExecResult {
  exitCode: number;
  stdout: Uint8Array;
  stderr: Uint8Array;
  /** Stopped at its time limit. */
  timedOut: boolean;
  /** stdout or stderr was longer than `maxBytes`. */
  truncated: boolean;
}

export interface StartRun {
  sandboxId: string;
  /** The run's identity within its sandbox: 1-128 of `A-Za-z0-9_-`. */
  runId: string;
  command: Command;
  /** Default: /workspace, or where the shell is. */
  cwd?: string;
  /** Exported to the command; a shell does not remember these names. */
  env?: Readonly<Record<string, string>>;
  /** The run is stopped after this long; 1 to MAX_RUN_MS. */
  timeoutMs: number;
  /** How long this call waits for `until`; 0 to MAX_WAIT_MS, default 0. */
  waitMs?: number;
  /** Wait for the end of the run (default), or for its first output. */
  until?: 'end' | 'output';
  /** Output returned by this call at most; default DEFAULT_CHUNK_BYTES. */
  maxBytes?: number;
  /**
   * Name of a persistent shell, 1-32 of `a-z0-9_-`, e.g. `main`; needs a script. The script starts in the working directory and
   * with the exported variables that the last script in that shell ended with. Not remembered: unexported
   * variables, functions, aliases, options. A script that is killed leaves the shell as it was before it.
   */
  shell?: string;
}

export interface ReadRun {
  sandboxId: string;
  runId: string;
  /** First byte of output wanted; at most the size of the output. */
  offset: number;
  /** How long to wait for `until`; 0 to MAX_WAIT_MS, default 0. */
  waitMs?: number;
  /** Wait for the end of the run (default), or for any output beyond `offset`. */
  until?: 'end' | 'output';
  /** Default DEFAULT_CHUNK_BYTES. */
  maxBytes?: number;
}

/**
 * `exited`: by itself. `timed_out`: stopped at its limit. `killed`: by killRun. `lost`: the sandbox restarted, or what
 * watched the command was killed; how it would have ended is unknown and what was left of it is stopped.
 * `exitCode` is 128 + n for a command ended by signal n.
 */
export type RunOutcome =
  | { state: 'running' }
  | { state: 'exited' | 'timed_out' | 'killed'; exitCode: number }
  | { state: 'lost' };

/** A run and a piece of its output: stdout and stderr in the order they were written. */
export interface RunChunk {
  outcome: RunOutcome;
  /** Output from the asked offset on. */
  bytes: Uint8Array;
  /** Where to read on. */
  nextOffset: number;
  /** The run has ended and nothing follows `bytes`. */
  eof: boolean;
  /** The run wrote more than MAX_OUTPUT_BYTES; the rest is lost. */
  truncated: boolean;
  /** Where in the sandbox the whole output is. */
  outputPath: string;
  /** The number of the last denial there was for the sandbox, 0 when there was none; absent without an egress proxy. */
  denied?: number;
}

export interface RunKey {
  sandboxId: string;
  runId: string;
}

export interface FileKey {
  sandboxId: string;
  path: string;
}

export interface ReadFile extends FileKey {
  /** Default 0. */
  offset?: number;
  /** Default DEFAULT_CHUNK_BYTES, maximum MAX_CHUNK_BYTES. */
  maxBytes?: number;
}

export interface FileChunk {
  bytes: Uint8Array;
  /** Of the whole file. */
  sizeBytes: number;
  /** Nothing follows `bytes`. */
  eof: boolean;
}

export interface WriteFile extends FileKey {
  /** At most MAX_CHUNK_BYTES. */
  content: Uint8Array;
}

export interface FileStat {
  path: string;
  type: 'file' | 'directory' | 'symlink' | 'other';
  sizeBytes: number;
  modifiedAt: number;
  /** Permission bits, e.g. 0o644. */
  mode: number;
}

export interface FileList {
  /** Sorted by path, byte by byte. */
  entries: FileStat[];
  /** There were more than 10,000. */
  truncated: boolean;
}

export interface Snapshot {
  sandboxId: string;
  /** The snapshot's identity within its sandbox: 1-128 of `A-Za-z0-9_-`. */
  snapshotId: string;
}

export interface ExposedPort {
  /** `http:` or `https:`, without a path; WebSockets are upgraded here too. */
  url: string;
  /** Every request needs them, and they are secrets: they open this port of this sandbox to whoever has them. */
  headers: Record<string, string>;
}

/** What the backend can promise; what it cannot is false. */
export interface SandboxCapabilities {
  isolation: Isolation;
  /** Which resources of a sandbox have an enforced limit. */
  limits: { cpu: boolean; memory: boolean; pids: boolean; disk: boolean };
  snapshots: true;
  gpu: boolean;
}

/**
 * Every call may throw SandboxError. Of any call: `unavailable` (the backend cannot be reached; the same call may
 * work later, and S1/S2 make it safe to repeat), `invalid` (an argument; the message names it). Of any call that names
 * a sandbox: `not_found` (no such sandbox), `gone` (it is terminated; nothing will work in it again), `unusable` (it lives, and nothing
 * will work in it again: a command took away what calls need).
 */
export interface Sandboxes {
  /**
   * The live sandbox of that name as it is, made when there is none. `image_not_found`: no such imageId; `image_failed`: the
   * image cannot be had; `unusable`: the sandbox lives and lacks what calls need, because its image does.
   */
  create(request: CreateSandbox): Promise<SandboxRef>;
  /** The live sandbox of that name, or null. */
  findByName(name: string): Promise<SandboxRef | null>;
  /** Whether it still runs. A terminated sandbox is a status, not an error. */
  status(sandboxId: string): Promise<SandboxStatus>;
  /** Runs a short command and waits for it. Not idempotent: a caller that dies cannot know what became of it. */
  exec(request: Exec, signal?: AbortSignal): Promise<ExecResult>;
  /** Starts a run, or joins it when its runId is known; the output begins at offset 0. `conflict`: known with another command. */
  startRun(request: StartRun, signal?: AbortSignal): Promise<RunChunk>;
  /** Reads a run's outcome and output. `not_found`: no such run. */
  readRun(request: ReadRun, signal?: AbortSignal): Promise<RunChunk>;
  /** Stops a run with everything in its process group and waits until it has ended; no bytes. An ended run keeps its outcome. */
  killRun(key: RunKey): Promise<RunOutcome>;
  /** Forgets a persistent shell's directory and variables. Its runs go on: stop them with killRun. */
  resetShell(key: { sandboxId: string; shell: string }): Promise<void>;
  /** A piece of a file. `file_not_found`, `is_directory`, `forbidden`. */
  readFile(request: ReadFile): Promise<FileChunk>;
  /**
   * Replaces a file at once (readers see the old or the new one), making its directories. `is_directory`, `forbidden`,
   * `too_large`, `quota_exceeded`: the sandbox has no room for it, and the old file stays.
   */
  writeFile(request: WriteFile): Promise<void>;
  /** The entries of a directory, not of those below it. `file_not_found`, `not_directory`, `forbidden`. */
  listFiles(key: FileKey): Promise<FileList>;
  /** A file, directory or symlink itself. `file_not_found`, `forbidden`. */
  stat(key: FileKey): Promise<FileStat>;
  /** The image of that recipe, built when there is none. `image_failed`: its message ends with the last 4 KiB of the build's log. */
  buildImage(recipe: ImageRecipe): Promise<{ imageId: string }>;
  /**
   * The whole file system of a sandbox, as it is now, as an image that is kept until deleteImage. Runs go on, and are not in it.
   * `unusable`: what would be made from it could not be used.
   */
  snapshot(request: Snapshot): Promise<{ imageId: string }>;
  /** Deletes an image. Sandboxes made from it go on. Harmless when it is gone already. */
  deleteImage(imageId: string): Promise<void>;
  /** A way to reach a server inside the sandbox, HTTP and WebSocket, from our own servers alone. */
  expose(request: { sandboxId: string; port: number }): Promise<ExposedPort>;
  /** Replaces where the sandbox may connect to, for what runs in it too. Connections that the new policy refuses are cut. */
  setNetwork(request: { sandboxId: string; network: NetworkPolicy }): Promise<void>;
  /** Replaces the credentials of a sandbox: its next request has the new secrets. `misconfigured`: there is no egress proxy. */
  setCredentials(request: { sandboxId: string; credentials: readonly SandboxCredential[] }): Promise<void>;
  /** What the sandbox was lately refused, of the last 100, after the denial of that number; none without an egress proxy. */
  denials(request: { sandboxId: string; after?: number }): Promise<DeniedRequest[]>;
  /** Ends a sandbox and everything in it. Harmless when it is terminated already or was never there. */
  terminate(sandboxId: string): Promise<void>;
  /** Every live sandbox of this installation. */
  list(): Promise<{ sandboxId: string }[]>;
  /** What this backend promises of its sandboxes. */
  capabilities(): Promise<SandboxCapabilities>;
  /** Asks the backend. Resolves with a short description of it; throws `unavailable` or `misconfigured` with the way out. */
  health(): Promise<{ detail: string }>;
}
