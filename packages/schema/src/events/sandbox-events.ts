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

/** A step of making a sandbox. Steps may lie beside each other. */
const bootPhase = z.object({
  name: z.enum(['image', 'claim', 'create', 'verify', 'clone', 'files', 'skills', 'memories']).meta({
    description:
      'image: the image of the environment with its packages, built or found; claim: one of the warm pool, with the network of the session, or the answer that there is none; create: the sandbox; verify: that it is its snapshot; clone: a repository; files, skills, memories: brought into it.',
  }),
  started_after_ms: z.int().min(0).meta({ description: 'Since the boot began.' }),
  duration_ms: z.int().min(0),
  repository_url: z.string().nullable().meta({ description: 'Of a clone.' }),
});
export type BootPhase = z.infer<typeof bootPhase>;

/** How a sandbox came to be, and how long that took. */
export const sandboxBoot = z.object({
  sandbox: z.enum(['created', 'warm', 'restored']).meta({
    description: 'From an image, from the warm pool of the environment, or from its snapshot.',
  }),
  started_at: timestamp,
  duration_ms: z.int().min(0).meta({ description: 'Until its last phase ended.' }),
  phases: z.array(bootPhase).meta({ description: 'In the order they began.' }),
});
export type SandboxBoot = z.infer<typeof sandboxBoot>;

export const sandboxEvents = [
  serverEvent('span.sandbox_boot', sandboxBoot.shape, {
    description:
      'Our extension: a sandbox of the session was made and is used for the first time. Told once for each, while the session runs.',
  }),
  serverEvent('session.sandbox_replaced', sandboxReplacement.shape, {
    description:
      'Our extension: the sandbox of the session had ended, or came near the end of its time, and another took its place. Told once for each, while the session runs.',
  }),
] as const;
