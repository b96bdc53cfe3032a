// What every persisted event carries.
import { z } from 'zod';
import { idSchema } from '../ids.ts';
import { timestamp } from '../page.ts';

export function serverEvent<const T extends string, S extends z.ZodRawShape>(type: T, shape: S) {
  return z.object({ id: idSchema('event'), type: z.literal(type), processed_at: timestamp, ...shape });
}

/** `processed_at` is null until the agent takes the event. */
export function clientEvent<const T extends string, S extends z.ZodRawShape>(type: T, shape: S) {
  return z.object({
    id: idSchema('event'),
    type: z.literal(type),
    processed_at: timestamp.nullable(),
    ...shape,
  });
}

export const threadId = { session_thread_id: idSchema('thread') };
export const routedThreadId = { session_thread_id: idSchema('thread').optional() };
