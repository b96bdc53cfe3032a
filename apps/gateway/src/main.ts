// The gateway program: environment to ports to server. Prints one JSON line per event, `gateway.listening` when it is ready.
import type { Server } from 'node:http';
import { flushCompileCache } from 'node:module';
import { createModalSandboxes } from '@capstan/sandbox/modal';
import { createLogger } from '@capstan/shared/logger';
import { ModalClient } from 'modal';
import { createGateway } from './server.ts';
import { readSettings, SettingsError } from './settings.ts';

/** Callers that wait for a run get this long when the gateway is stopped. */
const DRAIN_MS = 5_000;

const log = createLogger((line) => process.stdout.write(`${line}\n`));

function start(): void {
  const settings = readSettings(process.env);
  const sandboxes = createModalSandboxes({
    client: new ModalClient({ logger: silent }),
    appName: settings.appName,
    image: settings.image,
    capabilities: settings.capabilities,
  });
  const server = createGateway({ sandboxes, secrets: settings.secrets, log });
  server.once('error', (error) =>
    fail(`Cannot listen on ${settings.host}:${settings.port}: ${error.message}`),
  );
  server.listen(settings.port, settings.host, () => {
    log.info('gateway.listening', { url: urlOf(server) });
    // With NODE_COMPILE_CACHE set, the next start needs no TypeScript compiler: 30 MB less.
    flushCompileCache();
  });
  const stop = () => {
    log.info('gateway.stopping');
    server.close(() => {
      sandboxes.close();
      process.exit(0);
    });
    server.closeIdleConnections();
    setTimeout(() => server.closeAllConnections(), DRAIN_MS).unref();
  };
  process.once('SIGINT', stop);
  process.once('SIGTERM', stop);
}

/** The SDK's own lines would not be ours to read: what fails is told by the call that fails. */
const silent = { debug() {}, info() {}, warn() {}, error() {} };

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
  start();
} catch (error) {
  if (!(error instanceof SettingsError)) throw error;
  fail(error.message);
}
