// The public Worker in workerd with a real D1, R2, queue and jobs Worker, and sessions kept in memory unless asked otherwise.
import { readFileSync } from 'node:fs';
import { ApiKeyStore } from '@capstan/db/api-keys';
import { openD1 } from '@capstan/db/d1';
import type { Database } from '@capstan/db/database';
import { tenants } from '@capstan/db/tables/tenants';
import { createTestHarness } from 'wrangler';

export interface World {
  url: string;
  /** A key of the default tenant. */
  key: string;
  /** A key of another tenant. */
  strangerKey: string;
  db: Database;
  keys: ApiKeyStore;
  blobs: R2Bucket;
  /** The number of the newest row of each table that requests alone write to. */
  rows(): Promise<Record<string, number>>;
  fetch(path: string, init?: RequestInit): Promise<Response>;
  /** What the Workers logged so far, a line each. */
  logs(): string[];
  /** Ends the process of a deployed session: what is not in its storage is lost, unless it sleeps: then its sockets stay. */
  evict(sessionId: string, webSockets?: 'close' | 'hibernate'): Promise<void>;
  close(): Promise<void>;
}

const ROOT = `${import.meta.dirname}/../../../..`;
const KEY = 'test-key-of-the-default-tenant';
const STRANGER_KEY = 'test-key-of-another-tenant';
export const ROOT_SECRET = 'a root secret for tests, 32 characters and more';
const SECRETS = { PLATFORM_ROOT_SECRET: ROOT_SECRET };

export async function sha256Hex(text: string): Promise<string> {
  return Buffer.from(await crypto.subtle.digest('SHA-256', Buffer.from(text))).toString('hex');
}

export interface WorldOptions {
  secrets?: Record<string, string>;
  /** The Console's files; a Console of three small ones when absent. */
  consoleDirectory?: string;
  /** Sessions as they are deployed, with this Chat Completions endpoint as their model. */
  modelUrl?: string;
  /** What listens on every port of every sandbox, of sessions kept in memory. */
  exposedUrl?: string;
  /** Dreams stay as they are: nothing happens unless it is asked for. */
  stillDreams?: boolean;
  /** Places on this machine that users' URLs may lead to, `host:port`, separated by commas. */
  privateHosts?: string;
}

/** A URL that users may give, at which nobody listens. */
export const NOWHERE = 'http://127.0.0.1:9/';

export async function openWorld(over: WorldOptions = {}): Promise<World> {
  const secrets = over.secrets ?? { ...SECRETS, BOOTSTRAP_API_KEY_SHA256: await sha256Hex(KEY) };
  const reachable = { PRIVATE_HOSTS: over.privateHosts ?? new URL(NOWHERE).host };
  // The runtime would ask Cloudflare for a sample of request properties.
  process.env.CLOUDFLARE_CF_FETCH_ENABLED = 'false';
  const harness = createTestHarness({
    root: ROOT,
    workers: [
      { config: mainConfig({ ...reachable, ...secrets }, over.consoleDirectory) },
      { config: jobsConfig({ ...reachable, ...secrets }, over.stillDreams) },
      {
        config:
          over.modelUrl === undefined
            ? agentConfig(over.exposedUrl)
            : realAgentConfig(over.modelUrl, over.privateHosts),
      },
    ],
  });
  const { url } = await harness.listen();
  const main = harness.getWorker<{ DB: D1Database; BLOBS: R2Bucket }>('capstan-main');
  await main.applyD1Migrations('DB');
  const { DB, BLOBS: blobs } = await main.getEnv();
  const db = openD1(DB);
  const keys = new ApiKeyStore(db);
  await db.insert(tenants).values({ id: 'tnt_stranger', name: 'Stranger', createdAt: 0 });
  const stranger = { tenantId: 'tnt_stranger', name: 'Stranger', lastFour: STRANGER_KEY.slice(-4), now: 0 };
  await keys.create({ ...stranger, hash: await sha256Hex(STRANGER_KEY) });
  return {
    url: url.origin,
    key: KEY,
    strangerKey: STRANGER_KEY,
    db,
    keys,
    blobs,
    rows: await newestRows(DB),
    fetch: (path, init) => fetch(new URL(path, url), init),
    logs: () => harness.getLogs().map((line) => JSON.stringify(line)),
    evict: (sessionId, webSockets = 'close') =>
      harness
        .getWorker('capstan-agent')
        .evictDurableObject('SessionDO', { name: `tnt_default/${sessionId}`, webSockets }),
    close: () => harness.close(),
  };
}

/** Not ours, or moved by what is done in the background. */
const OF_ITS_OWN = /^(sqlite_|d1_|outbox$|webhook_deliveries$)/;

async function newestRows(database: D1Database): Promise<World['rows']> {
  const tables = await database
    .prepare(`SELECT name FROM sqlite_master WHERE type = 'table' AND substr(name, 1, 1) <> '_'`)
    .all<{ name: string }>();
  const names = tables.results.map(({ name }) => name).filter((name) => !OF_ITS_OWN.test(name));
  const counts = names.map((name) => `(SELECT max(rowid) FROM "${name}") AS "${name}"`);
  const counting = database.prepare(`SELECT ${counts.join(', ')}`);
  return async () => (await counting.first<Record<string, number>>()) ?? {};
}

/** The Worker's own configuration, with the test's secrets and Console. */
function mainConfig(secrets: Record<string, string>, directory = './apps/main/src/testing/console') {
  const own = JSON.parse(withoutComments(readFileSync(`${ROOT}/apps/main/wrangler.jsonc`, 'utf8')));
  return {
    ...own,
    main: './apps/main/src/index.ts',
    assets: { ...own.assets, directory },
    d1_databases: [{ ...own.d1_databases[0], migrations_dir: './migrations/d1' }],
    vars: {
      PREVIEW_HOST: 'preview.test',
      DNS_OVER_HTTPS_URL: 'off',
      RATE_LIMIT_CREATES: '1000000',
      RATE_LIMIT_READS: '1000000',
      ...secrets,
    },
  };
}

function jobsConfig(secrets: Record<string, string>, stillDreams = false) {
  const own = JSON.parse(withoutComments(readFileSync(`${ROOT}/apps/jobs/wrangler.jsonc`, 'utf8')));
  return {
    ...own,
    main: stillDreams ? './apps/jobs/src/testing/still-dreams.ts' : './apps/jobs/src/index.ts',
    d1_databases: [{ ...own.d1_databases[0], migrations_dir: './migrations/d1' }],
    vars: { DNS_OVER_HTTPS_URL: 'off', ...secrets },
  };
}

function agentConfig(exposedUrl = '') {
  const own = JSON.parse(withoutComments(readFileSync(`${ROOT}/apps/main/wrangler.jsonc`, 'utf8')));
  return {
    name: 'capstan-agent',
    main: './apps/main/src/testing/agent-worker.ts',
    compatibility_date: own.compatibility_date,
    d1_databases: own.d1_databases,
    vars: { EXPOSED_URL: exposedUrl },
  };
}

function realAgentConfig(modelUrl: string, privateHosts = '') {
  const own = JSON.parse(withoutComments(readFileSync(`${ROOT}/apps/agent/wrangler.jsonc`, 'utf8')));
  return {
    ...own,
    main: './apps/agent/src/index.ts',
    d1_databases: [{ ...own.d1_databases[0], migrations_dir: './migrations/d1' }],
    vars: {
      ENVIRONMENT: 'development',
      PRIVATE_HOSTS: privateHosts,
      PLATFORM_ROOT_SECRET: ROOT_SECRET,
      OPENAI_BASE_URL: modelUrl,
      // Nothing is there: what is said is said without sandboxes.
      GATEWAY_URL: 'http://127.0.0.1:9',
      GATEWAY_SECRET: 'a secret for tests, 32 characters and more',
    },
  };
}

function withoutComments(jsonc: string): string {
  return jsonc.replaceAll(/^\s*\/\/.*$/gm, '');
}
