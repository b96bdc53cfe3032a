// What every persisted event carries.
import { z } from 'zod';
import { idSchema } from '../ids.ts';
import { timestamp } from '../page.ts';

/** `agent.tool_use` is `AgentToolUseEvent` in the OpenAPI document. */
export function documentName(type: string, suffix: string): string {
  const words = type.split(/[._]/).map((word) => word.charAt(0).toUpperCase() + word.slice(1));
  return words.join('') + suffix;
}

export function serverEvent<const T extends string, S extends z.ZodRawShape>(
  type: T,
  shape: S,
  about: { description?: string } = {},
) {
  return z
    .object({ id: idSchema('event'), type: z.literal(type), processed_at: timestamp, ...shape })
    .meta({ id: documentName(type, 'Event'), ...about });
}

/** `processed_at` is null until the agent takes the event. */
export function clientEvent<const T extends string, S extends z.ZodRawShape>(type: T, shape: S) {
  return z
    .object({ id: idSchema('event'), type: z.literal(type), processed_at: timestamp.nullable(), ...shape })
    .meta({ id: documentName(type, 'Event') });
}

export const threadId = { session_thread_id: idSchema('thread') };
export const routedThreadId = { session_thread_id: idSchema('thread').optional() };
