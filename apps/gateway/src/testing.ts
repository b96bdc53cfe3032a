// The gateway as the program it ships as, in front of a local Modal, for tests that start and kill it.
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import type { Emulator } from '@capstan/modal-emulator/emulator';
import { type LocalModal, openLocalModal } from '@capstan/sandbox/testing';

const MAIN = fileURLToPath(new URL('./main.ts', import.meta.url));
export const SECRET = 'current-secret-current-secret-current';

export interface Gateway {
  child: ChildProcess;
  url: string;
}

export interface World {
  emulator: Emulator;
  outside: LocalModal['outside'];
  start(env?: Record<string, string>): Promise<Gateway>;
  close(): Promise<void>;
}

export async function openWorld(): Promise<World> {
  const modal = await openLocalModal();
  const { emulator, outside } = modal;
  const children: ChildProcess[] = [];
  return {
    emulator,
    outside,
    start: async (env) => {
      const child = spawnGateway({ MODAL_SERVER_URL: emulator.url, ...env });
      children.push(child);
      return { child, url: await listening(child) };
    },
    close: async () => {
      await Promise.all(children.map((child) => end(child, 'SIGKILL')));
      await modal.close();
    },
  };
}

export function spawnGateway(env: Record<string, string>): ChildProcess {
  const settings = {
    MODAL_TOKEN_ID: 'ak-test',
    MODAL_TOKEN_SECRET: 'as-test',
    MODAL_CONFIG_PATH: '/nonexistent',
    CAPSTAN_GATEWAY_SECRET: SECRET,
    CAPSTAN_GATEWAY_PORT: '0',
    PATH: process.env.PATH ?? '',
  };
  return spawn(process.execPath, [MAIN], {
    env: { ...settings, ...env },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
}

export async function* events(child: ChildProcess): AsyncGenerator<Record<string, unknown>> {
  if (!child.stdout) return;
  for await (const line of createInterface({ input: child.stdout })) yield JSON.parse(line);
}

async function listening(child: ChildProcess): Promise<string> {
  for await (const { event, url } of events(child)) if (event === 'gateway.listening') return String(url);
  throw new Error('The gateway ended before it listened');
}

export async function end(child: ChildProcess, signal: NodeJS.Signals): Promise<number | null> {
  if (child.exitCode === null && child.signalCode === null) {
    const exited = once(child, 'exit');
    child.kill(signal);
    await exited;
  }
  return child.exitCode;
}
