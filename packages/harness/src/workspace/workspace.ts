// The workspace of a session's sandbox: what is brought into it before a tool call, and what is taken out of it after one.
import type { Phase } from '@capstan/sandbox/boot';
import type { RepositoryTrouble } from '@capstan/schema/sandbox-news';
import { PhaseClock } from '../phase-clock.ts';
import type { VaultVariables } from '../vault/sandbox-variables.ts';
import { MemorySync } from './memory-sync.ts';
import { MemoryWatch } from './memory-watch.ts';
import { Mounts } from './mounts.ts';
import { type OutputDeps, Outputs } from './outputs.ts';
import type { SessionFiles } from './session-files.ts';
import type { SessionMemories } from './session-memories.ts';
import type { SessionSkills } from './session-skills.ts';
import { SkillMounts } from './skill-mount.ts';

export interface WorkspaceDeps extends OutputDeps {
  files: SessionFiles;
  /** Absent: the session has none. */
  skills?: SessionSkills;
  /** Absent: the session has no memory stores. */
  memories?: SessionMemories;
  /** Absent: the session has no vaults. */
  variables?: VaultVariables | undefined;
}

export class Workspace {
  #phases: PhaseClock;
  #mounts: Mounts;
  #hasSkills: boolean;
  #skills: SkillMounts;
  #outputs: Outputs;
  #memories: MemorySync | null;
  #memoryWatch: MemoryWatch | null;

  constructor(deps: WorkspaceDeps) {
    this.#phases = new PhaseClock(deps.clock);
    this.#mounts = new Mounts({ ...deps, phases: this.#phases });
    this.#hasSkills = deps.skills !== undefined;
    this.#skills = new SkillMounts(deps);
    const { memories, clock } = deps;
    this.#memories = memories === undefined ? null : new MemorySync({ ...deps, memories });
    this.#memoryWatch = this.#memories && new MemoryWatch({ memories: this.#memories, clock });
    const paths = memories?.attached.map(({ mountPath }) => mountPath) ?? [];
    const watch = this.#memoryWatch;
    this.#outputs = new Outputs({ ...deps, ...(watch && { beside: { paths, see: watch.see.bind(watch) } }) });
  }

  /** Before a tool call. Rejects with SandboxError when the sandbox itself fails. */
  async ready(sandboxId: string): Promise<void> {
    const time = (name: 'skills' | 'memories', work: () => Promise<void>) =>
      this.#phases.time({ name, url: null }, work);
    const memories = this.#memories;
    await Promise.all([
      this.#mounts.ready(sandboxId),
      this.#hasSkills && time('skills', () => this.#skills.ready(sandboxId)),
      memories && time('memories', () => memories.ready(sandboxId)),
    ]);
  }

  takePhases(): Phase[] {
    return this.#phases.take();
  }

  takeTroubles(): RepositoryTrouble[] {
    return this.#mounts.takeTroubles();
  }

  /** Variables that every command is to have; after `ready`. */
  get environment(): Readonly<Record<string, string>> {
    return this.#mounts.environment;
  }

  /** While a tool call works, and with `ended` after it. */
  watch(sandboxId: string, how: { ended: boolean }): void {
    if (!how.ended) {
      this.#memories?.owe();
      this.#memoryWatch?.begin();
    }
    this.#outputs.watch(sandboxId, how);
  }

  /** What was under way when another process died goes on. */
  resume(sandboxId: string): void {
    this.#outputs.resume(sandboxId);
  }

  /** After a tool call that may have changed something: its memories are in their stores. Never rejects. */
  async settle(sandboxId: string): Promise<void> {
    await this.#memories?.settle(sandboxId);
  }

  /** Whether what was done in the sandbox may not be in its memory stores or among the session's files yet. */
  owes(): boolean {
    return this.#outputs.owes() || (this.#memories?.owes() ?? false);
  }

  /** Rejects when it cannot be done now. */
  async pay(sandboxId: string): Promise<void> {
    await this.#outputs.pay(sandboxId);
    if (this.#memories?.owes()) await this.#memories.pay(sandboxId);
  }

  /** Before the sandbox goes. */
  async flush(sandboxId: string): Promise<void> {
    await Promise.all([this.#outputs.flush(sandboxId), this.settle(sandboxId)]);
  }

  takeNotes(): string[] {
    const notes = [...this.#mounts.takeNotes(), ...this.#skills.takeNotes(), ...this.#outputs.takeNotes()];
    return [...notes, ...(this.#memories?.takeNotes() ?? [])];
  }
}
