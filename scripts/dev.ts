// `npx -y pnpm@12.21.0 dev`: the whole platform on this machine, from nothing. It owns every process it starts: however it
// ends, they end; whichever of them dies comes back.
import { rmSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { applyMigrations, buildConsole, bundleWorkers, type Site, watchedPaths } from './dev/builds.ts';
import { endCommands } from './dev/command.ts';
import { Fault, reasonOf } from './dev/fault.ts';
import { type Flags, parseFlags, USAGE } from './dev/flags.ts';
import { Lock } from './dev/lock.ts';
import { freePort, reservedPort } from './dev/port.ts';
import { SUPERVISION } from './dev/program.ts';
import { checkSandboxes } from './dev/sandbox-check.ts';
import { createStack, type Stack } from './dev/stack.ts';
import { clearState, openState, type Secrets, secretsOf } from './dev/state.ts';
import { openTerminal, seconds, step } from './dev/terminal.ts';
import { watchSources } from './dev/watch.ts';
import { greet, welcomeText } from './dev/welcome.ts';

const ROOT = fileURLToPath(new URL('..', import.meta.url));
const startedAt = performance.now();
const tell = openTerminal();
/** What an end must undo, last first. */
const undo: (() => Promise<void> | void)[] = [];
let ending: Promise<never> | undefined;

for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => void end(signal));

try {
  const flags = parseFlags(process.argv.slice(2), ROOT);
  if (flags.help) tell(USAGE);
  else await start(flags);
} catch (error) {
  if (ending === undefined) {
    tell(
      error instanceof Fault ? `\n✗ ${error.line}` : `\n✗ ${error instanceof Error ? error.stack : error}`,
    );
    await end('failure');
  }
}

async function start(flags: Flags): Promise<void> {
  tell('Starting Capstan');
  // The Workers listen a while later.
  const port = flags.port === 0 ? await reservedPort() : await freePort(flags.port);
  await checkSandboxes(tell);
  const state = openState(flags.stateDir);
  const lock = new Lock(state.dir);
  lock.take();
  undo.push(() => lock.release());
  if (flags.reset) clearState(state);
  const secrets = secretsOf(state);
  const site: Site = { root: ROOT, state, vars: flags.vars, tell };
  let url: string | undefined;
  const changed = () => {
    try {
      lock.note(stack.marks());
      if (url !== undefined) writeReady(flags, secrets, { url, stack });
    } catch (error) {
      // A disk without room ends nothing that runs.
      tell(`✗ ${reasonOf(error)}`);
    }
  };
  const { restartAfterMs } = flags;
  const backoffMs = restartAfterMs === undefined ? SUPERVISION.backoffMs : () => restartAfterMs;
  const stack = createStack(site, secrets, { ...SUPERVISION, backoffMs, tell, changed });
  undo.push(
    () => forgetReady(flags),
    () => stack.stop(),
    endCommands,
  );
  const platform = await launch(site, stack, { port, secrets });
  url = platform.url;
  changed();
  if (flags.watch) undo.push(watchSources(watchedPaths(site), () => rebuild(site, stack)));
  tell(welcomeText(platform));
  tell(`Started in ${seconds(startedAt)}.`);
}

async function launch(site: Site, stack: Stack, { port, secrets }: { port: number; secrets: Secrets }) {
  const [addresses] = await Promise.all([
    step(tell, 'Starting sandboxes and the development model', stack.startBackends),
    buildConsole(site),
    bundleWorkers(site),
    applyMigrations(site),
  ]);
  return await step(tell, 'Starting the Workers', async () => {
    const { url } = await stack.startWorkers(addresses, port);
    return await greet(url, secrets.apiKey);
  });
}

async function rebuild(site: Site, stack: Stack): Promise<void> {
  try {
    const built = await Promise.all([buildConsole(site), bundleWorkers(site)]);
    if (built.includes(true)) stack.reloadWorkers();
  } catch (error) {
    tell(`✗ ${reasonOf(error)}\n  The platform goes on with what it had.`);
  }
}

function writeReady(flags: Flags, secrets: Secrets, { url, stack }: { url: string; stack: Stack }): void {
  if (flags.readyFile === undefined) return;
  const pids = { dev: process.pid, ...stack.pids() };
  const ready = { url, apiKey: secrets.apiKey, startedInMs: Math.round(performance.now() - startedAt), pids };
  writeFileSync(flags.readyFile, JSON.stringify(ready), { mode: 0o600 });
}

function forgetReady({ readyFile }: Flags): void {
  if (readyFile !== undefined) rmSync(readyFile, { force: true });
}

function end(why: NodeJS.Signals | 'failure'): Promise<never> {
  if (ending === undefined) {
    if (why !== 'failure') tell('\nStopping…');
    ending = undoAll().then((): never => process.exit(why === 'failure' ? 1 : 0));
  }
  return ending;
}

async function undoAll(): Promise<void> {
  for (const action of undo.reverse()) await action();
}
