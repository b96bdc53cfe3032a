// Bundles: the program that makes what the Workers host runs: `node bundles.ts OUT APP…`, each APP a directory with
// a wrangler.jsonc. The bundle is the one `wrangler deploy` would upload. A program of its own because loading
// wrangler takes memory that the running platform should not hold.
import { mkdirSync, renameSync, rmSync } from 'node:fs';
import { basename, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { unstable_getMiniflareWorkerOptions, unstable_readConfig } from 'wrangler';
import { run } from './command.ts';
import { reasonOf } from './fault.ts';
import { type WorkerManifest, writeManifest } from './manifest.ts';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const [out = '', ...apps] = process.argv.slice(2);
const draft = `${out}.new`;
const noAssets = join(draft, 'no-assets');
try {
  await bundleAll();
} catch (error) {
  console.error(reasonOf(error));
  process.exitCode = 1;
}

async function bundleAll(): Promise<void> {
  rmSync(draft, { recursive: true, force: true });
  mkdirSync(draft, { recursive: true });
  mkdirSync(noAssets);
  writeManifest(draft, await Promise.all(apps.map(bundle)));
  // Renamed whole: the host never reads a half-written set.
  rmSync(out, { recursive: true, force: true });
  renameSync(draft, out);
}

async function bundle(app: string): Promise<WorkerManifest> {
  const config = resolve(app, 'wrangler.jsonc');
  const { name, triggers, assets } = unstable_readConfig({ config });
  if (name === undefined) throw new Error(`${config} has no name`);
  await run({
    argv: [
      join(ROOT, 'node_modules/.bin/wrangler'),
      ...['deploy', '--dry-run', '--config', config, '--outdir', join(draft, name)],
      // wrangler would list the assets, which are being built at the same time and are no part of the bundle.
      ...(assets === undefined ? [] : ['--assets', noAssets]),
    ],
    cwd: app,
    purpose: `Bundling ${basename(app)}`,
  });
  const { workerOptions } = unstable_getMiniflareWorkerOptions(config);
  return { name, crons: triggers.crons ?? [], options: workerOptions };
}
