// The public Worker: bindings to ports, ports to the API. Nothing is decided here.
import { type Api, createApi } from '@capstan/api/app';
import { unconfigured } from '@capstan/api/unconfigured';
import { openD1 } from '@capstan/db/d1';
import { consoleLogger } from '@capstan/shared/logger';
import { reachFrom } from '@capstan/shared/reach-config';
import { createSealer, TENANT_SECRETS } from '@capstan/shared/seal';
import { version } from '../../../package.json';
import { healthyBlobs } from './blobs.ts';
import { type Env, problemsOf, rateLimitsOf } from './env.ts';
import { socketsOf } from './sockets.ts';

const MAX_BODY_BYTES = 32 * 1024 * 1024;

const logger = consoleLogger.child({ worker: 'main' });

let api: Api | null = null;

export default {
  fetch(request, env) {
    api ??= open(env);
    return api.fetch(request);
  },
} satisfies ExportedHandler<Env>;

function open(env: Env): Api {
  const problems = problemsOf(env);
  if (problems.length > 0) return unconfigured(problems, version);
  const { reach, problems: unusable } = reachFrom(env);
  for (const problem of unusable) logger.warn('config.unusable', { problem });
  return createApi({
    db: openD1(env.DB),
    sessions: env.AGENT,
    work: env.AGENT,
    socket: socketsOf(env.AGENT),
    previewHost: env.PREVIEW_HOST?.toLowerCase() || null,
    jobs: env.JOBS,
    clocks: env.JOBS,
    dreamClocks: env.JOBS,
    images: env.JOBS,
    pools: env.AGENT,
    blobs: healthyBlobs(env),
    assets: (request) => env.ASSETS.fetch(request),
    secrets: { root: env.PLATFORM_ROOT_SECRET, bootstrapKeyHash: env.BOOTSTRAP_API_KEY_SHA256 ?? null },
    sealer: createSealer([env.PLATFORM_ROOT_SECRET], TENANT_SECRETS),
    reach,
    clock: Date,
    logger,
    version,
    maxBodyBytes: MAX_BODY_BYTES,
    rateLimits: rateLimitsOf(env),
  });
}
