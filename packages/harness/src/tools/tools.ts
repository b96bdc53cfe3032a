// The built-in tools over the session's sandbox.
//   T1 A tool's own failure is an outcome that says what was wrong and how to mend it, never a throw.
//   T2 A call is performed at most once in effect: bash and edit carry the call's id into the sandbox, the others may repeat.
//   T3 Recovery attaches to what began; what never began is performed; what nobody can know is null.
import { isSandboxError, type SandboxError } from '@capstan/sandbox/error';
import type { RunKey, Sandboxes } from '@capstan/sandbox/port';
import type { Harness, ToolCall, ToolOutcome } from '@capstan/session/harness';
import { persist } from '../persistence.ts';
import { SessionSandbox, type SessionSandboxDeps } from '../session-sandbox.ts';
import { bash } from './bash.ts';
import { SANDBOX_TOOLS, type SandboxTool } from './definitions.ts';
import { edit } from './edit.ts';
import { glob } from './glob.ts';
import { grep } from './grep.ts';
import { read } from './read.ts';
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

export type Tools = Pick<Harness, 'prepare' | 'perform' | 'recover' | 'cancel' | 'holds' | 'release'>;

export function createTools(deps: SessionSandboxDeps): Tools {
  return new SandboxTools(deps);
}

class SandboxTools implements Tools {
  #deps: SessionSandboxDeps;
  #sandbox: SessionSandbox;

  constructor(deps: SessionSandboxDeps) {
    this.#deps = deps;
    this.#sandbox = new SessionSandbox(deps);
  }

  prepare(toolName: string): void {
    if (toolOf(toolName) === null) return;
    this.#sandbox
      .acquire()
      .catch((error: unknown) =>
        this.#deps.logger.warn('sandbox.prepare_failed', { message: String(error) }),
      );
  }

  async perform(call: ToolCall, signal: AbortSignal): Promise<ToolOutcome> {
    const tool = toolOf(call.name);
    if (tool === null) {
      return failed(`There is no tool named "${call.name}". There are: ${SANDBOX_TOOLS.join(', ')}.`);
    }
    const problem = tool.problem(call.input);
    if (problem !== null) return failed(`The input of ${call.name} cannot be used. ${problem}.`);
    const outcome = await this.#attempt(tool, call, signal);
    const note = this.#sandbox.takeNote();
    return note === null
      ? outcome
      : { ...outcome, content: [{ type: 'text', text: note }, ...outcome.content] };
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
      const begun = await tool.attach(this.#place(call, { sandboxId, signal }), call.input);
      return begun ?? (await this.perform(call, signal));
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
      await persist(() => kill(this.#deps.sandboxes, run));
    } catch (error) {
      // It ended with its sandbox: there is nothing left to stop.
      if (!isSandboxError(error) || !isLost(error)) throw error;
    }
  }

  holds(): boolean {
    return this.#sandbox.held;
  }

  release(): Promise<void> {
    return this.#sandbox.release();
  }

  async #attempt(tool: BoundTool, call: ToolCall, signal: AbortSignal): Promise<ToolOutcome> {
    for (let again = true; ; again = false) {
      try {
        const sandboxId = await this.#sandbox.acquire();
        signal.throwIfAborted();
        const outcome = await tool.perform(this.#place(call, { sandboxId, signal }), call.input);
        this.#sandbox.seen();
        return outcome;
      } catch (error) {
        if (!isSandboxError(error)) throw error;
        if (!isLost(error)) {
          if (!ANSWERS.has(error.code)) this.#sandbox.doubt();
          return failed(describe(error, call));
        }
        this.#sandbox.forget();
        // A command may have run before its sandbox ended; the others changed nothing that still exists.
        if (call.name === 'bash' || !again) return failed(ENDED);
      }
    }
  }

  #place(call: ToolCall, at: { sandboxId: string; signal: AbortSignal }): Place {
    return { sandboxes: this.#deps.sandboxes, effectId: call.effectId, shell: call.shell, ...at };
  }
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
]);

function isLost(error: SandboxError): boolean {
  return error.code === 'gone' || error.code === 'not_found';
}

const ENDED =
  "The session's sandbox ended before this call had an outcome; it may or may not have taken effect. The next call " +
  'starts a new sandbox, without the files of the old one.';

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
    case 'unavailable':
    case 'timeout':
      return 'The sandbox cannot be reached. Nothing is known to be lost; try again.';
    default:
      return `The sandbox refused the call (${error.code}): ${error.message}`;
  }
}
