// Health: every backend is really asked; what is missing is named with the way to mend it.
import { z } from 'zod';
import { isolation } from './isolation.ts';
import { defineRoute } from './route.ts';

export const backendHealth = z.object({
  status: z.enum(['ok', 'failed']),
  /** What was found, e.g. which models answer or how sandboxes are isolated. */
  detail: z.string().optional(),
  /** Of sandboxes: what stands between their commands and the machine. */
  isolation: isolation.optional(),
  /** Present when failed: what is wrong and the command that mends it. */
  problem: z.string().optional(),
  fix: z.string().optional(),
});
export type BackendHealth = z.infer<typeof backendHealth>;

/** Something that can be asked whether it works: one entry for each backend it knows. */
export interface HealthSource {
  health(): Promise<Record<string, BackendHealth>>;
}

export const health = z
  .object({
    status: z.enum(['ok', 'failed']),
    version: z.string(),
    backends: z.record(z.string(), backendHealth),
  })
  .meta({ id: 'Health' });
export type Health = z.infer<typeof health>;

export const healthRoutes = {
  check: defineRoute({
    method: 'get',
    path: '/health',
    operationId: 'checkHealth',
    summary: 'Ask every backend; 503 when one does not answer',
    tag: 'Health',
    access: 'public',
    response: health,
    failing: 'unavailable',
  }),
};
