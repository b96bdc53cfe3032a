// Budgets: what a session may cost before it pauses (spec §8.7).
import { z } from 'zod';

/** US cents as text: no fraction and no leading zeros, so that nobody rounds. */
const cents = z
  .string()
  .regex(/^[1-9]\d{0,11}$/, 'expected whole US cents above zero as a string, e.g. "2500" for $25.00')
  .meta({ example: '2500' });

const most = z.int().min(1);

/** Our extensions beside the money: `max_tokens` (input and output of every model call together) and `max_model_calls`. */
export const budget = z
  .object({
    type: z.literal('limit'),
    max_list_cost: z.object({ amount: cents, currency: z.literal('USD', 'expected "USD"') }).optional(),
    max_tokens: most.optional(),
    max_model_calls: most.optional(),
  })
  .refine((limits) => limits.max_list_cost ?? limits.max_tokens ?? limits.max_model_calls, {
    path: ['max_list_cost'],
    message: 'required: a budget sets max_list_cost, max_tokens or max_model_calls',
  })
  .meta({ id: 'Budget' });
export type Budget = z.infer<typeof budget>;
