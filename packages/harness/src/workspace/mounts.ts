// A session's resources in its sandbox: mounted before the first tool call there, and looked at again when they change.
//   W1 What is mounted in which sandbox is remembered; a sandbox that replaces another gets everything again.
//   W2 A resource that cannot be mounted is told once, by name, and fails no tool call. It is tried again when the
//      resources change or the sandbox is replaced.
import { isSandboxError } from '@capstan/sandbox/error';
import type { Sandboxes } from '@capstan/sandbox/port';
import type { RepositoryTrouble } from '@capstan/schema/sandbox-news';
import type { Logger } from '@capstan/shared/logger';
import { z } from 'zod';
import { persist } from '../persistence.ts';
import type { PhaseClock } from '../phase-clock.ts';
import { SandboxVariables, type VaultVariables } from '../vault/sandbox-variables.ts';
import { putFile } from './file-mount.ts';
import { cloneRepository } from './repository-mount.ts';
import { giveTokens, type TokenUse } from './repository-tokens.ts';
import type { Mountable, SessionFiles, WorkspaceRecord } from './session-files.ts';

export interface MountDeps {
  sandboxes: () => Sandboxes;
  files: SessionFiles;
  record: WorkspaceRecord;
  /** Absent: the session has no vaults. */
  variables?: VaultVariables | undefined;
  phases: PhaseClock;
  logger: Logger;
}

const manifest = z.object({
  sandboxId: z.string(),
  /** By resource. */
  mounted: z.record(z.string(), z.object({ path: z.string(), type: z.enum(['file', 'github_repository']) })),
  /** How often a mount failed here: names the next attempt. */
  failures: z.number(),
  /** Of authorization tokens, by resource, and of variables, by credential. */
  placeholders: z.record(z.string(), z.string()).default({}),
  /** Why one of them is not used here, as it was told. */
  unused: z.record(z.string(), z.string()).default({}),
});
type Manifest = z.infer<typeof manifest>;

const AT_ONCE = 6;
const PATHS_AT_ONCE = 100;
const COMMAND_MS = 30_000;

type FileMount = Extract<Mountable, { type: 'file' }>;
type RepositoryMount = Extract<Mountable, { type: 'github_repository' }>;

type Tokens = ReadonlyMap<string, TokenUse>;

export class Mounts {
  #deps: MountDeps;
  #variables: SandboxVariables;
  #current: Manifest | null = null;
  #settled = false;
  #working: Promise<void> | null = null;
  #waiting: Promise<void> | null = null;
  #notes: string[] = [];
  #troubles: RepositoryTrouble[] = [];

  constructor(deps: MountDeps) {
    this.#deps = deps;
    this.#variables = new SandboxVariables(deps.variables ?? null, deps.logger);
  }

  /** Variables that every command there is to have. */
  get environment(): Readonly<Record<string, string>> {
    return this.#variables.environment;
  }

  /** Resolves when everything that can be mounted is. Rejects only when the sandbox itself fails, with SandboxError. */
  ready(sandboxId: string): Promise<void> {
    const hasVariables = this.#deps.variables !== undefined;
    if (!hasVariables && this.#isSettled(sandboxId)) return Promise.resolve();
    if (hasVariables && this.#working !== null) return this.#after(this.#working, sandboxId);
    this.#working ??= this.#bringUpToDate(sandboxId).finally(() => {
      this.#working = null;
    });
    return this.#working;
  }

  /** What the model has to be told, once. */
  takeNotes(): string[] {
    return this.#notes.splice(0);
  }

  /** The repositories that could not be mounted, each attempt once. */
  takeTroubles(): RepositoryTrouble[] {
    return this.#troubles.splice(0);
  }

  /** What is under way may have looked at the variables before they changed. */
  #after(working: Promise<void>, sandboxId: string): Promise<void> {
    const again = () => {
      this.#waiting = null;
      return this.ready(sandboxId);
    };
    this.#waiting ??= working.then(again, again);
    return this.#waiting;
  }

  async #bringUpToDate(sandboxId: string): Promise<void> {
    const changed = await this.#variables.changed();
    if (changed || !this.#isSettled(sandboxId)) await this.#mount(sandboxId);
  }

  #isSettled(sandboxId: string): boolean {
    return this.#settled && this.#current?.sandboxId === sandboxId && !this.#deps.files.stale();
  }

  async #mount(sandboxId: string): Promise<void> {
    this.#settled = false;
    const known = this.#current ?? this.#load();
    const here = known?.sandboxId === sandboxId ? known : fresh(sandboxId);
    const resources = await this.#resources();
    if (resources === null) return;
    const next: Manifest = { ...here, mounted: {}, unused: {} };
    const { mounted } = next;
    for (const [id, mount] of Object.entries(here.mounted)) {
      if (resources.some((resource) => resource.id === id)) mounted[id] = mount;
    }
    await this.#unmount(here, next);
    const tokens = await this.#giveTokens(resources, next);
    const missing = resources.filter(({ id }) => mounted[id] === undefined);
    for (const resource of missing)
      if (resource.type !== 'file')
        await this.#clone({ ...resource, token: tokens.get(resource.id) ?? null }, next);
    this.#tellUnused({ before: here, next, tokens });
    const files = missing.filter((resource) => resource.type === 'file');
    if (files.length > 0)
      await this.#deps.phases.time({ name: 'files', url: null }, () => this.#putAll(files, next));
    this.#current = next;
    this.#settled = true;
    const text = JSON.stringify(next);
    if (text !== JSON.stringify(known)) this.#deps.record.save('mounts', text);
  }

  async #giveTokens(resources: readonly Mountable[], next: Manifest): Promise<Map<string, TokenUse>> {
    const { sandboxId, placeholders } = next;
    const variables = await this.#variables.open();
    const keep = (kept: Manifest['placeholders']) => {
      next.placeholders = kept;
      // What it does not name yet is mounted once more, which changes nothing.
      this.#current = next;
      this.#deps.record.save('mounts', JSON.stringify(next));
    };
    return giveTokens(this.#deps, { sandboxId, resources, variables, placeholders, keep });
  }

  #tellUnused({ before, next, tokens }: { before: Manifest; next: Manifest; tokens: Tokens }): void {
    const tell = (id: string, unused: string, what: string) => {
      next.unused[id] = unused;
      if (before.unused[id] !== unused) this.#notes.push(`Note: ${what}: ${unused}.`);
    };
    for (const [id, use] of tokens) {
      // Of a repository that is there all the same: its failure would have said so.
      const mount = next.mounted[id];
      if ('unused' in use && mount !== undefined)
        tell(id, use.unused, `The authorization token of the repository at ${mount.path} is not used`);
    }
    for (const [id, { name, unused }] of this.#variables.settle(tokens))
      tell(id, unused, `The variable ${name} of the session's vaults is not set`);
  }

  async #resources(): Promise<Mountable[] | null> {
    try {
      return await this.#deps.files.resources();
    } catch (error) {
      this.#deps.logger.error('mounts.unknown', {}, error);
      this.#notes.push(
        'Note: the files and repositories of this session could not be looked up; some may be missing from the sandbox.',
      );
      return null;
    }
  }

  #load(): Manifest | null {
    const text = this.#deps.record.load('mounts');
    return text === null ? null : (manifest.safeParse(JSON.parse(text)).data ?? null);
  }

  async #unmount(before: Manifest, { sandboxId, mounted }: Manifest): Promise<void> {
    const gone = Object.entries(before.mounted).filter(([id]) => mounted[id] === undefined);
    const paths = gone.map(([, { path }]) => path);
    if (paths.length > 0) await this.#run(sandboxId, ['rm', '-f', '--', ...paths]);
  }

  async #clone(resource: RepositoryMount & { token: TokenUse | null }, next: Manifest): Promise<void> {
    const { logger, phases } = this.#deps;
    const sandboxes = this.#deps.sandboxes();
    const { id, mountPath, url, checkout, token } = resource;
    const { sandboxId } = next;
    const runId = `mount-${id}-${next.failures}`;
    const cloning = { sandboxes, sandboxId, url, checkout, mountPath, runId, token };
    const failure = await phases.time({ name: 'clone', url }, () => cloneRepository(cloning));
    if (failure === null) {
      next.mounted[id] = { path: mountPath, type: 'github_repository' };
      return;
    }
    logger.warn('mount.failed', { resource_id: id, kind: failure.type });
    this.#troubles.push({ kind: 'repository_failed', url, ...failure });
    this.#fail(next, failure.message);
  }

  async #putAll(files: readonly FileMount[], next: Manifest): Promise<void> {
    const waiting = [...files];
    const work = async () => {
      for (let file = waiting.shift(); file !== undefined; file = waiting.shift())
        await this.#put(file, next);
    };
    await Promise.all(Array.from({ length: AT_ONCE }, work));
    const paths = files.flatMap(({ id, mountPath }) => (next.mounted[id] === undefined ? [] : [mountPath]));
    for (let at = 0; at < paths.length; at += PATHS_AT_ONCE)
      await this.#run(next.sandboxId, ['chmod', '0444', '--', ...paths.slice(at, at + PATHS_AT_ONCE)]);
  }

  async #put({ id, fileId, mountPath: path, sizeBytes }: FileMount, next: Manifest): Promise<void> {
    const { files, logger } = this.#deps;
    const sandboxes = this.#deps.sandboxes();
    const { sandboxId } = next;
    try {
      const content = await files.open(fileId);
      if (content === null)
        return this.#fail(next, `The file ${fileId} could not be mounted at ${path}: its content is gone.`);
      await putFile({ sandboxes, sandboxId, path, sizeBytes, content });
      next.mounted[id] = { path, type: 'file' };
    } catch (error) {
      if (isSandboxError(error) && !MENDABLE.has(error.code)) throw error;
      logger.error('mount.failed', { resource_id: id }, error);
      const why = isSandboxError(error) ? error.message : 'its content cannot be read';
      this.#fail(next, `The file ${fileId} could not be mounted at ${path}: ${why}.`);
    }
  }

  #fail(next: Manifest, message: string): void {
    next.failures += 1;
    this.#notes.push(`Note: ${message}`);
  }

  async #run(sandboxId: string, command: string[]): Promise<void> {
    const sandboxes = this.#deps.sandboxes();
    await persist(() => sandboxes.exec({ sandboxId, command, cwd: '/', timeoutMs: COMMAND_MS }));
  }
}

function fresh(sandboxId: string): Manifest {
  return { sandboxId, mounted: {}, failures: 0, placeholders: {}, unused: {} };
}

/** Of these a resource fails alone; of all others the sandbox does. */
export const MENDABLE: ReadonlySet<string> = new Set([
  'forbidden',
  'is_directory',
  'not_directory',
  'quota_exceeded',
  'invalid',
  'internal',
  'too_large',
]);
