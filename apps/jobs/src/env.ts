// The bindings of this Worker, as wrangler.jsonc names them.
import type { DeploymentClocks } from '@capstan/schema/deployments';
import type { Sessions } from '@capstan/session/service';

/** A clock for each deployment, by the names of both. */
export interface ClockObjects {
  getByName(name: string): DeploymentClocks;
}

export interface Env {
  DB: D1Database;
  BLOBS: R2Bucket;
  QUEUE: Queue;
  AGENT: Sessions;
  CLOCKS: ClockObjects;
  /** That of the main Worker: tokens of repositories are sealed under it. */
  PLATFORM_ROOT_SECRET?: string;
}
