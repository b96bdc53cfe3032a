// The bindings of this Worker, as wrangler.jsonc names them.
import type { Directory } from '@capstan/db/directory';
import type { EndpointAddress } from '@capstan/db/webhook-sharing';
import type { DeploymentClocks } from '@capstan/schema/deployments';
import type { DreamClocks } from '@capstan/schema/dreams';
import type { EnvironmentKey, ImageBuilder } from '@capstan/schema/environment-images';
import type { WarmPools } from '@capstan/schema/warm-pools';
import type { Sessions } from '@capstan/session/service';

/** A clock for each deployment, by the names of both. */
export interface ClockObjects {
  getByName(name: string): DeploymentClocks;
}

/** A clock for each dream, by the names of both. */
export interface DreamObjects {
  getByName(name: string): DreamClocks;
}

/** A keeper for each environment with an image, by the names of its tenant and itself. */
export interface ImageObjects {
  getByName(name: string): { ring(environment: EnvironmentKey): Promise<void> };
}

/** A courier for each webhook endpoint, by the names of its tenant and itself. */
export interface CourierObjects {
  getByName(name: string): Courier;
}

export interface Courier {
  /** Something is due to its endpoint. Durable when it resolves. */
  ring(address: EndpointAddress): Promise<void>;
}

/** The one that watches the outbox. */
export interface OutboxObjects {
  getByName(name: 'outbox'): { watch(): Promise<void> };
}

export interface Env {
  DB: D1Database;
  BLOBS: R2Bucket;
  /** On one machine only: where contents of files are. */
  BLOB_DIRECTORY?: Directory;
  QUEUE: Queue;
  AGENT: Sessions & ImageBuilder & Pick<WarmPools, 'ringPool'>;
  CLOCKS: ClockObjects;
  DREAMS: DreamObjects;
  COURIERS: CourierObjects;
  IMAGES: ImageObjects;
  OUTBOX: OutboxObjects;
  /** That of the main Worker: tokens of repositories and signing secrets are sealed under it. */
  PLATFORM_ROOT_SECRET?: string;
  ENVIRONMENT?: string;
  /** Development only, on loopback: where the failpoints of the crash tests are asked about. */
  FAILPOINTS?: string;
  PRIVATE_HOSTS?: string;
  DNS_OVER_HTTPS_URL?: string;
}
