// Workers: the program that hosts main, agent and jobs in one workerd, through Miniflare, from bundles made beforehand.
// SIGHUP makes it take new bundles; requests already accepted finish on the old ones or fail as on a deploy.
// docs/decisions/001-dev-runtime.md says why Miniflare is used directly.
import { join } from 'node:path';
import { convertV4MiniflareOptions, Log, LogLevel, Miniflare, type MiniflareOptions } from 'miniflare';
import { modulesIn } from './bundle-modules.ts';
import { openContents, sweepContents } from './contents.ts';
import { minuteMatches } from './cron.ts';
import { readManifest, type WorkerManifest } from './manifest.ts';

const HOUR_MS = 3_600_000;
const settings = {
  bundles: required('CAPSTAN_DEV_BUNDLES'),
  state: required('CAPSTAN_DEV_WORKERS_STATE'),
  port: Number(required('CAPSTAN_DEV_PORT')),
};

const contents = openContents(join(settings.state, 'contents'));

const bindings: Record<string, string> = JSON.parse(required('CAPSTAN_DEV_BINDINGS'));
const manifests = readManifest(settings.bundles);
const platform = new Miniflare(options(manifests));
const url = await platform.ready;
console.log(JSON.stringify({ event: 'workers.listening', url: `http://127.0.0.1:${url.port}` }));

process.on('SIGHUP', () => void reload());
process.on('SIGTERM', () => void platform.dispose().finally(() => process.exit(0)));
setInterval(() => void fireCrons(new Date()), 60_000).unref();
// workerd may have died and come back since.
setInterval(() => sweepContents(contents, Date.now() - HOUR_MS), HOUR_MS).unref();

async function reload(): Promise<void> {
  await platform.setOptions(options(readManifest(settings.bundles)));
  console.log(JSON.stringify({ event: 'workers.reloaded' }));
}

/** workerd keeps no clock for cron triggers, so this program is it. */
async function fireCrons(now: Date): Promise<void> {
  for (const { name, crons } of manifests) {
    for (const cron of crons.filter((expression) => minuteMatches(expression, now))) {
      const worker = await platform.getWorker(name);
      await worker.scheduled({ cron, scheduledTime: now });
    }
  }
}

function options(workers: WorkerManifest[]): MiniflareOptions {
  return convertV4MiniflareOptions({
    host: '127.0.0.1',
    port: settings.port,
    log: new Log(LogLevel.WARN),
    // A line per request would cost every request a round trip to this process.
    logRequests: false,
    // Nothing leaves this machine: neither usage figures nor a lookup of where it is.
    telemetry: { enabled: false },
    cf: false,
    resourcePersistencePath: settings.state,
    workers: workers.map(({ name, options: worker }) => ({
      ...worker,
      name,
      rootPath: join(settings.bundles, name),
      modulesRoot: join(settings.bundles, name),
      modules: modulesIn(join(settings.bundles, name)),
      bindings: { ...worker.bindings, ...bindings },
      serviceBindings: {
        ...worker.serviceBindings,
        BLOB_DIRECTORY: { disk: { path: contents, writable: true } },
      },
    })),
  });
}

function required(name: string): string {
  const value = process.env[name];
  if (value === undefined) throw new Error(`${name} is not set: this program is started by scripts/dev.ts`);
  return value;
}
