// What the sandbox of a session asks of the workspace in it.
import type { Phase } from '@capstan/sandbox/boot';
import type { RepositoryTrouble } from '@capstan/schema/sandbox-news';

/** What belongs into a sandbox, and what is taken out of it. */
export interface SandboxWorkspace {
  /** Before a call: rejects only when the sandbox itself fails, with SandboxError. */
  ready(sandboxId: string): Promise<void>;
  /** In which phases it has been brought, since this was last asked. */
  takePhases(): Phase[];
  /** Repositories that could not be brought, each attempt once. */
  takeTroubles(): RepositoryTrouble[];
  /** Goes on with what was under way in it; never awaited. */
  resume(sandboxId: string): void;
  /** Before it ends: never rejects. */
  flush(sandboxId: string): Promise<void>;
  /** Whether something that was done in it is still to be taken out. */
  owes(): boolean;
  /** Takes it out; rejects when that cannot be done now. */
  pay(sandboxId: string): Promise<void>;
}
