// Measures single requests through local workerd, one after the other on a kept connection, then a page of sessions as their table
// grows: `npx -y pnpm@12.21.0 bench api [--times N] [--rows N]`.
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { cpus, tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { parseArgs } from 'node:util';
import { type Platform, startPlatform } from '../scripts/platform.ts';
import { aimsMissed, show } from './aims.ts';
import { ApiClient } from './api-client.ts';
import { quantile, summarize } from './statistics.ts';

const { values: flags } = parseArgs({
  options: {
    times: { type: 'string', default: '200' },
    rows: { type: 'string', default: '100000' },
  },
  allowPositionals: true,
});
const TIMES = Number(flags.times);
const FEW_ROWS = 1_000;
const WARM_UP = 20;
const READ_MS = 6;
const CREATE_MS = 12;

const load = () => readFileSync('/proc/loadavg', 'utf8').split(' ').slice(0, 3).join(' ');
console.log(
  `${new Date().toISOString()} · ${cpus().length} × ${cpus()[0]?.model} · Node ${process.version} · load ${load()}\n`,
);
const dir = mkdtempSync(join(tmpdir(), 'capstan-api-bench-'));
const state = join(dir, 'state');
const vars = join(dir, 'vars');
try {
  await withPlatform(measureRequests);
  const few = await pageAmong(FEW_ROWS);
  const many = await pageAmong(Number(flags.rows));
  show({ name: 'a page among many over one among few', value: many / few, unit: '×', aim: { most: 1.5 } });
} finally {
  rmSync(dir, { recursive: true, force: true });
}
console.log(`\nload ${load()}; aims missed: ${aimsMissed()}`);

async function withPlatform<T>(work: (client: ApiClient, platform: Platform) => Promise<T>): Promise<T> {
  // A rate limit would be measured in place of what it lets through.
  writeFileSync(vars, 'RATE_LIMIT_CREATES=1000000\nRATE_LIMIT_READS=1000000\n');
  const platform = await startPlatform(state, ['--vars', vars]);
  const client = new ApiClient(platform);
  try {
    return await work(client, platform);
  } finally {
    client.close();
    await platform.stop();
  }
}

async function measureRequests(client: ApiClient, { url, apiKey }: Platform): Promise<void> {
  const plain = { name: 'bench', model: 'claude-sonnet-4-6' };
  const agent = await client.create('/v1/agents', plain);
  const session = await client.create('/v1/sessions', { agent });
  const store = await client.create('/v1/memory_stores', { name: 'bench' });
  const memories = `/v1/memory_stores/${store}/memories`;
  const memory = await client.create(memories, { path: '/first', content: 'text' });
  const creates: Record<string, (index: number) => Promise<unknown>> = {
    agent: () => client.create('/v1/agents', plain),
    session: () => client.create('/v1/sessions', { agent }),
    memory: (index) => client.create(memories, { path: `/made/${index}`, content: 'text' }),
    vault: () => client.create('/v1/vaults', { display_name: 'bench' }),
    'small file': async () => {
      const body = new FormData();
      body.set('file', new File(['text'], 'bench.txt'));
      const response = await fetch(`${url}/v1/files`, {
        method: 'POST',
        headers: { 'x-api-key': apiKey },
        body,
      });
      if (!response.ok) throw new Error(`POST /v1/files: ${response.status} ${await response.text()}`);
      await response.arrayBuffer();
    },
  };
  for (const [name, create] of Object.entries(creates)) await measure(`create: ${name}`, CREATE_MS, create);
  const reads: Record<string, string> = {
    agent: `/v1/agents/${agent}`,
    session: `/v1/sessions/${session}`,
    memory: `${memories}/${memory}`,
    'a page of 20 agents': '/v1/agents?limit=20',
    'a page of 20 sessions': '/v1/sessions?limit=20',
    'a page of 20 memories': `${memories}?limit=20`,
  };
  for (const [name, path] of Object.entries(reads))
    await measure(`read: ${name}`, READ_MS, () => client.request('GET', path));
}

async function measure(
  name: string,
  most: number,
  ask: (index: number) => Promise<unknown>,
): Promise<number> {
  const times: number[] = [];
  for (let index = 0; index < WARM_UP + TIMES; index++) {
    const startedAt = performance.now();
    await ask(index);
    if (index >= WARM_UP) times.push(performance.now() - startedAt);
  }
  const { p50, p90, p99 } = summarize(times);
  const note = `p90 ${p90.toFixed(1)}, p99 ${p99.toFixed(1)}`;
  show({ name, value: p50, unit: 'ms', aim: { most }, note });
  return quantile(times, 0.5);
}

/** The median of a page of sessions, ms, once there are so many of them. */
async function pageAmong(rows: number): Promise<number> {
  growSessions(rows);
  return await withPlatform((client) =>
    measure(`read: a page of 20 among ${rows} sessions`, READ_MS, () =>
      client.request('GET', '/v1/sessions?limit=20&statuses[]=idle&statuses[]=running'),
    ),
  );
}

/** Copies of one session, older than all others, while nothing has the database open. */
function growSessions(rows: number): void {
  const databases = join(state, 'workers/v3/d1/miniflare-D1DatabaseObject');
  const file = readdirSync(databases).find((name) => /^[0-9a-f]{32,}\.sqlite$/.test(name));
  if (file === undefined) throw new Error(`No database in ${databases}`);
  const database = new DatabaseSync(join(databases, file));
  const columns = database.prepare("SELECT name FROM pragma_table_info('sessions') WHERE name <> 'id'").all();
  const names = columns.map(({ name }) => String(name)).join(', ');
  database.exec(`WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ${rows})
    INSERT OR IGNORE INTO sessions (id, ${names})
    SELECT printf('sesn_%024d', i), ${names} FROM n, (SELECT * FROM sessions ORDER BY id DESC LIMIT 1)`);
  database.close();
}
