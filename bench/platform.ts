// A platform under measurement: the `dev` command on a state directory of its own, and the processes it is made of.
import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const ROOT = fileURLToPath(new URL('..', import.meta.url));
const READY_WITHIN_MS = 180_000;

export interface Platform {
  url: string;
  apiKey: string;
  pid: number;
  /** From the command to the first answer of its health check. */
  startedInMs: number;
  stop(): Promise<void>;
}

export async function startPlatform(stateDir: string): Promise<Platform> {
  const readyFile = join(stateDir, '..', 'ready.json');
  const startedAt = performance.now();
  const child = spawn(
    process.execPath,
    [join(ROOT, 'scripts/dev.ts'), '--port', '0', '--state', stateDir, '--ready-file', readyFile],
    { cwd: ROOT, stdio: ['ignore', 'pipe', 'pipe'], detached: true },
  );
  let output = '';
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (data) => (output += data));
  const ready = await readWhenThere(readyFile, () => {
    if (child.exitCode !== null) throw new Error(`The platform did not start:\n${output}`);
  });
  await firstHealth(ready.url);
  return {
    ...ready,
    pid: child.pid ?? 0,
    startedInMs: performance.now() - startedAt,
    stop: () => stop(child),
  };
}

async function readWhenThere(path: string, check: () => void): Promise<{ url: string; apiKey: string }> {
  const until = performance.now() + READY_WITHIN_MS;
  while (performance.now() < until) {
    check();
    if (existsSync(path)) {
      const text = readFileSync(path, 'utf8');
      if (text.endsWith('}')) return JSON.parse(text);
    }
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
  throw new Error('The platform was not ready in time');
}

async function firstHealth(url: string): Promise<void> {
  const answer = await fetch(`${url}/health`);
  if (!answer.ok) throw new Error(`Not healthy: ${await answer.text()}`);
}

function stop(child: ChildProcess): Promise<void> {
  return new Promise((resolve) => {
    child.once('exit', () => resolve());
    child.kill('SIGINT');
  });
}
