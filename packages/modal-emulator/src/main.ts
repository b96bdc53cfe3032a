// Starts the emulator from the environment: CAPSTAN_EMULATOR_STATE, CAPSTAN_EMULATOR_PORT (0 or absent: any), MODAL_TOKEN_ID,
// MODAL_TOKEN_SECRET and CAPSTAN_EMULATOR_FORWARDS (127.0.0.1:PORT,... that sandboxes reach). Writes one JSON line per event;
// `emulator.listening` carries the URL and what sandboxes get. SIGINT and SIGTERM stop it.
import { writeSync } from 'node:fs';
import { createLogger } from '@capstan/shared/logger';
import { startEmulator } from './emulator.ts';
import { checkIsolation, type Isolation } from './preflight.ts';

/** What a gateway in front of this emulator may promise (CAPSTAN_SANDBOX_CAPABILITIES). */
const CAPABILITIES = JSON.stringify({
  isolation: 'container',
  limits: { cpu: false, memory: false, pids: false, disk: false },
  snapshots: true,
  gpu: false,
});

const log = createLogger((line) => writeSync(process.stdout.fd, `${line}\n`));

async function main(): Promise<void> {
  const isolation = await checkIsolation();
  if (isolation.level === 'none') {
    for (const problem of isolation.problems) log.error('emulator.refused', { ...problem });
    process.exitCode = 1;
    return;
  }
  await serve(isolation);
}

async function serve(isolation: Isolation): Promise<void> {
  const emulator = await startEmulator({
    stateDir: variable('CAPSTAN_EMULATOR_STATE'),
    port: Number(process.env.CAPSTAN_EMULATOR_PORT ?? 0),
    tokenId: variable('MODAL_TOKEN_ID'),
    tokenSecret: variable('MODAL_TOKEN_SECRET'),
    forwards: (process.env.CAPSTAN_EMULATOR_FORWARDS ?? '').split(',').filter((text) => text !== ''),
    log,
  });
  const { url } = emulator;
  log.info('emulator.listening', { url, isolation: isolation.level, capabilities: CAPABILITIES });
  const stop = () => {
    emulator.stop().then(
      () => log.info('emulator.stopped'),
      (cause: unknown) => failed('emulator.stop_failed', cause),
    );
  };
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, stop);
}

function variable(name: string): string {
  const value = process.env[name];
  if (!value) throw new TypeError(`${name} is not set: the emulator cannot start without it.`);
  return value;
}

function failed(event: string, cause: unknown): void {
  log.error(event, {}, cause);
  process.exitCode = 1;
}

main().catch((cause: unknown) => failed('emulator.failed', cause));
