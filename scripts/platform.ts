// A platform as a child process: the `dev` command on a state directory of its own. For benchmarks and crash tests.
import { type ChildProcess, spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const ROOT = fileURLToPath(new URL('..', import.meta.url));
const READY_WITHIN_MS = 180_000;

export interface Ready {
  url: string;
  apiKey: string;
  /** The programs it runs, by name: workers, gateway, emulator, dev-model. */
  pids: Record<string, number>;
}

export interface Platform extends Ready {
  pid: number;
  /** From the command to the first answer of its health check. */
  startedInMs: number;
  /** As it stands now: a program that died and came back has another pid. */
  ready(): Ready;
  stop(): Promise<void>;
}

/** `flags` are further flags of `dev`. */
export async function startPlatform(stateDir: string, flags: readonly string[] = []): Promise<Platform> {
  const readyFile = join(dirname(stateDir), 'ready.json');
  const startedAt = performance.now();
  const child = spawn(
    process.execPath,
    [
      join(ROOT, 'scripts/dev.mjs'),
      '--no-watch',
      '--port',
      '0',
      '--state',
      stateDir,
      '--ready-file',
      readyFile,
      ...flags,
    ],
    { cwd: ROOT, stdio: ['ignore', 'pipe', 'pipe'] },
  );
  let output = '';
  const keep = (data: Buffer) => {
    output += data;
  };
  child.stdout.on('data', keep);
  child.stderr.on('data', keep);
  const ready = await readWhenThere(readyFile, () => {
    if (child.exitCode !== null) throw new Error(`The platform did not start:\n${output}`);
  });
  await firstHealth(ready.url);
  return {
    ...ready,
    pid: child.pid ?? 0,
    startedInMs: performance.now() - startedAt,
    ready: () => read(readyFile) ?? ready,
    stop: () => stop(child),
  };
}

async function readWhenThere(path: string, check: () => void): Promise<Ready> {
  const until = performance.now() + READY_WITHIN_MS;
  while (performance.now() < until) {
    check();
    const ready = read(path);
    if (ready) return ready;
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
  throw new Error('The platform was not ready in time');
}

/** Null while it is not there, or half written. */
function read(path: string): Ready | null {
  try {
    return JSON.parse(readFileSync(path, 'utf8'));
  } catch {
    return null;
  }
}

async function firstHealth(url: string): Promise<void> {
  for (const until = performance.now() + READY_WITHIN_MS; ; ) {
    const said = await health(url);
    if (said === null) return;
    if (performance.now() > until) throw new Error(`Not healthy: ${said}`);
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}

/** Null: all is well. */
async function health(url: string): Promise<string | null> {
  try {
    const answer = await fetch(`${url}/health`);
    const said = await answer.text();
    return answer.ok ? null : said;
  } catch (error) {
    return String(error);
  }
}

function stop(child: ChildProcess): Promise<void> {
  return new Promise((resolve) => {
    if (child.exitCode !== null || child.signalCode !== null) return resolve();
    child.once('exit', () => resolve());
    child.kill('SIGINT');
  });
}
