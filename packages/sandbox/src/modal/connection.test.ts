import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Emulator, startEmulator } from '@capstan/modal-emulator/emulator';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { createModalSandboxes, type ModalSandboxes } from '../modal.ts';
import { Connection } from './connection.ts';

/** Enough for what is not stopped, on a busy machine too. */
const DEADLINE_MS = 5_000;
const timeout = { name: 'SandboxError', code: 'timeout' };

let stateDir: string;
let emulator: Emulator;
let connection: Connection;
let sandboxes: ModalSandboxes;
let sandboxId: string;

beforeAll(async () => {
  stateDir = await mkdtemp(join(tmpdir(), 'capstan-connection-'));
  emulator = await startEmulator({ stateDir, port: 0, tokenId: 'ak-test', tokenSecret: 'as-test' });
  // The SDK reads where Modal is when it is imported.
  process.env.MODAL_SERVER_URL = emulator.url;
  const { ModalClient } = await import('modal');
  const logger = { debug() {}, info() {}, warn() {}, error() {} };
  const client = new ModalClient({ tokenId: 'ak-test', tokenSecret: 'as-test', logger });
  const settings = { client, appName: 'connection', image: 'debian:12', deadlineMs: DEADLINE_MS };
  connection = new Connection(settings);
  sandboxes = createModalSandboxes(settings);
  sandboxId = (await sandboxes.create({ name: 'stopped' })).sandboxId;
});
afterAll(async () => {
  connection.close();
  sandboxes.close();
  await emulator.stop();
  await rm(stateDir, { recursive: true, force: true });
});

const stopped = ['bash', '-c', 'kill -STOP $$'];

describe('a command that is stopped inside its sandbox', { timeout: 60_000 }, () => {
  it('is a timeout to whoever waits for its output, its end, or its reading of input', async () => {
    const stdin = [Buffer.alloc(4 * 1024 * 1024)];
    const ways = [{}, { complete: true }, { stdin }, { signal: new AbortController().signal }];
    await Promise.all(
      ways.map(async (more) => {
        const startedAt = performance.now();
        const invoked = connection.invoke(sandboxId, { argv: stopped, maxBytes: 64, ...more });
        await expect(invoked).rejects.toMatchObject(timeout);
        expect(performance.now() - startedAt).toBeGreaterThanOrEqual(DEADLINE_MS - 1);
      }),
    );
  });

  it('leaves the connection to the others that use it', async () => {
    const other = connection.invoke(sandboxId, {
      argv: ['bash', '-c', 'read -t 0.4 <> <(:); echo on'],
      maxBytes: 64,
    });
    const first = connection.invoke(sandboxId, { argv: stopped, maxBytes: 64 });
    expect(Buffer.from((await other).stdout).toString()).toBe('on\n');
    await expect(first).rejects.toMatchObject(timeout);
    const next = await connection.invoke(sandboxId, { argv: ['echo', 'next'], maxBytes: 64 });
    expect(Buffer.from(next.stdout).toString()).toBe('next\n');
  });

  it('is killed soon after', async () => {
    const mark = 'the-one-that-stops';
    await expect(
      connection.invoke(sandboxId, { argv: ['bash', '-c', 'kill -STOP $$', mark], maxBytes: 64 }),
    ).rejects.toMatchObject(timeout);
    const count = `grep -lz ${mark.replace('that', '[t]hat')} /proc/[0-9]*/cmdline | wc -l`;
    const left = async () =>
      Buffer.from((await connection.invoke(sandboxId, { argv: ['bash', '-c', count], maxBytes: 64 })).stdout)
        .toString()
        .trim();
    await vi.waitFor(async () => expect(await left()).toBe('0'), { timeout: 20_000 });
  });

  it('is a timeout to an exec and to a file call', async () => {
    const exec = sandboxes.exec({ sandboxId, command: 'kill -STOP $PPID' });
    await expect(exec).rejects.toMatchObject(timeout);
    // It lives in the sandbox, and stops every write that it sees: one may be about to end.
    const command = `while :; do
      for pid in $(pgrep -f 'capstan writte[n]'); do
        grep -q __capstan_answer /proc/$pid/cmdline || kill -STOP $pid
      done
    done`;
    await sandboxes.startRun({ sandboxId, runId: 'stopper', command, timeoutMs: 60_000 });
    const content = Buffer.alloc(4 * 1024 * 1024);
    const write = async () => {
      for (;;) await sandboxes.writeFile({ sandboxId, path: '/workspace/file', content });
    };
    await expect(write()).rejects.toMatchObject(timeout);
    await sandboxes.killRun({ sandboxId, runId: 'stopper' });
  });

  it('ends with the reason of whoever gave it up before', async () => {
    const giveUp = new AbortController();
    const invoked = connection.invoke(sandboxId, { argv: stopped, maxBytes: 64, signal: giveUp.signal });
    giveUp.abort(new Error('gave up'));
    await expect(invoked).rejects.toThrow('gave up');
  });
});
