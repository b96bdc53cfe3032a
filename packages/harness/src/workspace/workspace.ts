// The workspace of a session's sandbox: what is brought into it before a tool call, and what is taken out of it after one.
import { Mounts } from './mounts.ts';
import { type OutputDeps, Outputs } from './outputs.ts';
import type { SessionFiles } from './session-files.ts';

export interface WorkspaceDeps extends OutputDeps {
  files: SessionFiles;
}

export class Workspace {
  #mounts: Mounts;
  #outputs: Outputs;

  constructor(deps: WorkspaceDeps) {
    this.#mounts = new Mounts(deps);
    this.#outputs = new Outputs(deps);
  }

  /** Before a tool call. Rejects with SandboxError when the sandbox itself fails. */
  ready(sandboxId: string): Promise<void> {
    return this.#mounts.ready(sandboxId);
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
    return this.#mounts.takeNotes();
  }
}
