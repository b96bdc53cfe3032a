// Outcomes: what a session was asked to bring about, and how its evaluation stands (spec §5.2, §8.4).
import { z } from 'zod';
import { timestamp } from './page.ts';

export const MAX_RUBRIC_CHARS = 262_144;

export const outcomeEvaluation = z
  .object({
    type: z.literal('outcome_evaluation'),
    outcome_id: z.string(),
    description: z.string(),
    /** The revision it is on, from 0. */
    iteration: z.int().min(0),
    /** The last four are final. */
    result: z.enum([
      'pending',
      'running',
      'evaluating',
      'needs_revision',
      'satisfied',
      'max_iterations_reached',
      'failed',
      'interrupted',
    ]),
    explanation: z.string().nullable(),
    completed_at: timestamp.nullable(),
  })
  .meta({ id: 'OutcomeEvaluation' });
export type OutcomeEvaluation = z.infer<typeof outcomeEvaluation>;
