// The gateway program: environment to ports to server. Prints one JSON line per event, `gateway.listening` when it is ready.
import type { Server } from 'node:http';
import { flushCompileCache } from 'node:module';
import { createModalSandboxes } from '@capstan/sandbox/modal';
import { createModalClient } from '@capstan/sandbox/modal/sdk';
import { createLogger } from '@capstan/shared/logger';
import { startEgress } from './egress.ts';
import { createGateway } from './server.ts';
import { readSettings, SettingsError } from './settings.ts';

const log = createLogger((line) => process.stdout.write(`${line}\n`));

async function start(): Promise<void> {
  const settings = readSettings(process.env);
  const { secrets } = settings;
  const egress = settings.egress && (await startEgress({ settings: settings.egress, secrets, log }));
  const backend = createModalSandboxes({
    ...createModalClient(),
    appName: settings.appName,
    image: settings.image,
    capabilities: settings.capabilities,
    proxy: egress?.place,
    files: egress?.files,
  });
  const sandboxes = egress ? egress.around(backend) : backend;
  const { server, stop } = createGateway({ sandboxes, secrets, log });
  server.once('error', (error) =>
    fail(`Cannot listen on ${settings.host}:${settings.port}: ${error.message}`),
  );
  server.listen(settings.port, settings.host, () => {
    log.info('gateway.listening', { url: urlOf(server), egress_url: egress?.url });
    // With NODE_COMPILE_CACHE set, the next start needs no TypeScript compiler: 30 MB less.
    flushCompileCache();
  });
  const end = () => {
    log.info('gateway.stopping');
    void stop(settings.drainMs).then(async () => {
      sandboxes.close();
      await egress?.close();
      log.info('gateway.stopped');
      process.exit(0);
    });
  };
  process.once('SIGINT', end);
  process.once('SIGTERM', end);
}

function urlOf(server: Server): string {
  const address = server.address();
  if (address === null || typeof address === 'string') return '';
  const host = address.family === 'IPv6' ? `[${address.address}]` : address.address;
  return `http://${host}:${address.port}`;
}

function fail(problem: string): never {
  log.error('gateway.failed', { problem });
  process.exit(1);
}

try {
  await start();
} catch (error) {
  if (error instanceof SettingsError || error instanceof TypeError) fail(error.message);
  if (error instanceof Error && 'syscall' in error) fail(`Cannot start the egress proxy: ${error.message}`);
  throw error;
}
