// Tools the engine itself performs: what their calls carry. No agent may have a tool of such a name.
import { z } from 'zod';

/** An agent that another describes, for threads of its own. */
export const newAgent = z.object({
  name: z.string().min(1).max(256),
  description: z.string().max(4096).nullish(),
  system: z.string().min(1).max(100_000),
});

export const delegateInput = z.object({
  /** Name or id of an agent of the roster: begins a new thread. Models write null, or nothing, where they mean to leave it out. */
  agent: z.string().nullish(),
  /** A thread that exists: goes on with it. */
  thread_id: z.string().nullish(),
  /** Describes an agent of its own: begins a new thread. */
  new_agent: newAgent.nullish(),
  message: z.string().min(1, 'must not be empty'),
});
export type DelegateInput = z.infer<typeof delegateInput>;

export const consultInput = z.object({ question: z.string().min(1, 'must not be empty') });

export const gradeInput = z.object({
  result: z.enum(['satisfied', 'needs_revision', 'failed']),
  /** Point by point. */
  explanation: z.string(),
});
export type GradeInput = z.infer<typeof gradeInput>;

export const judgeInput = z.object({
  verdicts: z.array(
    z.object({
      /** The number of the call it is about. */
      call: z.int(),
      verdict: z.enum(['allow', 'deny', 'ask']),
      reason: z.string(),
    }),
  ),
});
export type JudgeInput = z.infer<typeof judgeInput>;
