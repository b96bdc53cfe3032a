// What the parts of the contract share: the implementation under test and a sandbox of it.
import { isSandboxError, type SandboxErrorCode } from '../error.ts';
import type { CreateSandbox, RunChunk, Sandboxes, StartRun } from '../port.ts';

export interface Subject {
  sandboxes: Sandboxes;
  /** A TCP server that a sandbox with an unrestricted network reaches. */
  outside: { host: string; port: number };
  close(): Promise<void>;
}

/** Filled before the first test of a part runs. */
export interface World {
  sandboxes: Sandboxes;
  outside: Subject['outside'];
  /** A sandbox that no test ends. */
  sandboxId: string;
  /** What a command writes to stdout there. */
  sh: (command: string) => Promise<string>;
  /** A run there with room to end in this call. */
  start: (command: StartRun['command'], more?: Partial<StartRun>) => Promise<RunChunk>;
}

export const newName = () => `contract-${crypto.randomUUID()}`;
export const newRunId = () => `run_${crypto.randomUUID()}`;
export const text = (bytes: Uint8Array) => new TextDecoder().decode(bytes);
export const refuses = (code: SandboxErrorCode) => ({
  asymmetricMatch: (error: unknown) => isSandboxError(error, code),
});
/** Says so once no process is like that: one that was killed ends when its turn comes. */
export const over = (pattern: string) =>
  `while pgrep -f '${pattern}' >/dev/null; do read -t 0.02 <> <(:); done; echo over`;
export const ALL_BYTES = Uint8Array.from({ length: 1024 }, (_, i) => i % 256);

/** Makes sandboxes of their own for tests that end them. */
export const maker =
  (world: World) =>
  async (request: Omit<CreateSandbox, 'name'> = {}) => {
    const { sandboxId } = await world.sandboxes.create({ name: newName(), ...request });
    return {
      sandboxId,
      sh: async (command: string) => text((await world.sandboxes.exec({ sandboxId, command })).stdout),
      end: () => world.sandboxes.terminate(sandboxId),
    };
  };
