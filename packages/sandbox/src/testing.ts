// A local Modal for tests of the Sandboxes port, with one server outside it that sandboxes can reach.
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Emulator, startEmulator } from '@capstan/modal-emulator/emulator';

export const TOKENS = { tokenId: 'ak-test', tokenSecret: 'as-test' };

export interface LocalModal {
  emulator: Emulator;
  /** Accepts connections and ends them. */
  outside: { host: string; port: number };
  close(): Promise<void>;
}

export async function openLocalModal(): Promise<LocalModal> {
  const stateDir = await mkdtemp(join(tmpdir(), 'capstan-sandbox-'));
  const server = createServer((socket) => socket.end());
  await once(server.listen(0, '127.0.0.1'), 'listening');
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('The server has no port');
  const outside = { host: '127.0.0.1', port: address.port };
  const forwards = [`${outside.host}:${outside.port}`];
  const emulator = await startEmulator({ stateDir, port: 0, ...TOKENS, forwards });
  return {
    emulator,
    outside,
    close: async () => {
      server.close();
      await emulator.stop();
      await rm(stateDir, { recursive: true, force: true });
    },
  };
}
