// Stack: the programs of a running platform and what each is told. Sandboxes: workers → gateway → emulator.
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseEnv } from 'node:util';
import { createIdentities, IMAGE_BUILDS } from '../../packages/sandbox/src/egress/identity.ts';
import { bundlesOf, type Site } from './builds.ts';
import { Fault } from './fault.ts';
import { reservedPort } from './port.ts';
import type { ProcessMark } from './process-table.ts';
import { type Announcement, Program, type ProgramPlan, type Supervision } from './program.ts';
import { type Secrets, sha256Hex } from './state.ts';

export type Stack = {
  /** Starts all but the Workers, which need the addresses this resolves with. */
  startBackends: () => Promise<Addresses>;
  startWorkers: (addresses: Addresses, port: number) => Promise<Announcement>;
  /** The Workers take the bundles that are there now. */
  reloadWorkers: () => void;
  /** Those that run, by name. */
  pids: () => Record<string, number>;
  marks: () => ProcessMark[];
  /** Ends every program; resolves when no process of any is left. */
  stop: () => Promise<void>;
};

export type Addresses = { gateway: string; devModel: string };

/** A few seconds do, unless the machine is busy with something else. */
const READY_WITHIN_MS = 120_000;
/** A developer's real Modal account is never used by accident. */
const NO_MODAL_ACCOUNT = { MODAL_CONFIG_PATH: '/nonexistent' };
/**
 * workerd keeps every Worker in a heap of its own and lets each grow for long before it looks for garbage. Looking sooner
 * saves a quarter of its memory after a thousand turns, for some of the turns per second: bench/RESULTS.md.
 */
const SMALL_ISOLATES =
  '--initial-old-space-size=4 --heap-growing-percent=20 --min-semi-space-size=1 --max-semi-space-size=1';
/** These programs idle most of the time: a small young generation costs them nothing and saves tens of megabytes. */
const SMALL_HEAP = ['--max-semi-space-size=2', '--initial-old-space-size=8', '--heap-growing-percent=50'];

export function createStack(site: Site, secrets: Secrets, supervision: Supervision): Stack {
  const programs: Program[] = [];
  let stopped = false;
  const start = async (plan: Omit<ProgramPlan, 'readyWithinMs' | 'logFile' | 'nodeFlags'>) => {
    if (stopped) throw new Fault('The platform is stopping.', 'Start it again.');
    const logFile = join(site.state.logs, `${plan.name}.log`);
    const program = new Program(
      {
        ...plan,
        // One arena of malloc's for all threads: they are few, and an arena each is mostly empty.
        env: (announced) => ({ MALLOC_ARENA_MAX: '1', ...plan.env(announced) }),
        logFile,
        nodeFlags: SMALL_HEAP,
        readyWithinMs: READY_WITHIN_MS,
      },
      supervision,
    );
    programs.push(program);
    return await program.start();
  };
  return {
    startBackends: async () => {
      // The emulator lets sandboxes reach the egress proxy before the gateway has started it.
      const egressPort = await reservedPort();
      const [gateway, devModel] = await Promise.all([
        start(emulatorPlan(site, secrets, egressPort)).then((modal) =>
          start(gatewayPlan(site, secrets, { modal, egressPort })),
        ),
        start(devModelPlan(site)),
      ]);
      return { gateway: gateway.url, devModel: devModel.url };
    },
    startWorkers: (addresses, port) => start(workersPlan(site, port, bindings(site, secrets, addresses))),
    reloadWorkers: () => programs.find(({ name }) => name === 'workers')?.signal('SIGHUP'),
    pids: () => Object.fromEntries(programs.flatMap(({ name, mark }) => (mark ? [[name, mark.pid]] : []))),
    marks: () => programs.flatMap(({ mark }) => mark ?? []),
    stop: async () => {
      stopped = true;
      await Promise.all(programs.map((program) => program.stop()));
    },
  };
}

function emulatorPlan({ root, state }: Site, secrets: Secrets, egressPort: number) {
  return {
    name: 'emulator',
    file: join(root, 'packages/modal-emulator/src/main.ts'),
    readyEvent: 'emulator.listening',
    env: (announced?: Announcement) => ({
      ...NO_MODAL_ACCOUNT,
      ...modalToken(secrets),
      CAPSTAN_EMULATOR_STATE: state.emulator,
      CAPSTAN_EMULATOR_PORT: portOf(announced),
      CAPSTAN_EMULATOR_FORWARDS: `127.0.0.1:${egressPort}`,
      CAPSTAN_EMULATOR_BUILD_PROXY: `http://${IMAGE_BUILDS}:${buildToken(secrets)}@127.0.0.1:${egressPort}`,
    }),
  };
}

function gatewayPlan(
  { root, state }: Site,
  secrets: Secrets,
  { modal, egressPort }: { modal: Announcement; egressPort: number },
) {
  return {
    name: 'gateway',
    file: join(root, 'apps/gateway/src/main.ts'),
    readyEvent: 'gateway.listening',
    env: (announced?: Announcement) => ({
      ...NO_MODAL_ACCOUNT,
      ...modalToken(secrets),
      MODAL_SERVER_URL: modal.url,
      CAPSTAN_SANDBOX_CAPABILITIES: String(modal.capabilities ?? ''),
      CAPSTAN_GATEWAY_HOST: '127.0.0.1',
      CAPSTAN_GATEWAY_PORT: portOf(announced),
      CAPSTAN_GATEWAY_SECRET: secrets.gatewaySecret,
      CAPSTAN_EGRESS_HOST: '127.0.0.1',
      CAPSTAN_EGRESS_PORT: String(egressPort),
      CAPSTAN_EGRESS_STATE: state.egress,
      CAPSTAN_EGRESS_BUILDS: '1',
      // Within the time a program is given to end.
      CAPSTAN_GATEWAY_DRAIN_MS: '1000',
    }),
  };
}

function devModelPlan({ root }: Site) {
  return {
    name: 'dev-model',
    file: join(root, 'packages/dev-model/src/main.ts'),
    readyEvent: 'dev-model.listening',
    env: (announced?: Announcement) => ({ ...NO_MODAL_ACCOUNT, CAPSTAN_DEV_MODEL_PORT: portOf(announced) }),
  };
}

function workersPlan(site: Site, port: number, values: Record<string, string>) {
  return {
    name: 'workers',
    file: join(site.root, 'scripts/dev/workers.ts'),
    readyEvent: 'workers.listening',
    env: () => ({
      ...NO_MODAL_ACCOUNT,
      MINIFLARE_WORKERD_V8_FLAGS: SMALL_ISOLATES,
      CAPSTAN_DEV_BUNDLES: bundlesOf(site),
      CAPSTAN_DEV_WORKERS_STATE: join(site.state.workers, 'v3'),
      CAPSTAN_DEV_PORT: String(port),
      CAPSTAN_DEV_BINDINGS: JSON.stringify(values),
    }),
  };
}

/** Limits are for servers that several people use: here they would only slow down whoever tries things out. */
const OWN_MACHINE = { RATE_LIMIT_CREATES: '30000', RATE_LIMIT_READS: '120000' };

/** What every Worker reads from its `env`; the developer's variables may add to it but not change what is ours. */
function bindings(site: Site, secrets: Secrets, addresses: Addresses): Record<string, string> {
  return {
    ...OWN_MACHINE,
    ...devVars(site.vars),
    ENVIRONMENT: 'development',
    CAPSTAN_ENV: 'development',
    PLATFORM_ROOT_SECRET: secrets.rootSecret,
    BOOTSTRAP_API_KEY_SHA256: sha256Hex(secrets.apiKey),
    GATEWAY_URL: addresses.gateway,
    GATEWAY_SECRET: secrets.gatewaySecret,
    DEV_MODEL_URL: addresses.devModel,
    // Browsers and most programs look for names below localhost on this machine.
    PREVIEW_HOST: 'preview.localhost',
  };
}

function devVars(path: string): Record<string, string> {
  if (!existsSync(path)) return {};
  const values = Object.entries(parseEnv(readFileSync(path, 'utf8')));
  return Object.fromEntries(values.flatMap(([name, value]) => (value === undefined ? [] : [[name, value]])));
}

function modalToken(secrets: Secrets): Record<string, string> {
  return { MODAL_TOKEN_ID: secrets.modalTokenId, MODAL_TOKEN_SECRET: secrets.modalTokenSecret };
}

function buildToken({ gatewaySecret }: Secrets): string {
  return createIdentities([gatewaySecret]).tokenFor(IMAGE_BUILDS);
}

/** The port to come back on; at a first start the system chooses. */
function portOf(announced: Announcement | undefined): string {
  return announced === undefined ? '0' : new URL(announced.url).port;
}
