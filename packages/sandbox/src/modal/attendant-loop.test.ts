// attendant.sh as a process of this machine: what it makes of orders, and when it ends.
import { type ChildProcessWithoutNullStreams, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { MarkedStream } from './marked-stream.ts';
import { attendantArgv, toOrder } from './order.ts';
import type { Task } from './programs.ts';

const PATIENCE_MS = 60_000;
const exec = (...argv: string[]): Task => ({
  program: 'exec',
  args: [directory, '30.000', '0', 'argv', ...argv],
  maxBytes: 1_000_000,
  complete: true,
});

let directory: string;
const children: ChildProcessWithoutNullStreams[] = [];
beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'capstan-attendant-'));
});
afterEach(() => {
  for (const child of children.splice(0)) child.kill('SIGKILL');
});
afterAll(() => rm(directory, { recursive: true, force: true }));

function start(patienceMs = PATIENCE_MS): ChildProcessWithoutNullStreams {
  const [program = '', ...args] = attendantArgv(patienceMs);
  const child = spawn(program, args);
  children.push(child);
  return child;
}

/** What it answers to a task on stdout, without the line that says it begins. */
async function ask(child: ChildProcessWithoutNullStreams, task: Task) {
  const order = toOrder(task);
  if (order === null) throw new TypeError('No attendant takes this task');
  const stream = new MarkedStream(order.mark, task.maxBytes);
  const marked = new Promise<void>((resolve) => {
    const take = (chunk: Buffer) => {
      stream.take(chunk);
      if (stream.mark === null) return;
      child.stdout.off('data', take);
      resolve();
    };
    child.stdout.on('data', take);
  });
  child.stderr.resume();
  child.stdin.write(order.bytes);
  await marked;
  const { bytes } = stream.output();
  const head = task.complete ? `${order.mark}\n` : '';
  expect(Buffer.from(bytes.subarray(0, head.length)).toString()).toBe(head);
  return { ...stream.mark, output: Buffer.from(bytes.subarray(head.length)).toString() };
}

describe('an attendant', { timeout: 120_000 }, () => {
  it('hands every argument on as it is', async () => {
    const child = start();
    const argument = fc.string({ unit: 'binary', maxLength: 30 }).map((text) => text.replaceAll('\0', ''));
    await fc.assert(
      fc.asyncProperty(fc.array(argument, { minLength: 1, maxLength: 4 }), async (args) => {
        const { output } = await ask(child, exec('printf', '%s\\0', ...args));
        expect(output).toBe(args.map((word) => `${Buffer.from(word)}\0`).join(''));
      }),
      { numRuns: 60, examples: [[["it's", '\\', '$(id) `id` "$HOME"', 'é\n\t\r', '']]] },
    );
  });

  it('gives each task its own exit code and nothing of the task before', async () => {
    const child = start();
    expect(await ask(child, exec('bash', '-c', 'cd /; export A=1; exit 7'))).toMatchObject({ exitCode: 7 });
    const { output, exitCode } = await ask(child, exec('bash', '-c', 'pwd; echo "[$A]"; cat'));
    expect([output, exitCode]).toEqual([`${directory}\n[]\n`, 0]);
  });

  it('has no names in the environment of commands', async () => {
    expect((await ask(start(), exec('env'))).output).not.toMatch(/capstan_/);
  });

  it('performs nothing more once a process that a task left can write into its answers', async () => {
    const child = start();
    const exited = once(child, 'exit');
    const clean = await ask(child, exec('bash', '-c', '(sleep 30 &) >/dev/null 2>&1'));
    expect(clean.last).toBe(false);
    expect(await ask(child, exec('bash', '-c', 'setsid sleep 20 & exit 3'))).toMatchObject({
      last: true,
      exitCode: 3,
    });
    expect((await exited)[0]).toBe(3);
  });

  it('ends with its orders, whole or half, and when none comes', async () => {
    const ended = start();
    ended.stdin.end();
    expect((await once(ended, 'exit'))[0]).toBe(0);
    const half = start();
    half.stdin.end(toOrder(exec('touch', 'done'))?.bytes.subarray(0, -3));
    expect((await once(half, 'exit'))[0]).toBe(0);
    expect((await once(start(200), 'exit'))[0]).toBe(0);
    expect((await ask(start(), exec('ls'))).output).toBe('');
  });
});
