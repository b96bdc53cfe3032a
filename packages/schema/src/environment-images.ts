// Our extension: the image of an environment with packages or an image of its own, built ahead of the sessions that need it.
import { z } from 'zod';
import type { ImageSource } from './image-source.ts';
import { timestamp } from './page.ts';

export const environmentImage = z
  .object({
    state: z.enum(['building', 'ready', 'failed']).meta({
      description:
        'Of the newest build. While `built_at` is not null, sandboxes are made from what was built then, also when a later build goes on or has failed.',
    }),
    built_at: timestamp
      .nullable()
      .meta({ description: 'When what is in use was built. Null: nothing was yet.' }),
    error: z.string().nullable().meta({
      description: 'Of a build that failed: why, with the end of its log. It is tried again by itself.',
    }),
  })
  .meta({ id: 'EnvironmentImage' });
export type EnvironmentImage = z.infer<typeof environmentImage>;

export interface EnvironmentKey {
  tenantId: string;
  environmentId: string;
}

/** Whoever has images built: one for each environment. */
export interface ImageKeepers {
  /** An image may be owed. Durable when it resolves, and harmless to repeat. */
  keepImage(environment: EnvironmentKey): Promise<void>;
}

/** Why there is no image, or that there is one. */
export type BuildOutcome = { built: true; imageId: string } | { built: false; error: string };

export interface ImageBuilder {
  /**
   * Has the image of this source, as it is at that stamp, built, unless there is one. Waits for a build that goes on.
   * Rejects when nobody can build just now.
   */
  buildImage(source: ImageSource, stamp: string): Promise<BuildOutcome>;
  /** Sandboxes made from it go on. Harmless when it is gone; rejects when nobody can delete it just now. */
  deleteImage(imageId: string): Promise<void>;
}
