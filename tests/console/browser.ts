// A real Chromium and a fresh build of the Console.
import { execFile } from 'node:child_process';
import { mkdtemp, readdir } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import chromium from '@sparticuz/chromium';
import { type Browser, chromium as playwright } from 'playwright-core';

const run = promisify(execFile);
const CONSOLE = join(import.meta.dirname, '../../apps/console');

/** Builds the Console into a directory of its own and answers its path. */
export async function buildConsole(): Promise<string> {
  const dist = await mkdtemp(join(tmpdir(), 'capstan-console-'));
  const vite = join(CONSOLE, 'node_modules/vite/bin/vite.js');
  // vitest's NODE_ENV would build React for development.
  const env = { ...process.env, NODE_ENV: 'production' };
  await run(process.execPath, [vite, 'build', '--outDir', dist, '--logLevel', 'error'], {
    cwd: CONSOLE,
    env,
  });
  if (!(await readdir(dist)).includes('index.html')) throw new Error(`vite wrote no index.html to ${dist}`);
  return dist;
}

/** `CHROME_PATH`, or the Chromium that comes as a package. */
export async function launch(): Promise<Browser> {
  // biome-ignore lint/suspicious/noUndeclaredEnvVars: no cached task depends on where the browser is
  const executablePath = process.env.CHROME_PATH ?? (await chromium.executablePath());
  return playwright.launch({ executablePath, args: ['--no-sandbox', '--headless=old', '--disable-gpu'] });
}
