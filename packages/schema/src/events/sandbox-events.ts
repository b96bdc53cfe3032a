// Our extension: what becomes of a session's sandbox. Official clients pass an event of a name they do not know on, or drop it.
import { z } from 'zod';
import { timestamp } from '../page.ts';
import { serverEvent } from './persisted-event.ts';

/** What a sandbox that replaces another one brought back, and what it did not. */
export const sandboxReplacement = z.object({
  restored: z
    .object({ snapshot_taken_at: timestamp })
    .nullable()
    .meta({ description: 'The snapshot whose files are there again. Null: the new sandbox began empty.' }),
  lost: z.object({
    files: z.enum(['none', 'since_snapshot', 'all']).meta({
      description:
        'Whose changes are gone: nobody’s, those made after the snapshot was taken, or all that were ever made.',
    }),
    processes: z
      .boolean()
      .meta({ description: 'Whether something may have been running that does not run any more.' }),
  }),
});
export type SandboxReplacement = z.infer<typeof sandboxReplacement>;

export const sandboxEvents = [
  serverEvent('session.sandbox_replaced', sandboxReplacement.shape, {
    description:
      'Our extension: the sandbox of the session had ended, or came near the end of its time, and another took its place. Told once for each, while the session runs.',
  }),
] as const;
