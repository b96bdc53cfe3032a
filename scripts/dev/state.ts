// State directory: everything this platform keeps on this machine. Its secrets are made at the first start, read by the
// owner alone, and survive until `--reset`.
import { createHash, randomBytes } from 'node:crypto';
import { chmodSync, existsSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Fault } from './fault.ts';

const NAMES = ['apiKey', 'rootSecret', 'gatewaySecret', 'modalTokenId', 'modalTokenSecret'] as const;
export type Secrets = Record<(typeof NAMES)[number], string>;

export type State = {
  dir: string;
  logs: string;
  /** D1, R2, queues and Durable Objects, in the layout wrangler uses. */
  workers: string;
  emulator: string;
  /** What sandboxes may connect to, sealed. */
  egress: string;
  /** What was built last, by name: the hash of its inputs. */
  built: string;
};

/** Makes the directory if it is missing. */
export function openState(dir: string): State {
  const state = {
    dir,
    logs: join(dir, 'logs'),
    workers: join(dir, 'workers'),
    emulator: join(dir, 'emulator'),
    egress: join(dir, 'egress'),
    built: join(dir, 'built'),
  };
  for (const path of Object.values(state)) mkdirSync(path, { recursive: true, mode: 0o700 });
  chmodSync(dir, 0o700);
  return state;
}

/** Removes everything but the lock its caller holds. */
export function clearState(state: State): void {
  for (const path of [
    state.logs,
    state.workers,
    state.emulator,
    state.egress,
    state.built,
    secretsPath(state),
  ])
    rmSync(path, { recursive: true, force: true });
  openState(state.dir);
}

/** The secrets of this state directory, made when it has none. */
export function secretsOf(state: State): Secrets {
  const path = secretsPath(state);
  if (existsSync(path)) return readSecrets(path);
  const secrets = freshSecrets();
  // Written whole under another name first: a start that dies here leaves no half-written key.
  writeFileSync(`${path}.new`, `${JSON.stringify(secrets, null, 2)}\n`, { mode: 0o600 });
  renameSync(`${path}.new`, path);
  return secrets;
}

export function sha256Hex(text: string): string {
  return createHash('sha256').update(text).digest('hex');
}

function secretsPath(state: State): string {
  return join(state.dir, 'secrets.json');
}

function freshSecrets(): Secrets {
  const random = (bytes: number) => randomBytes(bytes).toString('base64url');
  return {
    apiKey: `ck_dev_${randomBytes(20).toString('hex')}`,
    rootSecret: randomBytes(32).toString('base64'),
    gatewaySecret: random(32),
    modalTokenId: `ak-${random(12)}`,
    modalTokenSecret: `as-${random(24)}`,
  };
}

function readSecrets(path: string): Secrets {
  const fault = new Fault(
    `${path} cannot be read as the secrets of this platform.`,
    'Clear the state: npx -y pnpm@12.21.0 dev --reset',
  );
  try {
    const value: unknown = JSON.parse(readFileSync(path, 'utf8'));
    if (!isSecrets(value)) throw fault;
    return value;
  } catch {
    throw fault;
  }
}

function isSecrets(value: unknown): value is Secrets {
  if (typeof value !== 'object' || value === null) return false;
  const entries = new Map(Object.entries(value));
  return NAMES.every((name) => typeof entries.get(name) === 'string');
}
