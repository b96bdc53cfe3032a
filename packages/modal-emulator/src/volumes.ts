// Volumes: directories that outlive sandboxes, and that any number of them may have at the same time, each at its own path.
// 1. What one sandbox writes the others see at once. 2. A volume's files go when it is deleted and no sandbox has it, at the
// next start if need be. 3. An ephemeral one is deleted when its client has said nothing for a while.
import { chmodSync, chownSync, existsSync, mkdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import type { Logger } from '@capstan/shared/logger';
import { Status } from 'nice-grpc';
import { fail } from './failure.ts';
import { newId } from './identifiers.ts';
import { assertObjectName } from './object-name.ts';
import { IMAGE_USER } from './root-filesystem.ts';
import { TreeRemovals } from './tree-removal.ts';
import type { HeldVolume, PlacedVolume, VolumeMount } from './volume-mounts.ts';
import type { VolumeRecord, VolumeStore } from './volume-store.ts';
import { ObjectCreation, type VolumeRequest } from './wire.ts';

const DEFAULT_VERSION = 1;
const VERSIONS = [0, 1, 2];
const MOST_BETWEEN_LOOKS_MS = 60_000;

export interface VolumesPorts {
  stateDir: string;
  store: VolumeStore;
  log: Logger;
  /** How long an ephemeral volume lives without a word of its client, who says one every five minutes. */
  ephemeralMs: number;
}

export class Volumes {
  readonly #ports: VolumesPorts;
  readonly #directory: string;
  readonly #removals: TreeRemovals;
  readonly #held = new Map<string, number>();
  /** Of `performance.now()`: a clock that jumps ends nothing. */
  readonly #heard = new Map<string, number>();
  readonly #removing = new Set<string>();
  readonly #timer: NodeJS.Timeout;

  constructor(ports: VolumesPorts) {
    this.#ports = ports;
    this.#directory = join(ports.stateDir, 'volumes');
    this.#removals = new TreeRemovals(ports.log);
    mkdirSync(this.#directory, { recursive: true });
    chmodSync(this.#directory, 0o700);
    // Their clients could not be heard while this was not running.
    for (const id of ports.store.ephemeral()) this.heartbeat(id);
    const everyMs = Math.min(MOST_BETWEEN_LOOKS_MS, ports.ephemeralMs / 4);
    this.#timer = setInterval(() => this.#collect(), everyMs).unref();
    this.#collect();
  }

  getOrCreate(request: VolumeRequest, environment: string): VolumeRecord {
    const { deploymentName: name, objectCreationType: creation, version } = request;
    if (!VERSIONS.includes(version)) fail(Status.INVALID_ARGUMENT, `There is no volume version ${version}.`);
    const made = { id: newId('vo'), environment, version: version || DEFAULT_VERSION };
    if (creation === ObjectCreation.ephemeral) return this.#add(made);
    assertObjectName('Volume', name);
    const known = this.#ports.store.findByName(environment, name);
    if (known !== undefined && creation === ObjectCreation.failIfExists)
      fail(Status.ALREADY_EXISTS, `Volume '${name}' already exists in environment '${environment}'`);
    if (known !== undefined) return known;
    if (creation === ObjectCreation.lookup)
      fail(Status.NOT_FOUND, `Volume '${name}' not found in environment '${environment}'`);
    return this.#add({ ...made, name });
  }

  /** False when there is no volume of that id. */
  heartbeat(id: string): boolean {
    const record = this.#ports.store.find(id);
    if (record !== undefined && record.name === undefined) this.#heard.set(id, performance.now());
    return record !== undefined;
  }

  /** False when there is no volume of that id. Sandboxes that have it go on with it. */
  delete(id: string): boolean {
    const isDeleted = this.#ports.store.delete(id);
    this.#heard.delete(id);
    this.#collect();
    return isDeleted;
  }

  /** For a sandbox, which releases each. Throws a status for one that is not there, and then holds none. */
  holdAll(mounts: readonly VolumeMount[]): PlacedVolume[] {
    const held: PlacedVolume[] = [];
    try {
      for (const mount of mounts) held.push({ ...mount, ...this.#hold(mount.volumeId) });
      return held;
    } catch (cause) {
      for (const { release } of held) release();
      throw cause;
    }
  }

  /** Once no sandbox is left. */
  async close(): Promise<void> {
    clearInterval(this.#timer);
    await this.#removals.settled();
  }

  #add(record: VolumeRecord): VolumeRecord {
    this.#ports.store.add(record);
    this.heartbeat(record.id);
    return record;
  }

  #hold(id: string): HeldVolume {
    if (this.#ports.store.find(id) === undefined) fail(Status.NOT_FOUND, `No Volume with ID '${id}' found`);
    const directory = join(this.#directory, id);
    mkdirSync(directory, { recursive: true, mode: 0o755 });
    const isRoot = process.getuid?.() === 0;
    if (isRoot && statSync(directory).uid === 0) chownSync(directory, IMAGE_USER, IMAGE_USER);
    this.#held.set(id, (this.#held.get(id) ?? 0) + 1);
    let isHeld = true;
    const release = () => {
      if (!isHeld) return;
      isHeld = false;
      this.#release(id);
    };
    return { directory, diskUser: isRoot ? statSync(directory).uid : undefined, release };
  }

  #release(id: string): void {
    const holders = (this.#held.get(id) ?? 1) - 1;
    if (holders > 0) this.#held.set(id, holders);
    else this.#held.delete(id);
    this.#collect();
  }

  #collect(): void {
    const { store, ephemeralMs } = this.#ports;
    for (const [id, heardAt] of this.#heard) {
      if (this.#held.has(id) || performance.now() - heardAt < ephemeralMs) continue;
      store.delete(id);
      this.#heard.delete(id);
    }
    for (const id of store.deleted()) if (!this.#held.has(id) && !this.#removing.has(id)) this.#remove(id);
  }

  #remove(id: string): void {
    this.#removing.add(id);
    const directory = join(this.#directory, id);
    void this.#removals.add(directory).then(() => {
      this.#removing.delete(id);
      // One that could not be removed is tried again at the next look.
      if (!existsSync(directory)) this.#ports.store.forget(id);
    });
  }
}
