// Makes the sandbox of a session: from its snapshot, or from its environment's image.
//   N1 What comes back as a snapshot has been looked at: another image, or a sandbox that somebody else made, is not used.
import type { Boot, Phase } from '@capstan/sandbox/boot';
import { isSandboxError } from '@capstan/sandbox/error';
import type { KeptSnapshot } from '@capstan/sandbox/lifecycle';
import type { CreateSandbox, NetworkPolicy, Sandboxes, SandboxRef } from '@capstan/sandbox/port';
import type { Made } from '@capstan/sandbox/record-changes';
import type { CloudConfig } from '@capstan/schema/environments';
import { imageSourceOf } from '@capstan/schema/image-source';
import type { Logger } from '@capstan/shared/logger';
import { recipeAt } from './environment-image.ts';
import { persist } from './persistence.ts';
import { PhaseClock } from './phase-clock.ts';
import { isFromSnapshot } from './snapshot-manifest.ts';

export interface BootDeps {
  sandboxes: () => Sandboxes;
  sessionId: string;
  environment: CloudConfig;
  /** Which build of the environment's image is in use; null: the environment keeps none. */
  imageStamp: () => Promise<string | null>;
  network: NetworkPolicy;
  /** Whether the sandbox will be given credentials: it is made ready for them then. */
  holdsTokens: () => Promise<boolean>;
  logger: Logger;
  clock: { now(): number };
}

export type Booted = Made & { boot: Boot };

/** A sandbox that does not have what it should is made once more. */
const TRIES = 2;

export class SandboxBoot {
  #deps: BootDeps;

  constructor(deps: BootDeps) {
    this.#deps = deps;
  }

  /** `from` in what is made is null when the snapshot is gone, or is not what it was said to be. */
  async make(snapshot: KeptSnapshot | null): Promise<Booted> {
    const { logger, clock } = this.#deps;
    const beganAt = clock.now();
    const steps = new PhaseClock(clock);
    const restored = snapshot === null ? null : await this.#restore(snapshot, steps);
    const { sandboxId, expiresAt, created } = restored ?? (await this.#spawn(steps));
    const from = restored === null ? null : snapshot;
    const phases = steps.take();
    const took = (wanted: Phase['name']) =>
      phases.reduce(
        (ms, { name, ...phase }) => ms + (name === wanted ? phase.endedAt - phase.beganAt : 0),
        0,
      );
    logger.info('sandbox.ready', {
      sandbox_id: sandboxId,
      how: from === null ? 'spawned' : 'restored',
      created,
      image_ms: took('image'),
      create_ms: took('create'),
      verify_ms: took('verify'),
      duration_ms: clock.now() - beganAt,
    });
    const sandbox = from === null ? 'created' : 'restored';
    return { sandboxId, expiresAt, from, boot: { sandboxId, sandbox, beganAt, phases, filled: false } };
  }

  /** Ends what a dead process may have made. */
  async unmake(): Promise<void> {
    const sandboxes = this.#deps.sandboxes();
    const left = await persist(() => sandboxes.findByName(this.#name));
    if (left !== null) await persist(() => sandboxes.terminate(left.sandboxId));
  }

  get #name(): string {
    return `session-${this.#deps.sessionId}`;
  }

  async #restore(
    { imageId, snapshotId, marked }: KeptSnapshot,
    steps: PhaseClock,
  ): Promise<SandboxRef | null> {
    const sandboxes = this.#deps.sandboxes();
    for (let tries = 1; tries <= TRIES; tries++) {
      const made = await this.#create(imageId, steps).catch((error: unknown) => {
        if (isSandboxError(error, 'image_not_found')) return null;
        throw error;
      });
      if (made === null) break;
      const { sandboxId } = made;
      const verify = () => isFromSnapshot(sandboxes, { sandboxId, snapshotId });
      if (!marked || (await steps.time({ name: 'verify', url: null }, verify))) return made;
      await persist(() => sandboxes.terminate(sandboxId));
    }
    this.#deps.logger.error('sandbox.snapshot_unusable', { image_id: imageId, snapshot_id: snapshotId });
    return null;
  }

  async #spawn(steps: PhaseClock): Promise<SandboxRef> {
    return this.#create(await steps.time({ name: 'image', url: null }, () => this.#image()), steps);
  }

  /** Undefined: the environment has nothing beyond the usual image. */
  async #image(): Promise<string | undefined> {
    const source = imageSourceOf(this.#deps.environment);
    if (source === null) return undefined;
    const recipe = recipeAt(source, await this.#stamp());
    return (await persist(() => this.#deps.sandboxes().buildImage(recipe))).imageId;
  }

  /** Without it the image is another one, which has to be built. */
  async #stamp(): Promise<string | null> {
    try {
      return await this.#deps.imageStamp();
    } catch (error) {
      this.#deps.logger.error('image.stamp_unknown', {}, error);
      return null;
    }
  }

  #create(imageId: string | undefined, steps: PhaseClock): Promise<SandboxRef> {
    const { network, environment } = this.#deps;
    const request: CreateSandbox = {
      name: this.#name,
      network,
      ...resourcesOf(environment),
      ...(imageId === undefined ? {} : { imageId }),
    };
    return steps.time({ name: 'create', url: null }, async () => {
      const create = (asked: CreateSandbox) => persist(() => this.#deps.sandboxes().create(asked));
      if (!(await this.#holdsTokens())) return create(request);
      return create({ ...request, credentials: [] }).catch((error: unknown) => {
        // There is no egress proxy: nothing private is cloned, and all else works.
        if (isSandboxError(error, 'misconfigured')) return create(request);
        throw error;
      });
    });
  }

  /** A sandbox that is ready for credentials in vain does no harm; one that is not cannot have them. */
  async #holdsTokens(): Promise<boolean> {
    try {
      return await this.#deps.holdsTokens();
    } catch (error) {
      this.#deps.logger.error('sandbox.tokens_unknown', {}, error);
      return true;
    }
  }
}

function resourcesOf({ machine }: CloudConfig): Pick<CreateSandbox, 'cpu' | 'memoryMiB' | 'gpu'> {
  const { cpu = null, memory_mib: memoryMiB = null, gpu = null } = machine ?? {};
  return {
    ...(cpu === null ? {} : { cpu }),
    ...(memoryMiB === null ? {} : { memoryMiB }),
    ...(gpu === null ? {} : { gpu }),
  };
}
