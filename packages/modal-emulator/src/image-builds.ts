// Images from Dockerfile lines, whose commands really run: each in a sandbox of its own, made of what the commands before it
// left. 1. The same lines on the same image are the same image; requests that come while it is built wait for it.
// 2. What a command left is kept for the next build that begins alike, until an image it was for is deleted or room is needed.
// 3. A build that fails, takes too long or writes too much leaves no image, and its error ends with the end of its log.
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { arch } from 'node:process';
import { DockerfileError } from './dockerfile.ts';
import { newId } from './identifiers.ts';
import { type ImagePlan, type PlannedRun, planImage } from './image-plan.ts';
import type { ImageRecord, ImageStore } from './image-store.ts';
import type { CapturedTree, ImageTrees } from './image-trees.ts';
import type { Layout } from './root-filesystem.ts';
import type { Run } from './run.ts';
import { SANDBOX_ENV } from './sandbox-starts.ts';
import type { LiveSandbox, Sandboxes } from './sandboxes.ts';
import { CommandError, commandScript } from './shell-script.ts';
import type { ImageDefinition } from './wire.ts';

export const DEFAULT_WORKDIR = '/root';
const MAX_LAYERS = 60;
const LOG_END_BYTES = 4096;
/** For stopping a build's sandbox after its command. */
const SANDBOX_GRACE_MS = 60_000;

export interface BuildLimits {
  /** Of all commands of one image together. */
  timeMs: number;
  logBytes: number;
}

/** The lines cannot be built; the message says which and why, and ends with the end of the log if there is one. */
export class ImageBuildError extends Error {
  override readonly name = 'ImageBuildError';
}

export class ImageNotFoundError extends Error {
  override readonly name = 'ImageNotFoundError';
}

export interface ImageBuildsPorts {
  sandboxes: Sandboxes;
  images: ImageStore;
  trees: ImageTrees;
  layout: Layout;
  limits: BuildLimits;
  /** Variables of every command, which no image keeps. */
  env: Readonly<Record<string, string>>;
}

export interface BuildRequest {
  definition: Pick<ImageDefinition, 'dockerfileCommands' | 'baseImages'>;
  /** Builds again what is known, and everything after it. */
  isForced: boolean;
  /** For commands only; no part of the image, nor of what makes it the same. */
  secretEnv: Record<string, string>;
}

interface Build {
  plan: ImagePlan;
  isForced: boolean;
  secretEnv: Record<string, string>;
  /** Of `performance.now()`. */
  deadline: number;
}

interface StepBuild extends Build {
  group: PlannedRun[];
  /** Keeps a step's files until the build is over. */
  hold(step: ImageRecord): void;
}

export class ImageBuilds {
  readonly #ports: ImageBuildsPorts;
  readonly #beingBuilt = new Map<string, Promise<ImageRecord>>();
  readonly #host: string;

  constructor(ports: ImageBuildsPorts) {
    this.#ports = ports;
    this.#host = digest('host', hostRelease(), arch, ports.layout);
  }

  /** Throws ImageBuildError, ImageNotFoundError for an unknown base, or an error of the images' files. */
  async build({ definition, isForced, secretEnv }: BuildRequest): Promise<ImageRecord> {
    const base = this.#baseOf(definition);
    this.#ports.trees.assertUsable(base);
    const plan = planOf(definition.dockerfileCommands, base, { ...SANDBOX_ENV, ...this.#ports.trees.env });
    const key = digest('image', this.#host, base.id, plan.from, ...definition.dockerfileCommands);
    const known = isForced ? undefined : this.#ports.images.findByContent(key);
    if (known !== undefined) return known;
    const twin = this.#beingBuilt.get(key);
    if (twin !== undefined) return twin;
    const deadline = performance.now() + this.#ports.limits.timeMs;
    const building = this.#build(base, key, { plan, isForced, secretEnv, deadline }).finally(() =>
      this.#beingBuilt.delete(key),
    );
    this.#beingBuilt.set(key, building);
    return building;
  }

  #baseOf({ baseImages }: BuildRequest['definition']): ImageRecord {
    const [first] = baseImages;
    if (first === undefined) return { id: '', env: {}, workdir: DEFAULT_WORKDIR, layers: [] };
    const base = this.#ports.images.find(first.imageId);
    if (base === undefined) throw new ImageNotFoundError(`Image ${first.imageId} does not exist.`);
    return base;
  }

  async #build(base: ImageRecord, key: string, build: Build): Promise<ImageRecord> {
    const { images, trees } = this.#ports;
    const { runs, env, workdir } = build.plan;
    // What commands leave is laid over what is there, unless each sandbox has a copy of that anyway.
    const isLayered = this.#ports.layout === 'layers' && base.tree === undefined;
    const groups = isLayered ? runs.map((run) => [run]) : [runs].filter((group) => group.length > 0);
    if (base.layers.length + groups.length > MAX_LAYERS && isLayered)
      throw new ImageBuildError(
        `An image has at most ${MAX_LAYERS} RUN lines, with those of its base: join some with &&.`,
      );
    let image = { ...base, env, workdir };
    let stepKey = digest('step', this.#host, base.id, build.plan.from);
    // Nobody but this build may know of a step by now: held, its files stay.
    const holds = [trees.hold(image)];
    const hold = (step: ImageRecord) => holds.push(trees.hold(step));
    try {
      for (const group of groups) {
        const commands = group.map((run) => [run.argv, run.env, run.workdir]);
        stepKey = digest('step', stepKey, JSON.stringify(commands));
        const step = await this.#step(image, stepKey, { ...build, group, hold });
        image = { ...step, env, workdir };
      }
      image = { ...image, id: newId('im') };
      images.add(image, { contentKey: key });
      return image;
    } finally {
      for (const release of holds) release();
    }
  }

  /** What some commands leave, from an earlier build if there was one. */
  async #step(image: ImageRecord, contentKey: string, build: StepBuild): Promise<ImageRecord> {
    const { images, sandboxes, trees, layout } = this.#ports;
    const known = build.isForced ? undefined : images.findByContent(contentKey);
    if (known !== undefined) {
      build.hold(known);
      return known;
    }
    const sandbox = await sandboxes.create({
      appId: '',
      image,
      name: '',
      tags: [],
      env: this.#ports.trees.env,
      workdir: image.workdir,
      timeoutMs: Math.max(0, build.deadline - performance.now()) + SANDBOX_GRACE_MS,
      network: { isOpen: true, allowsForwards: true },
    });
    try {
      for (const run of build.group) await this.#run(sandbox, run, build);
      const step = { ...image, id: newId('im'), layout };
      const add = (tree: CapturedTree) => {
        if (layout === 'layers' && image.tree === undefined) step.layers = [...image.layers, tree.id];
        else step.tree = tree.id;
        images.add(step, { contentKey, tree, isStep: true });
        build.hold(step);
      };
      const isTaken = await sandboxes.read(sandbox.record.id, async (place, signal) => {
        await trees.capture(place, signal, add);
        return true;
      });
      if (isTaken === undefined) throw new ImageBuildError('The sandbox of the build ended before its time.');
      return step;
    } finally {
      await sandboxes.terminate(sandbox.record.id);
    }
  }

  async #run(sandbox: LiveSandbox, planned: PlannedRun, build: Build): Promise<void> {
    const { timeMs, logBytes } = this.#ports.limits;
    const run = this.#start(sandbox, planned, build);
    run.closeStdin();
    const { log, isTooLong } = await readLog(run, logBytes);
    const { code, signal } = await run.exited;
    if (code === 0 && !isTooLong) return;
    const outcome = isTooLong
      ? `wrote more than ${logBytes} bytes of output`
      : performance.now() >= build.deadline
        ? `was stopped: a build has ${timeMs / 1000} seconds`
        : `failed with exit code ${code ?? 128 + (signal ?? 0)}`;
    throw new ImageBuildError(`Line ${planned.line} ${outcome}: ${planned.source}\n${log}`.trimEnd());
  }

  #start(sandbox: LiveSandbox, { argv, env, workdir }: PlannedRun, build: Build): Run {
    try {
      const script = commandScript({
        argv,
        env: { ...sandbox.env, ...this.#ports.env, ...build.secretEnv, ...env },
        workdir,
        makeWorkdir: true,
        pty: false,
        stderrToStdout: true,
      });
      const timeoutMs = Math.max(1, build.deadline - performance.now());
      return this.#ports.sandboxes.run(sandbox, newId('ta'), {
        script,
        keepStdout: true,
        keepStderr: false,
        timeoutMs,
      });
    } catch (cause) {
      if (cause instanceof CommandError) throw new ImageBuildError(cause.message, { cause });
      throw cause;
    }
  }
}

function planOf(lines: readonly string[], base: ImageRecord, usualEnv: Record<string, string>): ImagePlan {
  try {
    return planImage(lines, { ...base, usualEnv });
  } catch (cause) {
    if (cause instanceof DockerfileError) throw new ImageBuildError(cause.message, { cause });
    throw cause;
  }
}

/** The end of what a command writes, to its end or, stopping it, to what it may write. */
async function readLog(run: Run, limitBytes: number): Promise<{ log: string; isTooLong: boolean }> {
  let end = Buffer.alloc(0);
  let bytes = 0;
  for await (const chunk of run.stdout.read(0, new AbortController().signal)) {
    bytes += chunk.length;
    end = Buffer.concat([end, chunk]).subarray(-LOG_END_BYTES);
    if (bytes > limitBytes) run.kill();
    if (bytes > limitBytes) break;
  }
  return { log: wholeCharacters(end), isTooLong: bytes > limitBytes };
}

/** Without the bytes of a character that was cut in two. */
function wholeCharacters(bytes: Buffer): string {
  let start = 0;
  while (start < 4 && ((bytes[start] ?? 0) & 0xc0) === 0x80) start += 1;
  return bytes.toString('utf8', start);
}

/** Another release of the host is another base: what was built on one may not run on the other. */
function hostRelease(): string {
  try {
    return readFileSync('/etc/os-release', 'utf8');
  } catch {
    return '';
  }
}

function digest(...parts: string[]): string {
  return createHash('sha256').update(JSON.stringify(parts)).digest('hex');
}
