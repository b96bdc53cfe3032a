// What routes are mounted on: the app, the ports behind it and the gate before it.
import type { Logger } from '@capstan/shared/logger';
import type { Hono } from 'hono';
import type { Gate } from './auth/gate.ts';
import type { ApiPorts } from './ports.ts';
import type { RateLimiter } from './rate-limit.ts';

export interface AppEnv {
  /** The logger learns what is asked and who asks as soon as it is known. */
  Variables: { requestId: string; logger: Logger; tenantId?: string };
}

export interface Surface {
  app: Hono<AppEnv>;
  ports: ApiPorts;
  gate: Gate;
  limiter: RateLimiter;
}
