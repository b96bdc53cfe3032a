// Measures a platform on this machine, from an empty store: `npx -y pnpm@12.21.0 bench [--url URL --key KEY]`.
// Without --url it starts one, and measures its start, its warm restart and its memory too. The model is the development
// model, so what is measured is the platform and not a provider.
import { mkdtempSync, rmSync } from 'node:fs';
import { cpus, tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { type Platform, startPlatform } from '../scripts/platform.ts';
import { ApiClient } from './api-client.ts';
import { Conversation, type TurnTimes } from './conversation.ts';
import { memoryOf, type ProcessMemory } from './process-memory.ts';
import { summarize } from './statistics.ts';

const { values: flags } = parseArgs({
  options: {
    url: { type: 'string' },
    key: { type: 'string' },
    turns: { type: 'string', default: '50' },
    sessions: { type: 'string', default: '10' },
    seconds: { type: 'string', default: '8' },
  },
});
const TURNS = Number(flags.turns);

console.log(
  `${new Date().toISOString()} · ${cpus().length} × ${cpus()[0]?.model} · Node ${process.version}\n`,
);
if (flags.url !== undefined) await measure({ url: flags.url, apiKey: flags.key ?? '' });
else await measureOwn();

async function measureOwn(): Promise<void> {
  const dir = mkdtempSync(join(tmpdir(), 'capstan-bench-'));
  const state = join(dir, 'state');
  let platform = await startPlatform(state);
  row('start on an empty store, to the first answer', platform.startedInMs, 'ms');
  await platform.stop();
  platform = await startPlatform(state);
  row('warm start, to the first answer', platform.startedInMs, 'ms');
  try {
    await measure(platform);
    reportMemory(platform);
  } finally {
    await platform.stop();
    rmSync(dir, { recursive: true, force: true });
  }
}

async function measure(at: { url: string; apiKey: string }): Promise<void> {
  const client = new ApiClient(at);
  const agent = await client.create('/v1/agents', {
    name: 'bench',
    model: 'claude-sonnet-4-6',
    tools: [{ type: 'agent_toolset_20260401' }],
  });
  await measureCreate(client, agent);
  await measureTurns(client, agent, { name: 'text turn', text: '[[words 4]]' });
  await measureTurns(client, agent, { name: 'one-bash turn', text: 'Run: echo hi' });
  await measureSustained(client, agent);
  client.close();
}

async function measureCreate(client: ApiClient, agent: string): Promise<void> {
  const times: number[] = [];
  for (let index = 0; index < TURNS * 2; index++) {
    const startedAt = performance.now();
    await client.create('/v1/sessions', { agent });
    times.push(performance.now() - startedAt);
  }
  report('session create', times);
}

async function measureTurns(
  client: ApiClient,
  agent: string,
  { name, text }: { name: string; text: string },
): Promise<void> {
  const fresh: TurnTimes[] = [];
  for (let index = 0; index < TURNS; index++) {
    const conversation = await Conversation.open(client, agent);
    fresh.push(await conversation.turn(text));
    conversation.close();
  }
  reportTurns(`${name}, fresh session`, fresh);
  const conversation = await Conversation.open(client, agent);
  await conversation.turn(text);
  const same: TurnTimes[] = [];
  for (let index = 0; index < TURNS; index++) same.push(await conversation.turn(text));
  conversation.close();
  reportTurns(`${name}, same session`, same);
}

async function measureSustained(client: ApiClient, agent: string): Promise<void> {
  const count = Number(flags.sessions);
  const open = Array.from({ length: count }, () => Conversation.open(client, agent));
  const conversations = await Promise.all(open);
  await Promise.all(conversations.map((conversation) => conversation.turn('[[words 4]]')));
  const startedAt = performance.now();
  const until = startedAt + Number(flags.seconds) * 1_000;
  const times: TurnTimes[] = [];
  const talk = async (conversation: Conversation) => {
    while (performance.now() < until) times.push(await conversation.turn('[[words 4]]'));
  };
  await Promise.all(conversations.map(talk));
  for (const conversation of conversations) conversation.close();
  row(
    `${count} sessions, turn after turn`,
    (times.length * 1_000) / (performance.now() - startedAt),
    'turns/s',
  );
  reportTurns('  each turn', times);
}

/** Each session that ran a command has a sandbox of its own: small processes, told apart from the platform's. */
function reportMemory(platform: Platform): void {
  const all = memoryOf([platform.pid]);
  const emulator = platform.ready().pids.emulator ?? 0;
  const sandboxed = new Set(memoryOf([emulator]).map((one) => one.pid));
  sandboxed.delete(emulator);
  const own = all.filter((one) => !sandboxed.has(one.pid));
  const sum = (processes: ProcessMemory[], field: 'rssMiB' | 'pssMiB') =>
    processes.reduce((total, one) => total + one[field], 0);
  row('memory of the platform, resident', sum(own, 'rssMiB'), 'MiB');
  for (const one of own) row(`  ${one.name} (${one.pid})`, one.rssMiB, 'MiB');
  row(
    `memory of its ${sandboxed.size} sandbox processes, resident`,
    sum(all, 'rssMiB') - sum(own, 'rssMiB'),
    'MiB',
  );
  row('memory of all, shared pages counted once', sum(all, 'pssMiB'), 'MiB');
}

function reportTurns(name: string, times: readonly TurnTimes[]): void {
  report(
    `${name}: message`,
    times.map((turn) => turn.message),
  );
  report(
    `${name}: idle`,
    times.map((turn) => turn.idle),
  );
}

function report(name: string, times: readonly number[]): void {
  const { n, p50, p90, p99 } = summarize(times);
  const tail = `p90 ${p90.toFixed(1)}, p99 ${p99.toFixed(1)}, n ${n}`;
  console.log(`${name.padEnd(48)} ${p50.toFixed(1).padStart(9)} ms     ${tail}`);
}

function row(name: string, value: number, unit: string): void {
  console.log(`${name.padEnd(48)} ${value.toFixed(1).padStart(9)} ${unit}`);
}
