// Builds: what must exist before the Workers can start: the Console, the bundles, the database's tables. Each is made
// only when what it is made from has changed.
import { existsSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { run } from './command.ts';
import { buildIfChanged } from './inputs.ts';
import type { State } from './state.ts';
import { step, type Tell } from './terminal.ts';

export type Site = { root: string; state: State; vars: string; tell: Tell };

export const WORKER_APPS = ['main', 'agent', 'jobs'] as const;
const WORKER_PACKAGES = ['api', 'db', 'harness', 'integrations', 'sandbox', 'schema', 'session', 'shared'];

/** wrangler without the network: no usage figures, no update check, no registry shared with other checkouts. */
const QUIET_WRANGLER = {
  CI: '1',
  NO_COLOR: '1',
  WRANGLER_SEND_METRICS: 'false',
  WRANGLER_SEND_ERROR_REPORTS: 'false',
  WRANGLER_HIDE_BANNER: 'true',
  WRANGLER_NO_SKILLS_UPDATE_PROMPTS: 'true',
  CLOUDFLARE_CF_FETCH_ENABLED: 'false',
};

/** Where the bundles and their manifest are. */
export function bundlesOf({ state }: Site): string {
  return join(state.built, 'workers');
}

/** Directories whose change asks for `buildConsole` or `bundleWorkers` again. */
export function watchedPaths(site: Site): string[] {
  return [...consoleInputs(site), ...workerInputs(site)];
}

export async function buildConsole(site: Site): Promise<boolean> {
  const cwd = join(site.root, 'apps/console');
  const result = join(cwd, 'dist/index.html');
  const inputs = consoleInputs(site);
  // The mark stands with the checkout, as the build does: platforms with other state share both.
  const marks = join(site.root, '.build');
  mkdirSync(marks, { recursive: true });
  return await buildIfChanged({ name: 'console', inputs, result, marks }, () =>
    step(site.tell, 'Building the Console', () =>
      run({ argv: [join(cwd, 'node_modules/.bin/vite'), 'build'], cwd, purpose: 'Building the Console' }),
    ),
  );
}

export async function bundleWorkers(site: Site): Promise<boolean> {
  // wrangler asks for the directory of static assets to exist, though it reads nothing in it here.
  mkdirSync(join(site.root, 'apps/console/dist'), { recursive: true });
  const out = bundlesOf(site);
  const apps = WORKER_APPS.map((app) => join(site.root, 'apps', app));
  const program = join(site.root, 'scripts/dev/bundles.ts');
  const result = join(out, 'workers.json');
  const inputs = workerInputs(site);
  const stored = { dir: out, store: storeOf(site) };
  return await buildIfChanged({ name: 'bundles', inputs, result, marks: site.state.built, stored }, () =>
    step(site.tell, 'Bundling the Workers', () =>
      run({
        argv: [process.execPath, program, out, ...apps],
        cwd: site.root,
        env: wranglerEnv(site),
        purpose: 'Bundling the Workers',
      }),
    ),
  );
}

export async function applyMigrations(site: Site): Promise<boolean> {
  const config = join(site.root, 'apps/main/wrangler.jsonc');
  const inputs = ['migrations/d1', 'pnpm-lock.yaml'].map((path) => join(site.root, path));
  const result = join(site.state.workers, 'v3/d1');
  // A database that has something in it is changed, and never replaced.
  const stored = existsSync(result) ? {} : { stored: { dir: result, store: storeOf(site) } };
  return await buildIfChanged(
    { name: 'migrations', inputs, result, marks: site.state.built, ...stored },
    () =>
      step(site.tell, 'Applying the migrations', () =>
        run({
          argv: [
            join(site.root, 'node_modules/.bin/wrangler'),
            ...[
              'd1',
              'migrations',
              'apply',
              'DB',
              '--local',
              '--config',
              config,
              '--persist-to',
              site.state.workers,
            ],
          ],
          cwd: site.root,
          env: wranglerEnv(site),
          purpose: 'Applying the migrations',
        }),
      ),
  );
}

/** With the checkout: platforms with other state share it. */
function storeOf({ root }: Site): string {
  return join(root, '.build/store');
}

function consoleInputs({ root }: Site): string[] {
  return [
    'apps/console',
    'packages/client/src',
    'packages/schema/src',
    'docs/openapi.json',
    'pnpm-lock.yaml',
  ].map((path) => join(root, path));
}

function workerInputs({ root }: Site): string[] {
  return [
    ...WORKER_APPS.map((app) => `apps/${app}`),
    ...WORKER_PACKAGES.map((name) => `packages/${name}/src`),
    ...['session-do', 'work-do', 'warm-pool-do'].map((name) => `migrations/${name}`),
    'docs/openapi.json',
    'pnpm-lock.yaml',
    'scripts/dev/bundles.ts',
  ].map((path) => join(root, path));
}

function wranglerEnv({ state }: Site): Record<string, string> {
  return {
    ...QUIET_WRANGLER,
    WRANGLER_LOG_PATH: join(state.logs, 'wrangler'),
    WRANGLER_REGISTRY_PATH: join(state.dir, 'registry'),
  };
}
