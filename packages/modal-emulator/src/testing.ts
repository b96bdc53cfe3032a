// An emulator with the official SDK connected to it, for tests: in this process, or as the program it ships as.
import { type ChildProcess, spawn } from 'node:child_process';
import { chownSync, mkdirSync, mkdtempSync, readFileSync, readlinkSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { type App, type Image, ModalClient, type Sandbox, type SandboxCreateParams } from 'modal';
import { type Emulator, type EmulatorOptions, startEmulator } from './emulator.ts';

export const TOKENS = { tokenId: 'ak-test', tokenSecret: 'as-test' };
/** For `vi.waitFor`, whose own second is no time on a busy machine. */
export const PATIENTLY = { timeout: 20_000 };
const MAIN = fileURLToPath(new URL('./main.ts', import.meta.url));

/** As in this package's `start`: without them V8 spends memory to save collections that cost next to nothing here. */
const SMALL_HEAP = ['--max-semi-space-size=2', '--max-old-space-size=96'];

export interface Connection {
  client: ModalClient;
  app: App;
  image: Image;
  create(params?: SandboxCreateParams): Promise<Sandbox>;
  close(): void;
}

export interface TestEmulator extends Connection {
  emulator: Emulator;
  stateDir: string;
  /** Stops everything and removes the state. */
  stop(): Promise<void>;
}

export interface Result {
  code: number;
  stdout: string;
  stderr: string;
}

/** A state directory below one that no sandbox user may enter, like a home. `owner`: a host user to give it to. */
export function temporaryState(owner?: number): { stateDir: string; remove: () => void } {
  const parent = mkdtempSync(join(tmpdir(), 'emulator-'));
  const stateDir = join(parent, 'state');
  mkdirSync(stateDir);
  if (owner !== undefined) for (const path of [parent, stateDir]) chownSync(path, owner, owner);
  return { stateDir, remove: () => rmSync(parent, { recursive: true, force: true }) };
}

export async function startTestEmulator(options: Partial<EmulatorOptions> = {}): Promise<TestEmulator> {
  const { stateDir, remove } = temporaryState();
  const emulator = await startEmulator({ stateDir, port: 0, ...TOKENS, ...options });
  const connection = await connect(emulator.url);
  const stop = async () => {
    connection.close();
    await emulator.stop();
    remove();
  };
  return { ...connection, emulator, stateDir, stop };
}

/** The SDK reads the server's address from the environment when a client is made. */
export async function connect(url: string, tokens = TOKENS): Promise<Connection> {
  process.env.MODAL_SERVER_URL = url;
  process.env.MODAL_CONFIG_PATH = '/nonexistent';
  const client = new ModalClient({ ...tokens, logLevel: 'error' });
  const app = await client.apps.fromName('test', { createIfMissing: true });
  const image = client.images.fromRegistry('debian:12');
  const create = (params: SandboxCreateParams = {}) => client.sandboxes.create(app, image, params);
  return { client, app, image, create, close: () => client.close() };
}

export async function bash(sandbox: Sandbox, script: string): Promise<Result> {
  const run = await sandbox.exec(['bash', '-c', script]);
  const [stdout, stderr, code] = await Promise.all([
    run.stdout.readText(),
    run.stderr.readText(),
    run.wait(),
  ]);
  return { code, stdout, stderr };
}

/** The processes that wait for the next sandboxes of emulators in this process; each takes descriptors of it. */
export function waitingStarts(): number[] {
  const children = readFileSync(`/proc/self/task/${process.pid}/children`, 'utf8').split(' ');
  return children.filter(isWaiting).map(Number);
}

function isWaiting(pid: string): boolean {
  try {
    const isStart = readFileSync(`/proc/${pid}/cmdline`, 'utf8').includes('own_namespaces');
    return isStart && readlinkSync(`/proc/${pid}/ns/user`) === readlinkSync('/proc/self/ns/user');
  } catch {
    return false;
  }
}

export interface Program {
  child: ChildProcess;
  url: string;
  isolation: string;
  exited: Promise<void>;
}

/** Starts the emulator's program, behind `before` if given; throws with what it wrote when it ends without listening. */
export async function startProgram(
  stateDir: string,
  owner?: number,
  before: string[] = [],
): Promise<Program> {
  const [program = process.execPath, ...args] = [...before, process.execPath, ...SMALL_HEAP, MAIN];
  const child = spawn(program, args, {
    // The last three are descriptors a careless parent passes on.
    stdio: ['ignore', 'pipe', 'inherit', 'pipe', 'pipe', 'pipe'],
    uid: owner,
    gid: owner,
    env: {
      PATH: process.env.PATH,
      CAPSTAN_EMULATOR_STATE: stateDir,
      MODAL_TOKEN_ID: TOKENS.tokenId,
      MODAL_TOKEN_SECRET: TOKENS.tokenSecret,
    },
  });
  const exited = new Promise<void>((resolve) => child.once('exit', () => resolve()));
  const { url, isolation } = await listening(child);
  return { child, url, isolation, exited };
}

function listening(child: ChildProcess): Promise<{ url: string; isolation: string }> {
  return new Promise((resolve, reject) => {
    let text = '';
    child.stdout?.on('data', (chunk: Buffer) => {
      text += chunk.toString('utf8');
      const line = text.split('\n').find((candidate) => candidate.includes('"emulator.listening"'));
      if (line !== undefined) resolve(JSON.parse(line));
    });
    child.once('exit', () => reject(new Error(`The emulator ended before it listened: ${text}`)));
  });
}
