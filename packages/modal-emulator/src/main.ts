// Starts the emulator from the environment: CAPSTAN_EMULATOR_STATE, CAPSTAN_EMULATOR_PORT (0 or absent: any), MODAL_TOKEN_ID,
// MODAL_TOKEN_SECRET, CAPSTAN_EMULATOR_FORWARDS (127.0.0.1:PORT,... that sandboxes reach), CAPSTAN_EMULATOR_DISK_MIB (what each
// may have on the disk; absent: a quarter of what is free), CAPSTAN_EMULATOR_IMAGE_BYTES (what all images may have; absent:
// 32 GiB), CAPSTAN_EMULATOR_BUILD_PROXY (the proxy that builds of images fetch through) and SANDBOX_ISOLATION (none: where it
// has to be). Writes one JSON line per event; `emulator.listening` carries the URL and what sandboxes get. SIGINT and SIGTERM
// stop it.
import { writeSync } from 'node:fs';
import { createLogger } from '@capstan/shared/logger';
import { startEmulator } from './emulator.ts';
import type { LimitLevels } from './limits.ts';
import { checkIsolation } from './preflight.ts';

const log = createLogger((line) => writeSync(process.stdout.fd, `${line}\n`));

async function main(): Promise<void> {
  const isolation = await checkIsolation(process.env.SANDBOX_ISOLATION);
  if (isolation.level === 'refused') {
    for (const problem of isolation.problems) log.error('emulator.refused', { ...problem });
    process.exitCode = 1;
    return;
  }
  for (const problem of isolation.problems) log.warn('emulator.unisolated', { ...problem });
  await serve(isolation.level);
}

async function serve(isolation: 'namespaces' | 'none'): Promise<void> {
  const emulator = await startEmulator({
    stateDir: variable('CAPSTAN_EMULATOR_STATE'),
    port: Number(process.env.CAPSTAN_EMULATOR_PORT ?? 0),
    tokenId: variable('MODAL_TOKEN_ID'),
    tokenSecret: variable('MODAL_TOKEN_SECRET'),
    forwards: (process.env.CAPSTAN_EMULATOR_FORWARDS ?? '').split(',').filter((text) => text !== ''),
    isolation,
    diskBytes: diskBytes(process.env.CAPSTAN_EMULATOR_DISK_MIB),
    imageLimits: imageLimits(process.env.CAPSTAN_EMULATOR_IMAGE_BYTES),
    buildProxy: process.env.CAPSTAN_EMULATOR_BUILD_PROXY || undefined,
    log,
  });
  const { url, limits } = emulator;
  const capabilities = capabilitiesWith(isolation, limits);
  log.info('emulator.listening', {
    url,
    isolation,
    limits: JSON.stringify(limits),
    capabilities,
  });
  const stop = () => {
    emulator.stop().then(
      () => log.info('emulator.stopped'),
      (cause: unknown) => failed('emulator.stop_failed', cause),
    );
  };
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, stop);
}

/** What a gateway in front of this emulator may promise (CAPSTAN_SANDBOX_CAPABILITIES): of a sandbox, not of a process in it. */
function capabilitiesWith(isolation: 'namespaces' | 'none', { cpu, memory, pids }: LimitLevels): string {
  const isIsolated = isolation === 'namespaces';
  return JSON.stringify({
    isolation: isIsolated ? 'container' : 'none',
    limits: {
      cpu: cpu !== 'none',
      memory: memory !== 'rlimit',
      pids: isIsolated || pids !== 'rlimit',
      disk: isIsolated,
    },
    snapshots: true,
    gpu: false,
  });
}

function diskBytes(mebibytes: string | undefined): number | undefined {
  if (mebibytes === undefined) return undefined;
  const bytes = Number(mebibytes) * 1024 * 1024;
  if (Number.isSafeInteger(bytes) && bytes > 0) return bytes;
  throw new TypeError(
    `CAPSTAN_EMULATOR_DISK_MIB is ${JSON.stringify(mebibytes)}: write a number of MiB, or leave it out.`,
  );
}

function variable(name: string): string {
  const value = process.env[name];
  if (!value) throw new TypeError(`${name} is not set: the emulator cannot start without it.`);
  return value;
}

function imageLimits(text = ''): { totalBytes?: number } {
  if (text === '') return {};
  const totalBytes = Number(text);
  if (Number.isSafeInteger(totalBytes) && totalBytes >= 0) return { totalBytes };
  throw new TypeError(`CAPSTAN_EMULATOR_IMAGE_BYTES is ${JSON.stringify(text)}: write a number of bytes.`);
}

function failed(event: string, cause: unknown): void {
  log.error(event, {}, cause);
  process.exitCode = 1;
}

main().catch((cause: unknown) => failed('emulator.failed', cause));
