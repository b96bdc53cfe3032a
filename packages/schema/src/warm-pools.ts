// Our extension: sandboxes that an environment keeps ready for sessions to come, and what they cost while nobody uses them.
import { z } from 'zod';
import type { EnvironmentKey } from './environment-images.ts';
import { idSchema } from './ids.ts';
import { defineRoute } from './route.ts';

/** The most that one environment keeps ready. */
export const MOST_WARM_SANDBOXES = 20;

export const warmSandboxes = z.int().min(0).max(MOST_WARM_SANDBOXES).meta({
  description:
    'How many sandboxes are kept ready for sessions to come. They cost what GET /v1/environments/{environment_id}/warm_pool says, used or not.',
});

const count = z.int().min(0);
const decimal = z
  .string()
  .regex(/^\d+(\.\d+)?$/)
  .meta({ example: '0.0207405' });

export const sandboxPrice = z
  .object({
    usd_per_sandbox_hour: decimal.meta({ description: 'Of one that waits.' }),
    usd_per_hour: decimal.meta({ description: 'Of as many as are wanted.' }),
    usd_per_30_days: decimal.meta({ description: 'Of as many as are wanted, all the time.' }),
    basis: z
      .object({
        source: z.enum(['list_price', 'operator', 'local']).meta({
          description:
            'list_price: as Modal publishes it; operator: as this installation was told; local: the sandboxes are processes of a machine of its own.',
        }),
        as_of: z.iso.date().nullable().meta({ description: 'When a list price was read.' }),
        cores: decimal.meta({ description: 'Physical cores that one reserves.' }),
        memory_gib: decimal.meta({ description: 'Memory that one reserves.' }),
        usd_per_core_hour: decimal,
        usd_per_gib_hour: decimal,
      })
      .meta({ description: 'What it is computed from, exactly.' }),
  })
  .meta({ id: 'SandboxPrice' });
export type SandboxPrice = z.infer<typeof sandboxPrice>;

export const warmPool = z
  .object({
    type: z.literal('warm_pool'),
    environment_id: idSchema('environment'),
    wanted: count.meta({ description: '0 also where the environment is archived, or self-hosted.' }),
    ready: count,
    starting: count,
    last_error: z.string().nullable().meta({
      description: 'Why the last attempt to have as many as are wanted failed. It is tried again by itself.',
    }),
    price: sandboxPrice.nullable().meta({ description: 'Null: the sandboxes cannot be reached just now.' }),
  })
  .meta({ id: 'WarmPool' });
export type WarmPool = z.infer<typeof warmPool>;

export const warmPoolRoutes = {
  retrieve: defineRoute({
    method: 'get',
    path: '/v1/environments/{environment_id}/warm_pool',
    operationId: 'retrieveWarmPool',
    summary: 'How many sandboxes of an environment are ready, and what they cost',
    tag: 'Environments',
    access: 'key',
    params: z.object({ environment_id: idSchema('environment') }),
    response: warmPool,
    errors: ['not_found'],
  }),
};

/** What a sandbox reserves, in cores and MiB. Null: what is usual. */
export interface SandboxSize {
  cpu: number | null;
  memoryMiB: number | null;
}

export interface PoolCount {
  ready: number;
  starting: number;
  lastError: string | null;
}

/** Whoever keeps sandboxes ready: one for each environment. */
export interface WarmPools {
  /** There may be too many or too few. Durable when it resolves, and harmless to repeat. */
  ringPool(environment: EnvironmentKey): Promise<void>;
  countPool(environment: EnvironmentKey): Promise<PoolCount>;
  /** What so many of that size cost. Null: that cannot be known just now. */
  priceOfPool(wanted: number, size: SandboxSize): Promise<SandboxPrice | null>;
}
