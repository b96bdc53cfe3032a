// Previews of a coming event: on streams that ask for them, never in the log (spec §8.5).
import { z } from 'zod';
import { idSchema } from '../ids.ts';

export const previewable = z.enum(['agent.message', 'agent.thinking']);
export type Previewable = z.infer<typeof previewable>;

export const eventStart = z.object({
  type: z.literal('event_start'),
  event: z.object({ type: previewable, id: idSchema('event') }),
});
export const eventDelta = z.object({
  type: z.literal('event_delta'),
  event_id: idSchema('event'),
  delta: z.object({
    type: z.literal('content_delta'),
    index: z.int().min(0),
    content: z.object({ type: z.literal('text'), text: z.string() }),
  }),
});

export const preview = z.discriminatedUnion('type', [eventStart, eventDelta]);
export type Preview = z.infer<typeof preview>;
