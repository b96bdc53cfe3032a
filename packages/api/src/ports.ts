// What the API needs from the place it runs in.
import type { Blobs } from '@capstan/db/blobs';
import type { Database } from '@capstan/db/database';
import type { DeploymentClocks } from '@capstan/schema/deployments';
import type { DreamClocks } from '@capstan/schema/dreams';
import type { ImageKeepers } from '@capstan/schema/environment-images';
import type { HealthSource } from '@capstan/schema/health';
import type { WarmPools } from '@capstan/schema/warm-pools';
import type { SessionAddress } from '@capstan/session/address';
import type { Sessions, StreamQuery } from '@capstan/session/service';
import type { WorkQueues } from '@capstan/session/work/work-queues';
import type { Logger } from '@capstan/shared/logger';
import type { Reach } from '@capstan/shared/safe-fetch';
import type { Sealer } from '@capstan/shared/seal';
import type { RateLimits } from './rate-limit.ts';
import type { WebhookDispatch } from './webhooks/dispatch.ts';

export interface Secrets {
  /** Everything the platform signs or seals derives from it. */
  root: string;
  /** SHA-256 of the key made at installation, lower-case hex. Null: only keys from the database are known. */
  bootstrapKeyHash: string | null;
}

export interface ApiPorts {
  db: Database;
  sessions: Sessions;
  work: WorkQueues;
  /** The session's events over a WebSocket: an answer with status 101. Refuses as `streamEvents` does. */
  socket(address: SessionAddress, query: StreamQuery): Promise<Response>;
  /** Previews are at hosts below it; without a port, in lower case. Null: there are none. */
  previewHost: string | null;
  jobs: HealthSource & WebhookDispatch;
  clocks: DeploymentClocks;
  dreamClocks: DreamClocks;
  images: ImageKeepers;
  pools: WarmPools;
  blobs: HealthSource & Blobs;
  /** Answers a GET with a file of the Console, 404 when there is none. */
  assets(request: Request): Promise<Response>;
  secrets: Secrets;
  /** For the secrets of tenants. */
  sealer: Sealer;
  /** What of the network the URLs that users give may get to. */
  reach: Reach;
  clock: { now(): number };
  logger: Logger;
  version: string;
  maxBodyBytes: number;
  rateLimits: RateLimits;
}
