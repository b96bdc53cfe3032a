import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { afterEach, describe, expect, it } from 'vitest';

const MAIN = new URL('./main.ts', import.meta.url).pathname;
let child: ChildProcess | undefined;
afterEach(() => void child?.kill('SIGKILL'));

function start(port: string): ChildProcess {
  child = spawn(process.execPath, [MAIN], {
    env: { ...process.env, CAPSTAN_DEV_MODEL_PORT: port, NODE_OPTIONS: '' },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  return child;
}

async function firstLine(stream: NodeJS.ReadableStream | null): Promise<Record<string, string>> {
  if (stream === null) throw new TypeError('the process has no such stream');
  const [line] = await once(createInterface(stream), 'line');
  return JSON.parse(String(line));
}

describe('the process', () => {
  it('says where it listens, stays small and ends on SIGTERM', async () => {
    const started = start('0');
    const { event, url } = await firstLine(started.stdout);
    expect(event).toBe('dev-model.listening');
    const body = JSON.stringify({ model: 'm', input: '[[size 100000]]', stream: true });
    for (let round = 0; round < 20; round += 1) {
      await (await fetch(`${url}/v1/responses`, { method: 'POST', body })).text();
    }
    const status = readFileSync(`/proc/${started.pid}/status`, 'utf8');
    expect(Number(/VmRSS:\s+(\d+)/.exec(status)?.[1])).toBeLessThan(150 * 1024);
    started.kill('SIGTERM');
    expect((await once(started, 'exit'))[0]).toBe(0);
  });

  it.each(['many', '70000', '-1'])('refuses the port %j', async (port) => {
    const started = start(port);
    const line = await firstLine(started.stderr);
    expect(line).toMatchObject({
      event: 'dev-model.failed',
      message: expect.stringContaining('CAPSTAN_DEV_MODEL_PORT'),
    });
    expect((await once(started, 'close'))[0]).toBe(1);
  });
});
