// Makes the sandbox of a session: from its snapshot, from its environment's warm pool, or from its environment's image.
//   N1 What comes back as a snapshot has been looked at: another image, or a sandbox that somebody else made, is not used.
//   N2 One of the pool is used after it has the session's network. A pool that is away, slow or wrong costs a moment, no sandbox.
import type { Boot, Phase } from '@capstan/sandbox/boot';
import { isSandboxError, SandboxError } from '@capstan/sandbox/error';
import type { KeptSnapshot } from '@capstan/sandbox/lifecycle';
import type { CreateSandbox, NetworkPolicy, Sandboxes, SandboxRef } from '@capstan/sandbox/port';
import type { Made } from '@capstan/sandbox/record-changes';
import type { SandboxKind } from '@capstan/sandbox/warm-pool';
import type { CloudConfig } from '@capstan/schema/environments';
import { imageSourceOf } from '@capstan/schema/image-source';
import type { Logger } from '@capstan/shared/logger';
import { within } from '@capstan/shared/within';
import { imageAt } from './environment-image.ts';
import { persist } from './persistence.ts';
import { PhaseClock } from './phase-clock.ts';
import { isFromSnapshot } from './snapshot-manifest.ts';
import type { SessionPool, WarmSandbox } from './warm-pool.ts';

export interface BootDeps {
  sandboxes: () => Sandboxes;
  sessionId: string;
  environment: CloudConfig;
  /** Which build of the environment's image is in use; null: the environment keeps none. */
  imageStamp: () => Promise<string | null>;
  network: NetworkPolicy;
  /** Whether the sandbox will be given credentials: it is made ready for them then. */
  holdsTokens: () => Promise<boolean>;
  /** Null: its environment keeps no sandboxes ready. */
  pool: SessionPool | null;
  logger: Logger;
  clock: { now(): number };
}

export type Booted = Made & { boot: Boot };

/** A sandbox that does not have what it should is made once more. */
const TRIES = 2;
/** A pool that has not answered by then is not waited for. */
const CLAIM_MS = 1_000;

interface Origin {
  sandboxId: string;
  expiresAt: number;
  /** False: it was there already. */
  created: boolean;
  sandbox: Boot['sandbox'];
}

const HOW = { created: 'spawned', warm: 'warm', restored: 'restored' } as const;

export class SandboxBoot {
  #deps: BootDeps;

  constructor(deps: BootDeps) {
    this.#deps = deps;
  }

  /**
   * `from` in what is made is null when the snapshot is gone, or is not what it was said to be. `again`: another process may
   * have made it, and died before it said so.
   */
  async make(snapshot: KeptSnapshot | null, again: boolean): Promise<Booted> {
    const { logger, clock } = this.#deps;
    const beganAt = clock.now();
    const steps = new PhaseClock(clock);
    const restored = snapshot === null ? null : await this.#restore(snapshot, steps);
    const { sandboxId, expiresAt, created, sandbox } = restored ?? (await this.#spawn(steps, again));
    const from = restored === null ? null : snapshot;
    const phases = steps.take();
    const took = (wanted: Phase['name']) =>
      phases.reduce(
        (ms, { name, ...phase }) => ms + (name === wanted ? phase.endedAt - phase.beganAt : 0),
        0,
      );
    logger.info('sandbox.ready', {
      sandbox_id: sandboxId,
      how: HOW[sandbox],
      created,
      image_ms: took('image'),
      claim_ms: took('claim'),
      create_ms: took('create'),
      verify_ms: took('verify'),
      duration_ms: clock.now() - beganAt,
    });
    return { sandboxId, expiresAt, from, boot: { sandboxId, sandbox, beganAt, phases, filled: false } };
  }

  /** The session's record has it. */
  settle(sandboxId: string): void {
    const { pool, logger } = this.#deps;
    // Lost, what it was given is forgotten when its time is over.
    pool?.settle(sandboxId).catch((error: unknown) => {
      logger.warn('pool.not_settled', { sandbox_id: sandboxId, message: String(error) });
    });
  }

  /** Ends what a dead process may have made, or been given. */
  async unmake(): Promise<void> {
    await this.#deps.pool?.settle(null);
    await this.#endNamed();
  }

  async #endNamed(): Promise<void> {
    const sandboxes = this.#deps.sandboxes();
    const left = await persist(() => sandboxes.findByName(this.#name));
    if (left !== null) await persist(() => sandboxes.terminate(left.sandboxId));
  }

  get #name(): string {
    return `session-${this.#deps.sessionId}`;
  }

  async #restore({ imageId, snapshotId, marked }: KeptSnapshot, steps: PhaseClock): Promise<Origin | null> {
    const sandboxes = this.#deps.sandboxes();
    for (let tries = 1; tries <= TRIES; tries++) {
      const made = await this.#create(imageId, steps).catch((error: unknown) => {
        if (isSandboxError(error, 'image_not_found')) return 'gone' as const;
        if (isSandboxError(error, 'unusable')) return 'unusable' as const;
        throw error;
      });
      if (made === 'gone') break;
      if (made === 'unusable') continue;
      const { sandboxId } = made;
      const verify = () => isFromSnapshot(sandboxes, { sandboxId, snapshotId });
      if (!marked || (await steps.time({ name: 'verify', url: null }, verify)))
        return { ...made, sandbox: 'restored' };
      await persist(() => sandboxes.terminate(sandboxId));
    }
    this.#deps.logger.error('sandbox.snapshot_unusable', { image_id: imageId, snapshot_id: snapshotId });
    return null;
  }

  async #spawn(steps: PhaseClock, again: boolean): Promise<Origin> {
    const imageId = await steps.time({ name: 'image', url: null }, () => this.#image());
    const given = await this.#claim(imageId ?? null, steps, again);
    if (given !== null) return { ...given, created: false, sandbox: 'warm' };
    const made = await this.#create(imageId, steps).catch((error: unknown) => {
      // Its image never had what is missing: another one would be the same.
      throw isSandboxError(error, 'unusable') ? new SandboxError('misconfigured', error.message) : error;
    });
    return { ...made, sandbox: 'created' };
  }

  /** One of the pool, with the session's network. Null: there is none, or it cannot be had. */
  async #claim(imageId: string | null, steps: PhaseClock, again: boolean): Promise<WarmSandbox | null> {
    const { pool, environment } = this.#deps;
    if (pool === null || (again && (await this.#isMade()))) return null;
    return steps.time({ name: 'claim', url: null }, async () => {
      const given = await within(pool.claim(kindOf(environment, imageId)), CLAIM_MS, null);
      return given !== null && (await this.#connect(given, pool)) ? given : null;
    });
  }

  async #isMade(): Promise<boolean> {
    const sandboxes = this.#deps.sandboxes();
    return (await persist(() => sandboxes.findByName(this.#name))) !== null;
  }

  async #connect({ sandboxId }: WarmSandbox, pool: SessionPool): Promise<boolean> {
    const { logger, network } = this.#deps;
    try {
      await this.#deps.sandboxes().setNetwork({ sandboxId, network });
      return true;
    } catch (error) {
      if (!isSandboxError(error)) throw error;
      logger.warn('pool.sandbox_refused', { sandbox_id: sandboxId, code: error.code });
      // Also told when the session has another.
      pool.settle(null).catch((cause: unknown) => {
        logger.warn('pool.not_settled', { sandbox_id: sandboxId, message: String(cause) });
      });
      return false;
    }
  }

  /** Undefined: the environment has nothing beyond the usual image. */
  async #image(): Promise<string | undefined> {
    const source = imageSourceOf(this.#deps.environment);
    return source === null ? undefined : imageAt(this.#deps.sandboxes(), source, await this.#stamp());
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

  /** What cannot be used is not left behind: its name would be taken. */
  async #create(imageId: string | undefined, steps: PhaseClock): Promise<SandboxRef> {
    try {
      return await this.#ask(imageId, steps);
    } catch (error) {
      if (isSandboxError(error, 'unusable')) await this.#endNamed();
      throw error;
    }
  }

  #ask(imageId: string | undefined, steps: PhaseClock): Promise<SandboxRef> {
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

/** What a sandbox of that environment is made of. */
export function kindOf(environment: CloudConfig, imageId: string | null): SandboxKind {
  return { cpu: null, memoryMiB: null, gpu: null, ...resourcesOf(environment), imageId };
}

function resourcesOf({ machine }: CloudConfig): Pick<CreateSandbox, 'cpu' | 'memoryMiB' | 'gpu'> {
  const { cpu = null, memory_mib: memoryMiB = null, gpu = null } = machine ?? {};
  return {
    ...(cpu === null ? {} : { cpu }),
    ...(memoryMiB === null ? {} : { memoryMiB }),
    ...(gpu === null ? {} : { gpu }),
  };
}
