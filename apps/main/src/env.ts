// The bindings and secrets of this Worker, as wrangler.jsonc names them.
import { DEFAULT_RATE_LIMITS, type RateLimits } from '@capstan/api/rate-limit';
import type { Lack } from '@capstan/api/unconfigured';
import type { WebhookDispatch } from '@capstan/api/webhooks/dispatch';
import type { Directory } from '@capstan/db/directory';
import type { DeploymentClocks } from '@capstan/schema/deployments';
import type { DreamClocks } from '@capstan/schema/dreams';
import type { ImageKeepers } from '@capstan/schema/environment-images';
import type { HealthSource } from '@capstan/schema/health';
import type { WarmPools } from '@capstan/schema/warm-pools';
import type { Sessions } from '@capstan/session/service';
import type { WorkQueues } from '@capstan/session/work/work-queues';

export interface Env {
  DB: D1Database;
  BLOBS: R2Bucket;
  /** On one machine only: where contents of files are. */
  BLOB_DIRECTORY?: Directory;
  ASSETS: Fetcher;
  AGENT: Sessions & WorkQueues & WarmPools & Pick<Fetcher, 'fetch'>;
  JOBS: HealthSource & DeploymentClocks & DreamClocks & ImageKeepers & WebhookDispatch;
  PLATFORM_ROOT_SECRET: string;
  BOOTSTRAP_API_KEY_SHA256?: string;
  /** Previews are at hosts below it, e.g. `preview.example.com`; its wildcard has to lead to this Worker. */
  PREVIEW_HOST?: string;
  ENVIRONMENT?: string;
  PRIVATE_HOSTS?: string;
  DNS_OVER_HTTPS_URL?: string;
  /** Requests a minute that one API key may make, in digits. Absent: 300 creates and 1,200 reads. */
  RATE_LIMIT_CREATES?: string;
  RATE_LIMIT_READS?: string;
}

const RATE_LIMITS = ['RATE_LIMIT_CREATES', 'RATE_LIMIT_READS'] as const;
const BINDINGS = ['DB', 'BLOBS', 'ASSETS', 'AGENT', 'JOBS'] as const;
const SHORTEST_SECRET = 32;

/** What is missing or unusable, each with what mends it. The values themselves are never shown. */
export function problemsOf(env: Partial<Env>): Lack[] {
  const problems: Lack[] = BINDINGS.filter((name) => env[name] === undefined).map((name) => ({
    name,
    problem: `the binding ${name} is missing`,
    fix: `restore ${name} in apps/main/wrangler.jsonc and deploy again`,
  }));
  if ((env.PLATFORM_ROOT_SECRET ?? '').length < SHORTEST_SECRET) {
    problems.push({
      name: 'PLATFORM_ROOT_SECRET',
      problem: `the secret PLATFORM_ROOT_SECRET is missing or shorter than ${SHORTEST_SECRET} characters`,
      fix: 'openssl rand -hex 32 | pnpm wrangler secret put PLATFORM_ROOT_SECRET -c apps/main/wrangler.jsonc',
    });
  }
  const hash = env.BOOTSTRAP_API_KEY_SHA256;
  if (hash !== undefined && !/^[0-9a-f]{64}$/.test(hash)) {
    problems.push({
      name: 'BOOTSTRAP_API_KEY_SHA256',
      problem: 'the secret BOOTSTRAP_API_KEY_SHA256 is not a SHA-256 in lower-case hex',
      fix: 'printf %s "$KEY" | sha256sum | cut -d\' \' -f1 | pnpm wrangler secret put BOOTSTRAP_API_KEY_SHA256 -c apps/main/wrangler.jsonc',
    });
  }
  for (const name of RATE_LIMITS) {
    const value = env[name];
    if (value === undefined || isCount(value)) continue;
    const fix = `set ${name} to requests a minute in digits, or remove it from apps/main/wrangler.jsonc`;
    problems.push({ name, problem: `the variable ${name} is not a number of requests`, fix });
  }
  return problems;
}

/** What `problemsOf` found to be usable. */
export function rateLimitsOf({ RATE_LIMIT_CREATES, RATE_LIMIT_READS }: Env): RateLimits {
  return {
    creates: RATE_LIMIT_CREATES === undefined ? DEFAULT_RATE_LIMITS.creates : Number(RATE_LIMIT_CREATES),
    reads: RATE_LIMIT_READS === undefined ? DEFAULT_RATE_LIMITS.reads : Number(RATE_LIMIT_READS),
  };
}

function isCount(value: string): boolean {
  return /^[1-9]\d{0,8}$/.test(value);
}
