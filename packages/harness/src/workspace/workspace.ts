// The workspace of a session's sandbox: what is brought into it before a tool call, and what is taken out of it after one.
import type { VaultVariables } from '../vault/sandbox-variables.ts';
import { Mounts } from './mounts.ts';
import { type OutputDeps, Outputs } from './outputs.ts';
import type { SessionFiles } from './session-files.ts';
import type { SessionSkills } from './session-skills.ts';
import { SkillMounts } from './skill-mount.ts';

export interface WorkspaceDeps extends OutputDeps {
  files: SessionFiles;
  /** Absent: the session has none. */
  skills?: SessionSkills;
  /** Absent: the session has no vaults. */
  variables?: VaultVariables | undefined;
}

export class Workspace {
  #mounts: Mounts;
  #skills: SkillMounts;
  #outputs: Outputs;

  constructor(deps: WorkspaceDeps) {
    this.#mounts = new Mounts(deps);
    this.#skills = new SkillMounts(deps);
    this.#outputs = new Outputs(deps);
  }

  /** Before a tool call. Rejects with SandboxError when the sandbox itself fails. */
  async ready(sandboxId: string): Promise<void> {
    await Promise.all([this.#mounts.ready(sandboxId), this.#skills.ready(sandboxId)]);
  }

  /** Variables that every command is to have; after `ready`. */
  get environment(): Readonly<Record<string, string>> {
    return this.#mounts.environment;
  }

  /** While a tool call works, and with `ended` after it. */
  watch(sandboxId: string, how: { ended: boolean }): void {
    this.#outputs.watch(sandboxId, how);
  }

  /** Before the sandbox goes. */
  flush(sandboxId: string): Promise<void> {
    return this.#outputs.flush(sandboxId);
  }

  takeNotes(): string[] {
    return [...this.#mounts.takeNotes(), ...this.#skills.takeNotes()];
  }
}
