// The sandboxes of one emulator, from creation to result.
// 1. The store knows a sandbox before it runs and its result before anyone waiting for it does. 2. A sandbox has exactly
// one result, and has it only when no process of it is left. 3. As root, each runs as a host user of its own.
import { chmodSync, mkdirSync, renameSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import type { Logger } from '@capstan/shared/logger';
import { type Cgroups, type SandboxCgroup, withLimits } from './cgroups.ts';
import { DiskWatch, freeOf, type Watched } from './disk-watch.ts';
import { freeHostUser } from './host-users.ts';
import { newId } from './identifiers.ts';
import type { ImageRecord } from './image-store.ts';
import type { ImageTrees, SandboxPlace } from './image-trees.ts';
import { KeptRuns, keptLimits } from './kept-runs.ts';
import { diskGuard, limitsOf, type SandboxLimits } from './limits.ts';
import { NamedPipes } from './named-pipes.ts';
import type { NetworkPolicy } from './network-policy.ts';
import type { Base, Layout } from './root-filesystem.ts';
import { Run, type RunOptions } from './run.ts';
import { SandboxNetwork } from './sandbox-network.ts';
import type { SandboxProcess } from './sandbox-process.ts';
import { startSandbox } from './sandbox-start.ts';
import { SANDBOX_ENV, type SandboxStart, SandboxStarts } from './sandbox-starts.ts';
import { NameTakenError, type SandboxRecord, type Store } from './store.ts';
import { TreeRemovals } from './tree-removal.ts';
import { refuseUnisolated, UnisolatedError } from './unisolated.ts';
import { makeVolatileDirectory, type VolatileDirectory } from './volatile-directory.ts';
import type { PlacedVolume, VolumeMount } from './volume-mounts.ts';
import type { Volumes } from './volumes.ts';
import { type GenericResult, GenericStatus, type NamedTag, type Resources } from './wire.ts';

/** How long a finished sandbox's output stays readable for clients that are still reading it. */
const GRACE_MS = 30_000;
const TRIM_MS = 60_000;
const KILLED_EXIT_CODE = 137;

export interface SandboxOptions {
  /** '': the emulator's own, which no list shows. */
  appId: string;
  image: ImageRecord;
  name: string;
  tags: NamedTag[];
  env: Record<string, string>;
  workdir: string;
  timeoutMs: number;
  /** Absent: an idle sandbox stays. */
  idleTimeoutMs?: number;
  network: NetworkPolicy;
  resources?: Resources;
  volumes?: readonly VolumeMount[];
}

type BegunOptions = SandboxOptions & { start: SandboxStart | undefined };

export interface LiveSandbox {
  readonly record: SandboxRecord;
  readonly image: ImageRecord;
  readonly env: Record<string, string>;
  readonly workdir: string;
  readonly process: SandboxProcess;
  readonly network: SandboxNetwork;
  readonly runs: KeptRuns<Run>;
  readonly ended: Promise<GenericResult>;
  touch(): void;
}

interface Entry extends LiveSandbox, SandboxPlace {
  /** Gives back its image, its volumes and its host user. */
  release(): void;
  /** What reads its directory and ends before that is removed. */
  readers: Set<Promise<unknown>>;
  volumes: readonly PlacedVolume[];
  group: SandboxCgroup;
  /** Of what it may write to. */
  disks: Watched[];
  started: number;
  timers: NodeJS.Timeout[];
  result: GenericResult | undefined;
  resolve(result: GenericResult): void;
}

export interface SandboxesPorts {
  stateDir: string;
  base: Base;
  layout: Layout;
  trees: ImageTrees;
  volumes: Volumes;
  /** Resolves once the directories over the host's programs are there: sandboxes start with them, or not at all. */
  programs: Promise<void>;
  /** False: sandboxes are this user's own commands, which somebody asked for. */
  isIsolated: boolean;
  store: Store;
  log: Logger;
  outputLimitBytes: number;
  /** Ports of this machine's loopback that sandboxes may reach. */
  forwards: readonly number[];
  cgroups: Cgroups;
  /** What one sandbox may have on the disk; absent: a part of what is free. */
  diskBytes: number | undefined;
}

export class Sandboxes {
  readonly #ports: SandboxesPorts;
  readonly #pipes: NamedPipes;
  readonly #volatile: VolatileDirectory;
  readonly #directory: string;
  readonly #disk: DiskWatch;
  /** Absent where sandboxes are not isolated. */
  readonly #starts: SandboxStarts | undefined;
  readonly #byId = new Map<string, Entry>();
  readonly #byTask = new Map<string, Entry>();
  readonly #starting = new Map<string, Promise<LiveSandbox>>();
  /** Host users of sandboxes that run, start or end. */
  readonly #users = new Set<number | undefined>();
  readonly #removals: TreeRemovals;
  readonly #trimming: NodeJS.Timeout;
  readonly #stop = new AbortController();
  #lastCreatedAt = 0;

  constructor(ports: SandboxesPorts) {
    this.#ports = ports;
    this.#removals = new TreeRemovals(ports.log);
    this.#directory = join(ports.stateDir, 'sandboxes');
    const old = join(ports.stateDir, `removed-${process.pid}-${Date.now()}`);
    mkdirSync(this.#directory, { recursive: true });
    renameSync(this.#directory, old);
    void this.#removals.add(old);
    mkdirSync(this.#directory);
    const spool = join(ports.stateDir, 'spool');
    rmSync(spool, { recursive: true, force: true });
    mkdirSync(spool, { mode: 0o700 });
    // As through the state itself, their host users pass through it.
    chmodSync(this.#directory, 0o711);
    this.#volatile = makeVolatileDirectory(ports.stateDir);
    this.#pipes = new NamedPipes(join(this.#volatile.path, 'pipes'));
    this.#starts = ports.isIsolated ? new SandboxStarts(ports.cgroups) : undefined;
    this.#disk = new DiskWatch(() => freeOf(this.#directory));
    this.#trimming = setInterval(() => {
      for (const entry of this.#byTask.values()) entry.runs.trim();
    }, TRIM_MS).unref();
  }

  /** Throws NameTakenError, an error of the image's files, or SandboxStartError when the host does not let it start. */
  async create(options: SandboxOptions): Promise<LiveSandbox> {
    const { appId, image, name, tags } = options;
    this.#ports.trees.assertUsable(image);
    if (!this.#ports.isIsolated) refuseUnisolated(options);
    const record: SandboxRecord = {
      id: this.#starts?.nextId ?? newId('sb'),
      taskId: newId('ta'),
      appId,
      imageId: image.id,
      name,
      tags,
      createdAt: this.#now(),
    };
    if (!this.#ports.store.addSandbox(record))
      throw new NameTakenError(`Sandbox with name '${name}' already exists in this app.`);
    const start = this.#starts?.take();
    const starting = this.#start(record, { ...options, start });
    this.#starting.set(record.id, starting);
    void starting.catch(() => {}).finally(() => this.#starting.delete(record.id));
    try {
      const entry = await starting;
      this.prepare();
      this.#ports.log.info('sandbox.started', { sandbox_id: record.id });
      return entry;
    } catch (cause) {
      void start?.discard();
      const exception = cause instanceof Error ? cause.message : String(cause);
      this.#ports.store.finishSandbox(record.id, { status: GenericStatus.failure, exitcode: 1, exception });
      this.#ports.log.error('sandbox.failed', { sandbox_id: record.id }, cause);
      throw cause;
    }
  }

  /** Has a process wait for the next sandbox. */
  prepare(): void {
    this.#starts?.prepareSoon();
  }

  /** Resolves when a sandbox that the store knows has started, or will not. */
  async started(id: string): Promise<void> {
    await this.#starting.get(id)?.catch(() => {});
  }

  live(id: string): LiveSandbox | undefined {
    return this.#byId.get(id);
  }

  /** Finished sandboxes too, for as long as their output is readable. */
  byTask(taskId: string): LiveSandbox | undefined {
    return this.#byTask.get(taskId);
  }

  /** Starts a command, or returns the one already started with this id. */
  run(sandbox: LiveSandbox, runId: string, options: Omit<RunOptions, 'limitBytes' | 'spoolPath'>): Run {
    const known = sandbox.runs.get(runId);
    if (known !== undefined) return known;
    const entry = this.#byId.get(sandbox.record.id);
    const id = String(entry === undefined ? 0 : entry.started++);
    const spoolPath = join(this.#ports.stateDir, 'spool', `${sandbox.record.id}-${id}`);
    const limitBytes = this.#ports.outputLimitBytes;
    const run = new Run(sandbox.process, this.#pipes, { ...options, id, limitBytes, spoolPath });
    sandbox.runs.add(runId, run);
    sandbox.touch();
    return run;
  }

  /** Has the sandbox's directory read while it runs, and keeps it until that is done; undefined when it has ended. */
  async read<T>(
    id: string,
    read: (place: SandboxPlace, signal: AbortSignal) => Promise<T>,
  ): Promise<T | undefined> {
    const entry = this.#byId.get(id);
    if (entry === undefined || entry.result !== undefined) return undefined;
    if (!this.#ports.isIsolated)
      throw new UnisolatedError("snapshots cannot be taken: its files are this machine's");
    const reading = read(entry, this.#stop.signal);
    entry.readers.add(reading);
    return reading.finally(() => entry.readers.delete(reading));
  }

  /** Returns the result the sandbox already had, if any; resolves when every process of it is gone. */
  async terminate(id: string): Promise<GenericResult | undefined> {
    const existing = this.#ports.store.findSandbox('id', id)?.result;
    if (existing === undefined)
      await this.#finish(id, { status: GenericStatus.terminated, exitcode: KILLED_EXIT_CODE, exception: '' });
    return existing;
  }

  /** Ends every sandbox; none can be created afterwards. */
  async stop(): Promise<void> {
    this.#stop.abort();
    await Promise.all([...this.#byId.keys()].map((id) => this.terminate(id)));
    clearInterval(this.#trimming);
    this.#disk.close();
    for (const entry of this.#byTask.values()) entry.runs.dispose();
    await Promise.all([this.#removals.settled(), this.#starts?.close()]);
    this.#ports.cgroups.close();
    this.#volatile.remove();
  }

  async #start(record: SandboxRecord, options: BegunOptions): Promise<LiveSandbox> {
    const { image, start } = options;
    const { forwards, log, cgroups, stateDir, diskBytes } = this.#ports;
    const limits = limitsOf(options.resources, { stateDir, diskBytes });
    const volumes = this.#ports.volumes.holdAll(options.volumes ?? []);
    const group = withLimits(start?.group ?? cgroups.create(record.id), limits);
    const ownerId = start && freeHostUser(this.#users);
    const place = { directory: join(this.#directory, record.id), ownerId };
    this.#users.add(ownerId);
    const listenPorts = options.network.allowsForwards ? forwards : [];
    const releaseImage = this.#ports.trees.hold(image);
    const release = () => {
      releaseImage();
      for (const volume of volumes) volume.release();
      this.#users.delete(ownerId);
    };
    const memoryBytesPerProcess = cgroups.versions.memory === undefined ? limits.memoryBytes : undefined;
    const limited = { group, memoryBytesPerProcess };
    const sandboxProcess = await startSandbox(
      { ...this.#ports, volatilePath: this.#volatile.path, removals: this.#removals },
      { place, image, volumes, listenPorts, start, ...limited, signal: this.#stop.signal },
    ).catch((cause: unknown) => {
      release();
      void group.then((each) => each.remove()).catch(() => {});
      throw cause;
    });
    const served = { sandboxId: record.id, ownerId, forwards, stateDir, log };
    const { promise: ended, resolve } = Promise.withResolvers<GenericResult>();
    const entry: Entry = {
      ...place,
      record,
      image,
      release,
      readers: new Set(),
      env: { ...options.env, MODAL_SANDBOX_ID: record.id, MODAL_TASK_ID: record.taskId },
      workdir: options.workdir === SANDBOX_ENV.HOME ? sandboxProcess.home : options.workdir,
      process: sandboxProcess,
      network: new SandboxNetwork({ ...served, process: sandboxProcess }),
      runs: new KeptRuns(keptLimits(this.#ports.outputLimitBytes)),
      ended,
      touch: () => {},
      volumes,
      group: await group,
      disks: [],
      started: 0,
      timers: [],
      result: undefined,
      resolve,
    };
    this.#byId.set(record.id, entry);
    this.#byTask.set(record.taskId, entry);
    this.#limit(entry, options);
    if (this.#ports.isIsolated) this.#guardDisk(entry, limits);
    this.#watch(entry);
    if (this.#stop.signal.aborted) await this.terminate(record.id);
    return entry;
  }

  #limit(entry: Entry, options: SandboxOptions): void {
    const { id } = entry.record;
    const expire = (exception: string) =>
      void this.#finish(id, { status: GenericStatus.timeout, exitcode: 124, exception });
    entry.timers.push(setTimeout(() => expire('The sandbox reached its timeout.'), options.timeoutMs));
    const { idleTimeoutMs } = options;
    if (idleTimeoutMs === undefined) return;
    const idle = setTimeout(() => {
      if (entry.runs.isBusy || entry.network.isBusy) idle.refresh();
      else expire('The sandbox was idle for as long as it may be.');
    }, idleTimeoutMs);
    entry.timers.push(idle);
    entry.touch = () => idle.refresh();
  }

  #guardDisk(entry: Entry, limits: SandboxLimits): void {
    const { record, directory, process, runs, volumes } = entry;
    const guard = {
      directory,
      limits,
      process,
      runs: () => runs.running(),
      onStopped: (why: string) => this.#ports.log.warn('sandbox.over_disk', { sandbox_id: record.id, why }),
      onEnded: (exception: string) =>
        void this.#finish(record.id, {
          status: GenericStatus.failure,
          exitcode: KILLED_EXIT_CODE,
          exception,
        }),
    };
    entry.disks.push(diskGuard(guard));
    for (const { directory: volume, path, isReadOnly } of volumes)
      if (!isReadOnly) entry.disks.push(diskGuard({ ...guard, directory: volume, volumePath: path }));
    for (const disk of entry.disks) this.#disk.add(disk);
  }

  #watch(entry: Entry): void {
    entry.process.exited.then(
      () => {
        const exception = 'The processes of the sandbox ended unexpectedly.';
        const result = { status: GenericStatus.failure, exitcode: KILLED_EXIT_CODE, exception };
        return this.#finish(entry.record.id, result);
      },
      () => {},
    );
  }

  async #finish(id: string, result: GenericResult): Promise<void> {
    const entry = this.#byId.get(id);
    if (entry === undefined) return;
    // The first reason stands; whoever comes later waits for the same end.
    const first = entry.result === undefined;
    entry.result ??= result;
    if (!first) {
      await entry.ended;
      return;
    }
    for (const timer of entry.timers) clearTimeout(timer);
    entry.network.close();
    for (const disk of entry.disks) this.#disk.remove(disk);
    await entry.process.stop();
    const ungrouped = entry.group.remove();
    this.#byId.delete(id);
    await Promise.allSettled(entry.readers);
    entry.release();
    const removed = this.#removals.add(entry.directory, entry.process.runDirectory);
    if (!this.#recordEnd(id, entry.result)) {
      // The disk may be full of this very sandbox.
      await removed;
      this.#recordEnd(id, entry.result);
    }
    await ungrouped;
    this.#ports.log.info('sandbox.ended', { sandbox_id: id, status: entry.result.status });
    setTimeout(() => this.#forget(entry), GRACE_MS).unref();
    entry.resolve(entry.result);
  }

  /** False when the store does not take it; its next start then records the sandbox as ended. */
  #recordEnd(id: string, result: GenericResult): boolean {
    try {
      this.#ports.store.finishSandbox(id, result);
      return true;
    } catch (cause) {
      this.#ports.log.error('sandbox.result_unsaved', { sandbox_id: id }, cause);
      return false;
    }
  }

  #forget(entry: Entry): void {
    this.#byTask.delete(entry.record.taskId);
    entry.runs.dispose();
  }

  /** Lists page by creation time, so no two sandboxes share one. */
  #now(): number {
    this.#lastCreatedAt = Math.max(Date.now() / 1000, this.#lastCreatedAt + 1e-5);
    return this.#lastCreatedAt;
  }
}
