// What the agent Worker is configured with. Read only in its composition roots.
import type { Directory } from '@capstan/db/directory';
import type { WarmSandbox } from '@capstan/harness/warm-pool';
import type { SandboxKind } from '@capstan/sandbox/warm-pool';
import type { EnvironmentKey } from '@capstan/schema/environment-images';
import type { Sessions } from '@capstan/session/service';
import type { WorkQueues } from '@capstan/session/work/work-queues';

/** The objects of the sessions, as one session asks another. */
export interface SessionObjects {
  getByName(name: string): Pick<Sessions, 'copyLines' | 'workerLost'>;
}

/** The work queues of self-hosted environments, as a session asks them. */
export interface WorkObjects {
  getByName(name: string): Pick<WorkQueues, 'wantWork'>;
}

/** The warm pools of environments, as a session asks its own. */
export interface PoolObjects {
  getByName(name: string): {
    claim(environment: EnvironmentKey, sessionId: string, kind: SandboxKind): Promise<WarmSandbox | null>;
    settle(environment: EnvironmentKey, sessionId: string, kept: string | null): Promise<void>;
  };
}

export interface Env {
  DB: D1Database;
  BLOBS: R2Bucket;
  /** On one machine only: where contents of files are. */
  BLOB_DIRECTORY?: Directory;
  SESSIONS: SessionObjects;
  WORK: WorkObjects;
  POOLS: PoolObjects;
  ENVIRONMENT?: string;
  /** The gateway as a Worker of its own, in production; GATEWAY_URL wins. */
  GATEWAY?: Fetcher;
  GATEWAY_URL?: string;
  GATEWAY_SECRET?: string;
  /** That of the main Worker: authorization tokens of repositories are sealed under it. */
  PLATFORM_ROOT_SECRET?: string;
  DEV_MODEL_URL?: string;
  OPENAI_API_KEY?: string;
  OPENAI_BASE_URL?: string;
  OPENAI_API?: string;
  ANTHROPIC_API_KEY?: string;
  ANTHROPIC_BASE_URL?: string;
  MODEL_FIRST_BYTE_TIMEOUT_MS?: string;
  MODEL_IDLE_TIMEOUT_MS?: string;
  MODEL_PRICES?: string;
  MODEL_WINDOWS?: string;
  /** The JSON interface of a SearXNG, or Brave's where its key is set. Neither: web_search is not offered. */
  WEB_SEARCH_URL?: string;
  BRAVE_SEARCH_API_KEY?: string;
  /** Private places that URLs of users may lead to: `host:port`, separated by commas. */
  PRIVATE_HOSTS?: string;
  DNS_OVER_HTTPS_URL?: string;
  /** How long a session rests before its sandbox is photographed; default 20. */
  SANDBOX_SNAPSHOT_AFTER_SECONDS?: string;
  /** What a sandbox costs and reserves, where it is not Modal's list price; decimal text. */
  SANDBOX_CPU_USD_PER_HOUR?: string;
  SANDBOX_MEMORY_USD_PER_HOUR?: string;
  SANDBOX_CORES?: string;
  SANDBOX_MEMORY_GIB?: string;
  /** Development only, on loopback: where the failpoints of the crash tests are asked about. */
  FAILPOINTS?: string;
}
