// The built-in tools over the session's sandbox.
//   T1 A tool's own failure is an outcome that says what was wrong and how to mend it, never a throw.
//   T2 A call is performed at most once in effect: bash and edit carry the call's id into the sandbox, the others may repeat.
//   T3 Recovery attaches to what began; what never began is performed; what nobody can know is null.
import { isSandboxError, type SandboxError } from '@capstan/sandbox/error';
import type { RunKey, Sandboxes } from '@capstan/sandbox/port';
import type { Harness, ToolCall, ToolOutcome } from '@capstan/session/harness';
import { isLost, isWrecked } from '../lost.ts';
import { persist } from '../persistence.ts';
import type { SessionSandbox } from '../session-sandbox.ts';
import type { Workspace } from '../workspace/workspace.ts';
import { bash } from './bash.ts';
import { SANDBOX_TOOLS, type SandboxTool } from './definitions.ts';
import { edit } from './edit.ts';
import { glob } from './glob.ts';
import { grep } from './grep.ts';
import { read } from './read.ts';
import { RefusedConnections } from './refused-connections.ts';
import { type BoundTool, bind, failed, type Place } from './tool.ts';
import { write } from './write.ts';

const TOOLS: Record<SandboxTool, BoundTool> = {
  bash: bind(bash),
  read: bind(read),
  write: bind(write),
  edit: bind(edit),
  glob: bind(glob),
  grep: bind(grep),
};

export type Tools = Pick<Harness, 'prepare' | 'perform' | 'recover' | 'cancel'>;

export interface ToolsDeps {
  sandbox: SessionSandbox;
  sandboxes: () => Sandboxes;
  clock: { now(): number };
  /** Absent: nothing is kept of what agents make. */
  workspace?: Workspace;
}

export function createTools(deps: ToolsDeps): Tools {
  return new SandboxTools(deps);
}

class SandboxTools implements Tools {
  #sandbox: SessionSandbox;
  #sandboxes: () => Sandboxes;
  #workspace: Workspace | null;
  #refused: RefusedConnections;

  constructor({ sandbox, sandboxes, workspace, clock }: ToolsDeps) {
    this.#sandbox = sandbox;
    this.#sandboxes = sandboxes;
    this.#workspace = workspace ?? null;
    this.#refused = new RefusedConnections(sandboxes, clock);
  }

  prepare(toolName: string): void {
    if (toolOf(toolName) !== null) this.#sandbox.prepare();
  }

  async perform(call: ToolCall, signal: AbortSignal): Promise<ToolOutcome> {
    const tool = toolOf(call.name);
    if (tool === null) {
      return failed(`There is no tool named "${call.name}". There are: ${SANDBOX_TOOLS.join(', ')}.`);
    }
    const problem = tool.problem(call.input);
    if (problem !== null) return failed(`The input of ${call.name} cannot be used. ${problem}.`);
    const outcome = await this.#attempt(tool, call, signal);
    const notes = this.#workspace?.takeNotes() ?? [];
    const told = notes.map((text) => ({ type: 'text' as const, text }));
    return { ...outcome, content: [...told, ...outcome.content] };
  }

  async recover(call: ToolCall, signal: AbortSignal): Promise<ToolOutcome | null> {
    const tool = toolOf(call.name);
    if (tool === null || tool.repeatable || tool.problem(call.input) !== null)
      return this.perform(call, signal);
    const sandboxId = this.#sandbox.last();
    // Without a sandbox nothing can have begun.
    if (sandboxId === null) return this.perform(call, signal);
    try {
      if (!(await this.#sandbox.isAlive(sandboxId))) return null;
      this.#watch(tool, { sandboxId, ended: false });
      const place = this.#place(call, { sandboxId, signal });
      const begun = await this.#sandbox.attend(sandboxId, () => tool.attach(place, call.input));
      this.#watch(tool, { sandboxId, ended: true });
      if (begun !== null) await this.#workspace?.settle(sandboxId);
      if (begun !== null || this.#sandbox.precedes(call.effectId)) return begun;
      return await this.perform(call, signal);
    } catch (error) {
      if (!isSandboxError(error)) throw error;
      return null;
    }
  }

  async cancel(call: Pick<ToolCall, 'effectId' | 'name'>): Promise<void> {
    const sandboxId = this.#sandbox.last();
    if (sandboxId === null || toolOf(call.name)?.repeatable !== false) return;
    const run = { sandboxId, runId: call.effectId };
    try {
      await persist(() => kill(this.#sandboxes(), run));
    } catch (error) {
      // It ended with its sandbox: there is nothing left to stop.
      if (!isLost(error)) throw error;
    }
  }

  async #attempt(tool: BoundTool, call: ToolCall, signal: AbortSignal): Promise<ToolOutcome> {
    for (let again = true; ; again = false) {
      try {
        const work = async (sandboxId: string) => {
          signal.throwIfAborted();
          this.#watch(tool, { sandboxId, ended: false });
          const refused = call.name === 'bash' ? this.#refused.watch(sandboxId) : null;
          const place = { ...this.#place(call, { sandboxId, signal }), ended: refused?.ended };
          const outcome = await tool.perform(place, call.input);
          this.#watch(tool, { sandboxId, ended: true });
          if (tool.changes) await this.#workspace?.settle(sandboxId);
          return withNote(outcome, (await refused?.lines()) ?? null);
        };
        return await this.#sandbox.use(work, tool);
      } catch (error) {
        if (!isSandboxError(error)) throw error;
        if (!isLost(error)) {
          if (!ANSWERS.has(error.code)) this.#sandbox.doubt();
          return failed(describe(error, call));
        }
        this.#sandbox.doubt();
        // A command may have run before its sandbox ended; the others changed nothing that still exists.
        if (call.name === 'bash' || !again) return failed(isWrecked(error) ? WRECKED : ENDED);
      }
    }
  }

  #watch({ changes }: BoundTool, at: { sandboxId: string; ended: boolean }): void {
    if (changes) this.#workspace?.watch(at.sandboxId, at);
  }

  #place(call: ToolCall, at: { sandboxId: string; signal: AbortSignal }): Place {
    const env = this.#workspace?.environment ?? {};
    return { sandboxes: this.#sandboxes(), effectId: call.effectId, shell: call.shell, env, ...at };
  }
}

function withNote(outcome: ToolOutcome, text: string | null): ToolOutcome {
  return text === null ? outcome : { ...outcome, content: [...outcome.content, { type: 'text', text }] };
}

/** A run whose start is still under way is not known yet: its id is taken by one that does nothing, so that it never begins. */
async function kill(sandboxes: Sandboxes, run: RunKey): Promise<void> {
  for (;;) {
    try {
      await sandboxes.killRun(run);
      return;
    } catch (error) {
      if (!isSandboxError(error, 'not_found')) throw error;
    }
    try {
      await sandboxes.startRun({ ...run, command: ['true'], timeoutMs: 1_000 });
      return;
    } catch (error) {
      // It began in between.
      if (!isSandboxError(error, 'conflict')) throw error;
    }
  }
}

function toolOf(name: string): BoundTool | null {
  const known = SANDBOX_TOOLS.find((tool) => tool === name);
  return known === undefined ? null : TOOLS[known];
}

/** Failures that only a sandbox that lives can report. */
const ANSWERS: ReadonlySet<SandboxError['code']> = new Set([
  'file_not_found',
  'is_directory',
  'not_directory',
  'forbidden',
  'conflict',
  'too_large',
  'invalid',
  'quota_exceeded',
  'image_failed',
]);

const ENDED =
  "The session's sandbox ended before this call had an outcome; it may or may not have taken effect. The next call " +
  'starts a new sandbox, and says what of the old one it has.';

const WRECKED =
  "The session's sandbox cannot be used any more: programs or directories that every command needs, such as /bin/bash, " +
  'are gone or may not be run, most likely because of an earlier command. This call has no outcome; it may or may not ' +
  'have taken effect. The next call starts a new sandbox, and says what of the old one it has.';

function describe(error: SandboxError, call: ToolCall): string {
  const path = typeof call.input.file_path === 'string' ? call.input.file_path : call.input.path;
  switch (error.code) {
    case 'file_not_found':
      return `There is no file or directory ${path}.`;
    case 'is_directory':
      return `${path} is a directory. List it with glob or bash.`;
    case 'not_directory':
      return `A part of ${path} is a file, not a directory.`;
    case 'forbidden':
      return `No permission for ${path}.`;
    case 'image_failed':
      return `There is no sandbox, because the image of the environment cannot be built. ${error.message}`;
    case 'quota_exceeded':
      return `The sandbox has no room left: ${error.message}`;
    case 'unavailable':
    case 'timeout':
      return 'The sandbox cannot be reached. Nothing is known to be lost; try again.';
    default:
      return `The sandbox refused the call (${error.code}): ${error.message}`;
  }
}
