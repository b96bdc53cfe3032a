// Makes the sandbox of a session: from its snapshot, or from its environment's image.
//   N1 What comes back as a snapshot has been looked at: another image, or a sandbox that somebody else made, is not used.
import { isSandboxError } from '@capstan/sandbox/error';
import type { KeptSnapshot } from '@capstan/sandbox/lifecycle';
import { recipeOf } from '@capstan/sandbox/packages';
import type { CreateSandbox, NetworkPolicy, Sandboxes, SandboxRef } from '@capstan/sandbox/port';
import type { Made } from '@capstan/sandbox/record-changes';
import type { CloudConfig } from '@capstan/schema/environments';
import type { Logger } from '@capstan/shared/logger';
import { persist } from './persistence.ts';
import { isFromSnapshot } from './snapshot-manifest.ts';

export interface BootDeps {
  sandboxes: () => Sandboxes;
  sessionId: string;
  environment: CloudConfig;
  network: NetworkPolicy;
  /** Whether the sandbox will be given credentials: it is made ready for them then. */
  holdsTokens: () => Promise<boolean>;
  logger: Logger;
  clock: { now(): number };
}

/** Of a sandbox that was made: how long each step of it took, in ms. */
interface Steps {
  image_ms: number;
  create_ms: number;
  verify_ms: number;
}

/** A sandbox that does not have what it should is made once more. */
const TRIES = 2;

export class SandboxBoot {
  #deps: BootDeps;

  constructor(deps: BootDeps) {
    this.#deps = deps;
  }

  /** `from` in what is made is null when the snapshot is gone, or is not what it was said to be. */
  async make(snapshot: KeptSnapshot | null): Promise<Made> {
    const { logger, clock } = this.#deps;
    const began = clock.now();
    const steps: Steps = { image_ms: 0, create_ms: 0, verify_ms: 0 };
    const restored = snapshot === null ? null : await this.#restore(snapshot, steps);
    const made = restored ?? (await this.#spawn(steps));
    const from = restored === null ? null : snapshot;
    logger.info('sandbox.ready', {
      sandbox_id: made.sandboxId,
      how: from === null ? 'spawned' : 'restored',
      created: made.created,
      ...steps,
      duration_ms: clock.now() - began,
    });
    return { sandboxId: made.sandboxId, expiresAt: made.expiresAt, from };
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

  async #restore({ imageId, snapshotId, marked }: KeptSnapshot, steps: Steps): Promise<SandboxRef | null> {
    const sandboxes = this.#deps.sandboxes();
    for (let tries = 1; tries <= TRIES; tries++) {
      const made = await this.#create(imageId, steps).catch((error: unknown) => {
        if (isSandboxError(error, 'image_not_found')) return null;
        throw error;
      });
      if (made === null) break;
      const { sandboxId } = made;
      const verify = () => isFromSnapshot(sandboxes, { sandboxId, snapshotId });
      if (!marked || (await this.#timed(steps, 'verify_ms', verify))) return made;
      await persist(() => sandboxes.terminate(sandboxId));
    }
    this.#deps.logger.error('sandbox.snapshot_unusable', { image_id: imageId, snapshot_id: snapshotId });
    return null;
  }

  async #spawn(steps: Steps): Promise<SandboxRef> {
    return this.#create(await this.#timed(steps, 'image_ms', () => this.#image()), steps);
  }

  /** Undefined: the environment has nothing beyond the usual image. */
  async #image(): Promise<string | undefined> {
    const recipe = recipeOf(this.#deps.environment.packages);
    if (recipe.lines.length === 0) return undefined;
    return (await persist(() => this.#deps.sandboxes().buildImage(recipe))).imageId;
  }

  #create(imageId: string | undefined, steps: Steps): Promise<SandboxRef> {
    const { network } = this.#deps;
    const request: CreateSandbox = {
      name: this.#name,
      network,
      ...(imageId === undefined ? {} : { imageId }),
    };
    return this.#timed(steps, 'create_ms', async () => {
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

  async #timed<T>(steps: Steps, step: keyof Steps, work: () => Promise<T>): Promise<T> {
    const began = this.#deps.clock.now();
    const result = await work();
    steps[step] += this.#deps.clock.now() - began;
    return result;
  }
}
