// A new user's first hour, on a clean clone with an empty package store: start, the README's requests, the smoke test,
// Ctrl-C, a second start, a hard kill, a reset. Node 20 runs it, as it would be the user's.
import { execFileSync, spawn, spawnSync } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import {
  closeSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readdirSync,
  readFileSync,
  rmSync,
} from 'node:fs';
import { createServer } from 'node:net';
import { homedir, tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const ROOT = fileURLToPath(new URL('..', import.meta.url));
const PNPM = ['npx', '-y', 'pnpm@12.21.0'];
// They bound what hangs, on a machine that may be busy; how long each took is told.
const FIRST_START_WITHIN_MS = 900_000;
const SECOND_START_WITHIN_MS = 120_000;
const STOP_WITHIN_MS = 60_000;
const work = mkdtempSync(join(tmpdir(), 'capstan-first-hour-'));
const clone = join(work, 'capstan');
const log = join(work, 'dev.log');
/** In the environment of everything started here, so that what is left over can be told from all else. */
const mark = randomUUID();
const env = { ...process.env, HOME: join(work, 'home'), CAPSTAN_FIRST_HOUR: mark };
for (const name of ['XDG_DATA_HOME', 'XDG_CACHE_HOME', 'XDG_CONFIG_HOME', 'NODE_COMPILE_CACHE', 'CI'])
  delete env[name];
for (const name of Object.keys(env))
  if (/^(npm_config_(cache|store|prefix)|npm_(package|lifecycle)|pnpm_)/i.test(name)) delete env[name];
// The registry may need the user's own settings; nothing else of the home directory is used.
env.npm_config_userconfig ??= join(homedir(), '.npmrc');

let started;
try {
  await firstHour();
  console.log('The first hour works.');
} catch (error) {
  console.error(`✗ ${error.message}`);
  if (existsSync(log)) console.error(`── what dev printed\n${readFileSync(log, 'utf8')}`);
  process.exitCode = 1;
} finally {
  started?.kill('SIGKILL');
  for (const pid of leftOver()) end(pid);
  rmSync(work, { recursive: true, force: true, maxRetries: 5 });
}

async function firstHour() {
  mkdirSync(env.HOME);
  execFileSync('git', ['clone', '--quiet', '--no-hardlinks', ROOT, clone], { stdio: 'inherit' });
  const readme = codeBlocks(readFileSync(join(clone, 'README.md'), 'utf8'));

  const first = await start('first start, from nothing', { withinMs: FIRST_START_WITHIN_MS });
  for (const { info, text } of readme.filter(({ info }) => info !== 'text'))
    await tryBlock(info, text, first);
  run('smoke test', [join(clone, 'node_modules/.bin/node'), 'scripts/smoke.ts', first.url, first.apiKey]);
  const agents = await agentIds(first);
  await expectPortRefusal(first);
  await stop('Ctrl-C', () => process.kill(-started.pid, 'SIGINT'));

  const second = await start('second start', { withinMs: SECOND_START_WITHIN_MS });
  expect(second.apiKey === first.apiKey, 'the API key survives a restart');
  expect((await agentIds(second)).join() === agents.join(), `all ${agents.length} agents survive a restart`);
  await stop('kill -9 of dev', () => process.kill(second.pids.dev, 'SIGKILL'));

  const third = await start('start after the kill', { withinMs: SECOND_START_WITHIN_MS });
  expect((await agentIds(third)).join() === agents.join(), 'state survives a kill');
  await stop('SIGTERM', () => process.kill(third.pids.dev, 'SIGTERM'));

  const cleared = await start('start with --reset', { withinMs: FIRST_START_WITHIN_MS, flags: ['--reset'] });
  expect(cleared.apiKey !== first.apiKey, '--reset makes a new API key');
  expect((await agentIds(cleared)).length === 0, '--reset forgets the agents');
  await stop('Ctrl-C', () => process.kill(-started.pid, 'SIGINT'));
}

async function start(name, { withinMs, flags = [] }) {
  const readyFile = join(work, 'ready.json');
  rmSync(readyFile, { force: true });
  const output = openSync(log, 'w');
  const startedAt = Date.now();
  const argv = [...PNPM, 'dev', '--port', '0', '--ready-file', readyFile, ...flags];
  started = spawn(argv[0], argv.slice(1), {
    cwd: clone,
    env,
    detached: true,
    stdio: ['ignore', output, output],
  });
  closeSync(output);
  let ended = false;
  let ready;
  started.once('exit', () => {
    ended = true;
  });
  await until(`${name}: ready within ${withinMs / 1000} s`, withinMs, () => {
    if (ended) throw new Error(`${name}: dev ended`);
    ready = readyIn(readyFile);
    return ready !== undefined;
  });
  console.log(
    `✓ ${name}: ready in ${((Date.now() - startedAt) / 1000).toFixed(1)} s (dev itself ${(ready.startedInMs / 1000).toFixed(1)} s), ${memory()} MiB in all`,
  );
  return ready;
}

async function stop(name, end) {
  end();
  await until(`${name}: no process is left`, STOP_WITHIN_MS, () => leftOver().length === 0);
  console.log(`✓ ${name} leaves no process`);
}

/** Runs a command of the README as the reader would; `dev`, `test` and `verify` are jobs of their own. */
async function tryBlock(info, text, { url, apiKey }) {
  const values = {
    ...env,
    CAPSTAN_URL: url,
    CAPSTAN_KEY: apiKey,
    PATH: `${join(clone, 'node_modules/.bin')}:${env.PATH}`,
  };
  const lines = text
    .split('\n')
    .filter((line) => !/^(export CAPSTAN_|npx -y pnpm@\S+ (dev|test|verify|bench)|git clone|cd )/.test(line));
  if (lines.join('').trim() === '') return;
  const argv =
    info === 'ts' ? ['node', '--input-type=module-typescript', '-e', text] : ['bash', '-c', lines.join('\n')];
  // curl ends a stream it was told to leave after some seconds with a failure; what counts is what was answered.
  const { stdout, stderr } = spawnSync(argv[0], argv.slice(1), {
    cwd: clone,
    env: values,
    encoding: 'utf8',
    timeout: 60_000,
  });
  const wanted =
    info === 'ts'
      ? /agent\.message[\s\S]*session\.status_idle/
      : /event: agent\.message[\s\S]*session\.status_idle/;
  expect(wanted.test(stdout), `the README's ${info} block is answered`, `${stdout}${stderr}`);
}

async function expectPortRefusal({ url }) {
  const taken = createServer();
  const port = await new Promise((resolve) =>
    taken.listen(0, '127.0.0.1', () => resolve(taken.address().port)),
  );
  const argv = [join(clone, 'node_modules/.bin/node'), 'scripts/dev.mjs', '--port', String(port)];
  const said = await new Promise((resolve) => {
    const child = spawn(argv[0], argv.slice(1), { cwd: clone, env });
    let text = '';
    child.stdout.on('data', (part) => {
      text += part;
    });
    child.once('close', (code) => resolve(`${text} exit ${code}`));
  });
  taken.close();
  expect(/Port \d+ is taken.*--port \d+\s+exit 1/.test(said), 'a taken port is one clear line', said);
  expect((await fetch(`${url}/health`)).ok, 'the running platform is undisturbed');
}

async function agentIds({ url, apiKey }) {
  const response = await fetch(`${url}/v1/agents?limit=100`, { headers: { 'x-api-key': apiKey } });
  return (await response.json()).data.map(({ id }) => id);
}

function run(name, argv) {
  execFileSync(argv[0], argv.slice(1), { cwd: clone, env, stdio: 'inherit' });
  console.log(`✓ ${name}`);
}

function expect(fact, name, detail = '') {
  if (!fact) throw new Error(`${name}: not so. ${detail}`);
  console.log(`✓ ${name}`);
}

async function until(name, withinMs, holds) {
  const deadline = Date.now() + withinMs;
  while (!holds()) {
    if (Date.now() > deadline)
      throw new Error(`${name}: not so. Left: ${leftOver().map(commandOf).join('; ')}`);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

/** Processes that carry the mark or work in the clone. */
function leftOver() {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name) && Number(name) !== process.pid)
    .filter(
      (pid) => reads(`/proc/${pid}/environ`).includes(mark) || reads(`/proc/${pid}/cmdline`).includes(work),
    )
    .map(Number);
}

/** Undefined while it is not there, or half written. */
function readyIn(path) {
  try {
    return JSON.parse(readFileSync(path, 'utf8'));
  } catch {
    return undefined;
  }
}

function end(pid) {
  try {
    process.kill(pid, 'SIGKILL');
  } catch {
    // It has ended by itself meanwhile.
  }
}

function commandOf(pid) {
  return `${pid} ${reads(`/proc/${pid}/cmdline`).replaceAll('\0', ' ').slice(0, 120)}`;
}

/** Resident memory of everything that was started, npx and pnpm included. */
function memory() {
  const kib = leftOver().map((pid) => Number(/VmRSS:\s+(\d+)/.exec(reads(`/proc/${pid}/status`))?.[1] ?? 0));
  return Math.round(kib.reduce((sum, part) => sum + part, 0) / 1024);
}

function reads(path) {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return '';
  }
}

function codeBlocks(markdown) {
  return [...markdown.matchAll(/^```(\w*)\n([\s\S]*?)^```/gm)].map(([, info, text]) => ({ info, text }));
}
