// What tests of supervision share: a folder that goes away, small programs to supervise, and waiting on a condition.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { onTestFinished } from 'vitest';

export function scratchDir(): string {
  const dir = mkdtempSync(join(tmpdir(), 'capstan-dev-'));
  onTestFinished(() => rmSync(dir, { recursive: true, force: true }));
  return dir;
}

/** Writes a program; `announce` is what makes it ready. */
export function writeProgram(dir: string, name: string, source: string): string {
  const file = join(dir, `${name}.ts`);
  const announce = `const announce = (fields = {}) => console.log(JSON.stringify({ event: 'ready', url: 'http://127.0.0.1:1', pid: process.pid, ...fields }));`;
  writeFileSync(file, `${announce}\n${source}\n`);
  return file;
}

/** Resolves with the first value that is not undefined or false; rejects after `withinMs`. */
export async function until<T>(
  what: string,
  ask: () => T | undefined | false,
  withinMs = 30_000,
): Promise<T> {
  const deadline = performance.now() + withinMs;
  while (performance.now() < deadline) {
    const answer = ask();
    if (answer !== undefined && answer !== false) return answer;
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
  throw new Error(`not within ${withinMs} ms: ${what}`);
}
