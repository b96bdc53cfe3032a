// Our own settings of an agent, under the one key `capstan`: how its model is asked, and how far its turns go.
import { z } from 'zod';

/** Model calls after which a turn is stopped, whatever an agent says. */
export const MAX_MODEL_CALLS = 500;

export const agentOptions = z
  .strictObject({
    model: z
      .strictObject({
        /** The most tokens of one reply; never more than the model has. */
        max_output_tokens: z.int().min(16).max(1_000_000).optional(),
        temperature: z.number().min(0).max(2).optional(),
        top_p: z.number().min(0).max(1).optional(),
      })
      .refine(({ temperature, top_p }) => temperature === undefined || top_p === undefined, {
        path: ['top_p'],
        message: 'is not taken beside temperature; set one of them',
      })
      .optional(),
    harness: z
      .strictObject({
        /** Model calls after which a turn of this agent is stopped, with `tool_use_limit_reached_error`. */
        max_model_calls: z.int().min(1).max(MAX_MODEL_CALLS).optional(),
      })
      .optional(),
  })
  .meta({ id: 'AgentOptions' });
export type AgentOptions = z.infer<typeof agentOptions>;
