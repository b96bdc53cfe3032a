// What the gateway is told by its environment, checked at once: it starts with all it needs or not at all.
import { results } from '@capstan/sandbox/arguments';
import type { SandboxCapabilities } from '@capstan/sandbox/port';
import { MIN_SECRET_LENGTH } from '@capstan/shared/hmac';

export interface GatewaySettings {
  host: string;
  /** 0: one the system chooses. */
  port: number;
  /** The current secret, then the previous one while it is being rotated. */
  secrets: string[];
  appName: string;
  image: string;
  /** What a stop leaves the calls under way. */
  drainMs: number;
  /** Absent: what Modal itself promises. */
  capabilities?: SandboxCapabilities;
  /** Null: no egress proxy; the backend's own network rules are all there is, and there are no credentials. */
  egress: EgressSettings | null;
}

export interface EgressSettings {
  host: string;
  /** 0: one the system chooses. */
  port: number;
  /** How sandboxes reach the proxy; null: as it listens. */
  publicUrl: string | null;
  /** Where the rules of sandboxes outlive the program, sealed; null: they are kept in memory. */
  stateDir: string | null;
  /** Builds of images pass the proxy, too: those of a Modal at MODAL_SERVER_URL have no other way out. */
  builds: boolean;
}

/** A Modal that is not Modal's own, and does not say what it promises, promises nothing. */
const UNKNOWN: SandboxCapabilities = {
  isolation: 'none',
  limits: { cpu: false, memory: false, pids: false, disk: false },
  snapshots: true,
  gpu: false,
};

/** One line that says what is wrong and what mends it. */
export class SettingsError extends Error {
  override name = 'SettingsError';
}

export type Environment = Readonly<Record<string, string | undefined>>;

/** Throws SettingsError. */
export function readSettings(env: Environment): GatewaySettings {
  for (const name of ['MODAL_TOKEN_ID', 'MODAL_TOKEN_SECRET']) {
    if (!env[name])
      throw new SettingsError(
        `${name} is missing: set it to a token of your Modal workspace (modal token new)`,
      );
  }
  const current = readSecret(env, 'CAPSTAN_GATEWAY_SECRET');
  if (!current) {
    throw new SettingsError(
      'CAPSTAN_GATEWAY_SECRET is missing: set it here and in the Workers, e.g. to `openssl rand -hex 32`',
    );
  }
  const previous = readSecret(env, 'CAPSTAN_GATEWAY_SECRET_PREVIOUS');
  return {
    host: env.CAPSTAN_GATEWAY_HOST || '127.0.0.1',
    port: readPort('CAPSTAN_GATEWAY_PORT', env.CAPSTAN_GATEWAY_PORT || '8790'),
    secrets: previous ? [current, previous] : [current],
    appName: env.CAPSTAN_MODAL_APP || 'capstan',
    image: env.CAPSTAN_SANDBOX_IMAGE || 'python:3.12-trixie',
    drainMs: readWhole(env, 'CAPSTAN_GATEWAY_DRAIN_MS', 10_000),
    capabilities: readCapabilities(env),
    egress: readEgress(env),
  };
}

function readEgress(env: Environment): EgressSettings | null {
  if (!env.CAPSTAN_EGRESS_PORT) return null;
  const host = env.CAPSTAN_EGRESS_HOST || '127.0.0.1';
  const publicUrl = env.CAPSTAN_EGRESS_PUBLIC_URL || null;
  if (publicUrl === null && (host === '0.0.0.0' || host === '::')) {
    throw new SettingsError(
      'CAPSTAN_EGRESS_PUBLIC_URL is missing: with CAPSTAN_EGRESS_HOST open to all, set it to how sandboxes reach the proxy, e.g. http://198.51.100.7:8792',
    );
  }
  if (publicUrl !== null && !isProxyUrl(publicUrl)) {
    throw new SettingsError(
      'CAPSTAN_EGRESS_PUBLIC_URL cannot be read: it must be http://host:port or https://host:port, and nothing more',
    );
  }
  const port = readPort('CAPSTAN_EGRESS_PORT', env.CAPSTAN_EGRESS_PORT);
  const builds = env.CAPSTAN_EGRESS_BUILDS === '1';
  return { host, port, publicUrl, stateDir: env.CAPSTAN_EGRESS_STATE || null, builds };
}

function isProxyUrl(text: string): boolean {
  if (!URL.canParse(text)) return false;
  const { protocol, origin, href } = new URL(text);
  return /^https?:$/.test(protocol) && href === `${origin}/`;
}

function readCapabilities(env: Environment): SandboxCapabilities | undefined {
  const text = env.CAPSTAN_SANDBOX_CAPABILITIES;
  if (!text) return env.MODAL_SERVER_URL ? UNKNOWN : undefined;
  const parsed = results.capabilities.safeParse(parseJson(text));
  if (parsed.success) return parsed.data;
  throw new SettingsError(
    'CAPSTAN_SANDBOX_CAPABILITIES cannot be read: it must be what the emulator announces as `capabilities`, as JSON',
  );
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

function readSecret(env: Environment, name: string): string | null {
  const secret = env[name];
  if (!secret) return null;
  if (secret.length < MIN_SECRET_LENGTH) {
    throw new SettingsError(
      `${name} has ${secret.length} characters: it needs at least ${MIN_SECRET_LENGTH}, e.g. \`openssl rand -hex 32\``,
    );
  }
  return secret;
}

function readWhole(env: Environment, name: string, usual: number): number {
  const text = env[name] || String(usual);
  if (/^\d{1,6}$/.test(text)) return Number(text);
  throw new SettingsError(`${name} is "${text}": it must be milliseconds, 0 to 999999`);
}

function readPort(name: string, text: string): number {
  const port = Number(text);
  if (/^\d{1,5}$/.test(text) && port <= 65_535) return port;
  throw new SettingsError(`${name} is "${text}": it must be a port, 0 to 65535`);
}
