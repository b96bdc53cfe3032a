// Worker → gateway → Modal's SDK → emulator, each a process of its own, as the platform runs them.
import { type ChildProcess, spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { run } from '../../scripts/dev/command.ts';
import type { Order } from './orders.ts';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const TOKEN = { MODAL_TOKEN_ID: 'ak-bench', MODAL_TOKEN_SECRET: 'as-bench' };

export interface Chain {
  emulator: number;
  gateway: number;
  /** Sends an order to the Worker and returns its answer and how long that took, in ms. */
  order(order: Order): Promise<{ ms: number; answer: Record<string, unknown> }>;
  close(): Promise<void>;
}

export async function openChain(dir: string): Promise<Chain> {
  const secret = randomBytes(32).toString('hex');
  const stateDir = join(dir, 'emulator');
  mkdirSync(stateDir);
  const emulator = await start('packages/modal-emulator/src/main.ts', 'emulator.listening', {
    ...TOKEN,
    CAPSTAN_EMULATOR_STATE: stateDir,
    CAPSTAN_EMULATOR_PORT: '0',
  });
  const gateway = await start('apps/gateway/src/main.ts', 'gateway.listening', {
    ...TOKEN,
    MODAL_SERVER_URL: emulator.url,
    CAPSTAN_GATEWAY_PORT: '0',
    CAPSTAN_GATEWAY_SECRET: secret,
  });
  const workers = await startWorker(dir, { GATEWAY_URL: gateway.url, GATEWAY_SECRET: secret });
  return {
    emulator: emulator.child.pid ?? 0,
    gateway: gateway.child.pid ?? 0,
    order: async (order) => {
      const startedAt = performance.now();
      const response = await fetch(workers.url, { method: 'POST', body: JSON.stringify(order) });
      const text = await response.text();
      const ms = performance.now() - startedAt;
      if (!response.ok) throw new Error(`${order.do}: ${text.slice(0, 500)}`);
      return { ms, answer: JSON.parse(text) };
    },
    close: async () => {
      await workers.stop();
      await Promise.all([gateway.stop(), emulator.stop()]);
    },
  };
}

/** In workerd, from a bundle, as the platform's own Workers run. */
async function startWorker(dir: string, bindings: Record<string, string>): Promise<Program> {
  const bundles = join(dir, 'bundles');
  await run({
    argv: [process.execPath, join(ROOT, 'scripts/dev/bundles.ts'), bundles, join(ROOT, 'bench/sandboxes')],
    cwd: ROOT,
    env: { CI: '1', WRANGLER_SEND_METRICS: 'false', WRANGLER_LOG_PATH: join(dir, 'wrangler') },
    purpose: 'Bundling the Worker',
  });
  return start('scripts/dev/workers.ts', 'workers.listening', {
    CAPSTAN_DEV_BUNDLES: bundles,
    CAPSTAN_DEV_WORKERS_STATE: join(dir, 'workers'),
    CAPSTAN_DEV_PORT: '0',
    CAPSTAN_DEV_BINDINGS: JSON.stringify(bindings),
  });
}

interface Program {
  child: ChildProcess;
  url: string;
  stop(): Promise<void>;
}

async function start(file: string, event: string, env: Record<string, string>): Promise<Program> {
  const child = spawn(process.execPath, [join(ROOT, file)], {
    stdio: ['ignore', 'pipe', 'inherit'],
    env: { PATH: process.env.PATH, MODAL_CONFIG_PATH: '/nonexistent', ...env },
  });
  const exited = new Promise<void>((resolve) => child.once('exit', () => resolve()));
  const url = await new Promise<string>((resolve, reject) => {
    let text = '';
    child.stdout.on('data', (chunk: Buffer) => {
      text += chunk.toString('utf8');
      const line = text.split('\n').find((candidate) => candidate.includes(`"${event}"`));
      if (line !== undefined) resolve(JSON.parse(line).url);
    });
    child.once('exit', () => reject(new Error(`${file} ended before it listened: ${text}`)));
  });
  const stop = async () => {
    child.kill('SIGTERM');
    await exited;
  };
  return { child, url, stop };
}
