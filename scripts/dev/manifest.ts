// Manifest: what a bundling leaves behind for the program that hosts the Workers. One JSON file beside the bundles.
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { V4WorkerOptions } from 'miniflare';

export type WorkerManifest = {
  /** Name other Workers bind to, which is also its directory beside the manifest. */
  name: string;
  crons: string[];
  /** wrangler's reading of the Worker's own wrangler.jsonc, so that development and deployment have one source. */
  options: Partial<V4WorkerOptions> & { bindings?: Record<string, string> };
};

export function writeManifest(dir: string, workers: WorkerManifest[]): void {
  writeFileSync(join(dir, 'workers.json'), JSON.stringify(workers));
}

/** The manifest in `dir`; throws when there is none. */
export function readManifest(dir: string): WorkerManifest[] {
  const workers: WorkerManifest[] = JSON.parse(readFileSync(join(dir, 'workers.json'), 'utf8'));
  return workers;
}
