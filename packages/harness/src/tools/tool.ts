// What a tool of the sandbox is: a checked input, a way to perform it and a way to find out what became of it.
import type { RunChunk, Sandboxes } from '@capstan/sandbox/port';
import type { ToolOutcome } from '@capstan/session/harness';
import type { z } from 'zod';

/** Where a call is performed. */
export interface Place {
  sandboxes: Sandboxes;
  sandboxId: string;
  /** The call's idempotency key. */
  effectId: string;
  /** The persistent shell of the thread that calls. */
  shell: string;
  /** Variables that a command is to have. */
  env: Readonly<Record<string, string>>;
  /** Hears how the call's run ended. */
  ended?: (chunk: RunChunk) => void;
  signal: AbortSignal;
}

export interface Tool<Input> {
  input: z.ZodType<Input>;
  /** It may leave something in the sandbox. */
  changes: boolean;
  perform(place: Place, input: Input): Promise<ToolOutcome>;
  /**
   * After a crash, in the sandbox the call was sent to, which lives: the outcome of a call that had begun, or null when it
   * never began. Absent for tools that may simply be performed again.
   */
  attach?(place: Place, input: Input): Promise<ToolOutcome | null>;
}

/** A tool whose input type only it knows. */
export interface BoundTool {
  changes: boolean;
  /** True when performing the tool twice is harmless. */
  repeatable: boolean;
  perform(place: Place, input: unknown): Promise<ToolOutcome>;
  attach(place: Place, input: unknown): Promise<ToolOutcome | null>;
  /** What is wrong with an input, field by field; null when nothing is. */
  problem(input: unknown): string | null;
}

export function bind<Input>(tool: Tool<Input>): BoundTool {
  return {
    changes: tool.changes,
    repeatable: tool.attach === undefined,
    perform: (place, input) => tool.perform(place, tool.input.parse(input)),
    attach: async (place, input) => (await tool.attach?.(place, tool.input.parse(input))) ?? null,
    problem(input) {
      const parsed = tool.input.safeParse(input);
      if (parsed.success) return null;
      const issues = parsed.error.issues.map(({ path, message }) =>
        path.length === 0 ? message : `${path.join('.')}: ${message}`,
      );
      return issues.join('; ');
    },
  };
}

export function answered(text: string): ToolOutcome {
  return { content: [{ type: 'text', text: text === '' ? '(no output)' : text }], isError: false };
}

export function failed(text: string): ToolOutcome {
  return { content: [{ type: 'text', text }], isError: true };
}
