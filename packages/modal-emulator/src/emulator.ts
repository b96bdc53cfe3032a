// A local Modal: the part of its gRPC API that sandboxes need, on one loopback port, each sandbox an isolated set of
// Linux processes. The official SDK works against it unchanged, given MODAL_SERVER_URL and the tokens.
import { chmodSync, mkdirSync, realpathSync } from 'node:fs';
import { join } from 'node:path';
import { type Logger, silentLogger } from '@capstan/shared/logger';
import { createSealer } from '@capstan/shared/seal';
import { type CallContext, createServer, type ServerMiddlewareCall, Status } from 'nice-grpc';
import { proxyVariables } from './build-proxy.ts';
import { Cgroups } from './cgroups.ts';
import { createCommandRouter } from './command-router.ts';
import { createControlPlane } from './control-plane.ts';
import { loadDefinitions } from './definitions.ts';
import { fail } from './failure.ts';
import { type BuildLimits, ImageBuilds } from './image-builds.ts';
import { type ImageLimits, ImageTrees } from './image-trees.ts';
import { chooseLayout, type LayoutChoice } from './layout.ts';
import { type LimitLevels, limitLevels } from './limits.ts';
import { parseForwards } from './network-policy.ts';
import { prepareProgramDirectories } from './program-directories.ts';
import { prepareBase } from './root-filesystem.ts';
import { Sandboxes } from './sandboxes.ts';
import { Secrets } from './secrets.ts';
import { Snapshots } from './snapshots.ts';
import { Store } from './store.ts';
import { createTokens, sameSecret } from './tokens.ts';
import { Volumes } from './volumes.ts';

/** Only programs of this machine may reach it: it runs what it is asked to. */
const HOST = '127.0.0.1';
/** The sandboxes' host users pass through the state, and can neither list nor write it. */
const STATE_MODE = 0o711;
const MESSAGE_BYTES = 100 * 1024 * 1024;
const OUTPUT_LIMIT_BYTES = 256 * 1024 * 1024;
const BUILD_LIMITS: BuildLimits = { timeMs: 30 * 60_000, logBytes: 64 * 1024 ** 2 };
const IMAGE_LIMITS: ImageLimits = { totalBytes: 32 * 1024 ** 3, reserveBytes: 512 * 1024 ** 2 };

/** Clients say that they are there every five minutes. */
const EPHEMERAL_VOLUME_MS = 15 * 60_000;

const UNISOLATED: LayoutChoice = { layout: 'copies', reason: 'sandboxes are not isolated' };

export interface EmulatorOptions {
  /** Made if missing. One emulator at a time. */
  stateDir: string;
  /** 0: one the system chooses. */
  port: number;
  tokenId: string;
  tokenSecret: string;
  log?: Logger;
  /** What is kept of one stream of one command. */
  outputLimitBytes?: number;
  /** `127.0.0.1:PORT` each: what sandboxes reach of this machine, at the same address of their own loopback. */
  forwards?: readonly string[];
  /** What one sandbox may have on the disk; default: a quarter of what is free as it starts, 16 GiB at most. */
  diskBytes?: number;
  imageLimits?: Partial<ImageLimits>;
  /** The proxy that builds of images fetch through, as Modal's builders have the Internet: a URL with who they are. */
  buildProxy?: string;
  buildLimits?: Partial<BuildLimits>;
  /** How long an ephemeral volume lives without a word of its client; default: a quarter of an hour. */
  ephemeralVolumeMs?: number;
  /** Default: layers where the machine allows them. */
  layout?: LayoutChoice;
  /** Default: namespaces. None is for one trusted tenant, where there cannot be any. */
  isolation?: 'namespaces' | 'none';
}

export interface Emulator {
  port: number;
  /** For MODAL_SERVER_URL. */
  url: string;
  /** By what sandboxes are held to their limits here. */
  limits: LimitLevels;
  /** Terminates every sandbox, then closes the port and the state. */
  stop(): Promise<void>;
}

/** Throws StateInUseError when another emulator has `stateDir`, and TypeError for an SDK or a forward it does not know. */
export async function startEmulator(options: EmulatorOptions): Promise<Emulator> {
  const { tokenId, tokenSecret, log = silentLogger } = options;
  requireTokens(options);
  const forwards = parseForwards(options.forwards ?? []);
  const definitions = loadDefinitions();
  const state = await openState(options, log);
  const { store, volumes, trees, layout } = state;
  const { images } = store;
  const outputLimitBytes = options.outputLimitBytes ?? OUTPUT_LIMIT_BYTES;
  const cgroups = new Cgroups(realpathSync(options.stateDir));
  const bounds = { outputLimitBytes, forwards, cgroups, diskBytes: options.diskBytes };
  const sandboxes = new Sandboxes({ ...state, ...bounds, log });
  const snapshots = new Snapshots({ sandboxes, images, trees, layout });
  const limits = { ...BUILD_LIMITS, ...options.buildLimits };
  const env = proxyVariables(options.buildProxy);
  const builds = new ImageBuilds({ sandboxes, images, trees, layout, limits, env });
  const secrets = new Secrets(store.secrets, createSealer([tokenSecret], 'emulator-secrets'));
  const tokens = createTokens(tokenSecret);
  let port = 0;
  const routerUrl = () => `https://${HOST}:${port}`;
  const server = createServer({
    'grpc.max_receive_message_length': MESSAGE_BYTES,
    'grpc.max_send_message_length': MESSAGE_BYTES,
  });
  server
    .with((call, context) => authenticate({ call, context, tokenId, tokenSecret }))
    .add(
      definitions.controlPlane,
      createControlPlane({ store, sandboxes, trees, builds, volumes, secrets, tokens, routerUrl }),
    );
  server.add(definitions.commandRouter, createCommandRouter({ sandboxes, snapshots, secrets, tokens }));
  const close = async () => {
    await sandboxes.stop();
    server.forceShutdown();
    await volumes.close();
    store.close();
  };
  try {
    port = await server.listen(`${HOST}:${options.port}`);
  } catch (cause) {
    await close();
    throw cause;
  }
  sandboxes.prepare();
  return { port, url: `http://${HOST}:${port}`, limits: limitLevels(cgroups), stop: close };
}

/** What is kept below `stateDir`, and how sandboxes are laid out in it. */
async function openState(options: EmulatorOptions, log: Logger) {
  const { stateDir, imageLimits, ephemeralVolumeMs: ephemeralMs = EPHEMERAL_VOLUME_MS } = options;
  const privateDir = join(stateDir, 'state');
  mkdirSync(privateDir, { recursive: true, mode: 0o700 });
  const store = new Store(join(privateDir, 'emulator.sqlite'));
  const base = prepareBase(join(stateDir, 'base'));
  chmodSync(stateDir, STATE_MODE);
  const isIsolated = options.isolation !== 'none';
  const { layout, reason } = options.layout ?? (isIsolated ? await chooseLayout(stateDir, base) : UNISOLATED);
  log.info('emulator.layout', { layout, reason });
  const programs =
    layout === 'layers' ? prepareProgramDirectories(join(stateDir, 'programs')) : Promise.resolve();
  programs.catch((cause: unknown) => log.error('emulator.programs_failed', {}, cause));
  const limits = { ...IMAGE_LIMITS, ...imageLimits };
  const trees = new ImageTrees({ stateDir, base, layout, images: store.images, limits, log });
  const volumes = new Volumes({ stateDir, store: store.volumes, log, ephemeralMs });
  return { stateDir, store, base, layout, trees, volumes, programs, isIsolated };
}

function requireTokens({ tokenId, tokenSecret }: EmulatorOptions): void {
  if (tokenId !== '' && tokenSecret !== '') return;
  throw new TypeError(
    'tokenId and tokenSecret may not be empty: they are what keeps other users of this machine out.',
  );
}

interface Authentication<Request, Response> {
  call: ServerMiddlewareCall<Request, Response>;
  context: CallContext;
  tokenId: string;
  tokenSecret: string;
}

async function* authenticate<Request, Response>(request: Authentication<Request, Response>) {
  const { call, context, tokenId, tokenSecret } = request;
  const id = sameSecret(context.metadata.get('x-modal-token-id') ?? '', tokenId);
  const secret = sameSecret(context.metadata.get('x-modal-token-secret') ?? '', tokenSecret);
  if (!id || !secret)
    fail(
      Status.UNAUTHENTICATED,
      'MODAL_TOKEN_ID or MODAL_TOKEN_SECRET is not the one this emulator was started with.',
    );
  return yield* call.next(call.request, context);
}
