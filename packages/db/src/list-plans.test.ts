// Every list is flat in the size of its tables: a page is a part of one index, in the index's own order, whatever it is
// filtered by. The plan of the very statements that the stores send says so; without `ANALYZE` it does not depend on rows.
import type { IdKind } from '@capstan/schema/ids';
import { ROUTES } from '@capstan/schema/routes';
import { newId } from '@capstan/shared/ids';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { toPage } from './cursor.ts';
import { openD1 } from './d1.ts';
import { type Stores, stores } from './stores.ts';
import { openTestDatabase, type TestDatabase } from './testing.ts';
import { readsOf, sortsOf, type Watched, watchPlans } from './testing-plans.ts';

const TENANT = 'tnt_own';
const ONE_YEAR = { 'created_at[gte]': '2026-01-01T00:00:00Z', 'created_at[lt]': '2027-01-01T00:00:00Z' };

let database: TestDatabase;
let own: Stores;
let watched: Watched;

beforeAll(async () => {
  database = await openTestDatabase();
  watched = watchPlans(database.binding);
  own = stores(openD1(watched.binding), TENANT);
  const insert = (table: string, row: Record<string, string | number>) =>
    database.binding
      .prepare(`INSERT INTO ${table} (${Object.keys(row)}) VALUES (${Object.keys(row).map(() => '?')})`)
      .bind(...Object.values(row));
  const mine = { tenant_id: TENANT, created_at: 1, updated_at: 1 };
  const version = { tenant_id: TENANT, agent_id: 'agent_1', definition: '{}', metadata: '{}', created_at: 1 };
  await database.binding.batch([
    insert('agents', { ...mine, id: 'agent_1', version: 1 }),
    insert('agent_versions', { ...version, version: 1 }),
    insert('vaults', { ...mine, id: 'vlt_1', display_name: 'Keys', metadata: '{}' }),
    insert('skills', { ...mine, id: 'skill_1', name: 'notes', display_name: 'Notes', source: 'custom' }),
  ]);
});
afterAll(() => database.close());

type Order = 'asc' | 'desc';
interface Asked {
  limit: number;
  page?: string;
}

/** One way to ask for a list. */
interface Way {
  ask(asked: Asked): Promise<unknown>;
  /** The index of its rows, and what of that is given besides the place of the page. */
  reads: `${string} (${string}`;
  /** What its cursors are bound to; absent: it has none. */
  list?: string;
  order?: Order;
  /** It is bound on both sides, by when its rows, of that kind, were made; absent: it is not. */
  bound?: IdKind | undefined;
  /** The column that is its place; absent: the id. */
  place?: string;
}

const OPEN = { includeArchived: false };
const ALL = { includeArchived: true };
const none = { created: {} };

const agents = (filter: typeof OPEN, reads: Way['reads']): Way[] =>
  [{}, ONE_YEAR].map((created) => ({
    list: 'agents',
    reads,
    bound: created === ONE_YEAR ? 'agent' : undefined,
    ask: (asked) => own.agents.list({ ...asked, ...filter, created }),
  }));

type SessionFilter = Partial<Parameters<Stores['sessions']['list']>[0]>;
const sessions = (filter: SessionFilter, reads: Way['reads']): Way[] =>
  (['asc', 'desc'] as const).map((order) => ({
    list: 'sessions',
    order,
    reads,
    bound: filter.created && 'session',
    ask: (asked) => own.sessions.list({ ...asked, ...none, ...OPEN, order, ...filter }, 1),
  }));

type DeploymentFilter = Partial<Parameters<Stores['deployments']['list']>[0]>;
const deployments = (filter: DeploymentFilter, reads: Way['reads']): Way => ({
  list: 'deployments',
  reads,
  bound: filter.created && 'deployment',
  ask: (asked) => own.deployments.list({ ...asked, ...none, ...OPEN, ...filter }, 1),
});

type RunFilter = Partial<Parameters<Stores['deploymentRuns']['list']>[0]>;
const runs = (filter: RunFilter, reads: Way['reads']): Way => ({
  list: 'deployment_runs',
  reads,
  bound: filter.created && 'deploymentRun',
  ask: (asked) => own.deploymentRuns.list({ ...asked, ...none, ...filter }),
});

type DreamFilter = Partial<Parameters<Stores['dreams']['list']>[0]>;
const dreams = (filter: DreamFilter, reads: Way['reads']): Way => ({
  list: 'dreams',
  reads,
  bound: filter.created && 'dream',
  ask: (asked) => own.dreams.list({ ...asked, ...none, ...OPEN, ...filter }),
});

const files = (sessionId: string | undefined, reads: Way['reads']): Way[] =>
  (['asc', 'desc'] as const).map((order) => ({
    list: 'files',
    order,
    reads,
    ask: (asked) => own.files.list({ ...asked, order, sessionId }),
  }));

/** Lists that the control plane does not keep. */
const ELSEWHERE: Record<string, string> = {
  listWork: 'in the queue of its environment, by its primary key',
  listEvents: 'in the log of its session',
  listThreads: 'in the state of its session',
  listThreadEvents: 'in the log of its session',
  listModels: 'in the configuration and the tenant’s model cards, all at once',
  listMemoryStores: 'see memory-plans.test.ts',
  listMemories: 'see memory-plans.test.ts',
  listMemoryVersions: 'see memory-plans.test.ts',
  summarizeUsage: 'no list: sums of what was used in a time',
};

const WAYS: Record<string, Way[]> = {
  listAgents: [...agents(ALL, 'agents_tenant (tenant_id=?'), ...agents(OPEN, 'agents_open (tenant_id=?')],
  listAgentVersions: [
    {
      list: 'versions of agent_1',
      reads: 'sqlite_autoindex_agent_versions_1 (agent_id=?',
      place: 'version',
      ask: (asked) => own.agents.versions('agent_1', asked),
    },
  ],
  listEnvironmentVersions: [
    {
      list: 'versions of env_1',
      reads: 'sqlite_autoindex_environment_versions_1 (environment_id=?',
      place: 'version',
      ask: (asked) => own.environmentVersions.list('env_1', asked),
    },
  ],
  listEnvironments: [
    {
      list: 'environments',
      reads: 'environments_tenant (tenant_id=?',
      ask: (asked) => own.environments.list({ ...asked, ...ALL }),
    },
    {
      list: 'environments',
      reads: 'environments_open (tenant_id=?',
      ask: (asked) => own.environments.list({ ...asked, ...OPEN }),
    },
  ],
  listEnvironmentKeys: [
    {
      list: 'environment_keys:env_1',
      reads: 'environment_keys_environment (tenant_id=? AND environment_id=?',
      ask: (asked) => own.environmentKeys.list('env_1', asked),
    },
  ],
  listSessions: [
    ...sessions({}, 'sessions_open (tenant_id=?'),
    ...sessions(ALL, 'sessions_tenant (tenant_id=?'),
    ...sessions({ created: ONE_YEAR }, 'sessions_open (tenant_id=?'),
    ...[OPEN, ALL].flatMap((archived) => [
      ...sessions({ ...archived, agentId: 'a' }, 'sessions_agent (tenant_id=? AND agent_id=? AND <expr>=?'),
      ...sessions(
        { ...archived, agentId: 'a', agentVersion: 1 },
        'sessions_agent_version (tenant_id=? AND <expr>=? AND <expr>=?',
      ),
      ...sessions(
        { ...archived, deploymentId: 'd' },
        'sessions_deployment (tenant_id=? AND deployment_id=? AND <expr>=?',
      ),
      ...sessions(
        { ...archived, memoryStoreId: 'm' },
        'session_resources_memory_store (tenant_id=? AND memory_store_id=?',
      ).map((way) => ({ ...way, place: 'session_id' })),
      ...sessions(
        { ...archived, statuses: ['idle'] },
        'sessions_status (tenant_id=? AND status=? AND <expr>=?',
      ),
      ...sessions(
        { ...archived, statuses: ['idle', 'running'], created: ONE_YEAR },
        'sessions_status (tenant_id=? AND status=? AND <expr>=?',
      ),
    ]),
    // The first of several leads, and the others narrow what its index gives.
    ...sessions(
      { agentId: 'a', statuses: ['idle', 'running'] },
      'sessions_agent (tenant_id=? AND agent_id=? AND <expr>=?',
    ),
    ...sessions(
      { deploymentId: 'd', agentId: 'a', agentVersion: 2, statuses: ['idle'] },
      'sessions_deployment (tenant_id=? AND deployment_id=? AND <expr>=?',
    ),
  ],
  listSessionResources: [
    {
      list: 'resources:sesn_1',
      order: 'asc',
      reads: 'session_resources_session (session_id=?',
      ask: ({ limit, page }) => own.resources.list('sesn_1', { limit, page }),
    },
  ],
  listFiles: [
    ...files(undefined, 'files_listed (tenant_id=?'),
    ...files('sesn_1', 'files_session (tenant_id=? AND session_id=?'),
    {
      reads: 'files_listed (tenant_id=? AND id<?',
      ask: ({ limit }) => own.files.list({ limit, order: 'desc', near: { id: 'file_1', side: 'after' } }),
    },
    {
      reads: 'files_listed (tenant_id=? AND id>?',
      ask: ({ limit }) => own.files.list({ limit, order: 'desc', near: { id: 'file_1', side: 'before' } }),
    },
  ],
  listVaults: [
    {
      list: 'vaults',
      reads: 'vaults_tenant (tenant_id=?',
      ask: (asked) => own.vaults.list({ ...asked, ...ALL }),
    },
    {
      list: 'vaults',
      reads: 'vaults_open (tenant_id=?',
      ask: (asked) => own.vaults.list({ ...asked, ...OPEN }),
    },
  ],
  listVaultCredentials: [
    {
      list: 'credentials:vlt_1',
      reads: 'vault_credentials_vault (vault_id=?',
      ask: (asked) => own.credentials.list('vlt_1', { ...asked, ...ALL }),
    },
    {
      list: 'credentials:vlt_1',
      reads: 'vault_credentials_open (vault_id=?',
      ask: (asked) => own.credentials.list('vlt_1', { ...asked, ...OPEN }),
    },
  ],
  listSkills: [
    { list: 'skills', reads: 'skills_tenant (tenant_id=?', ask: (asked) => own.skills.list(asked) },
    {
      list: 'skills',
      reads: 'skills_source (tenant_id=? AND source=?',
      ask: (asked) => own.skills.list({ ...asked, source: 'custom' }),
    },
  ],
  listSkillVersions: [
    {
      list: 'versions of skill_1',
      reads: 'skill_versions_skill (skill_id=?',
      ask: (asked) => own.skills.versions('skill_1', asked),
    },
  ],
  listDeployments: [
    deployments({}, 'deployments_open (tenant_id=?'),
    deployments(ALL, 'deployments_tenant (tenant_id=?'),
    deployments({ created: ONE_YEAR }, 'deployments_open (tenant_id=?'),
    ...[OPEN, ALL].flatMap((archived) => [
      deployments(
        { ...archived, agentId: 'a' },
        'deployments_agent (tenant_id=? AND agent_id=? AND <expr>=?',
      ),
      deployments(
        { ...archived, agentId: 'a', status: 'paused' },
        'deployments_agent (tenant_id=? AND agent_id=? AND <expr>=?',
      ),
      deployments(
        { ...archived, status: 'paused' },
        'deployments_status (tenant_id=? AND <expr>=? AND <expr>=?',
      ),
      deployments(
        { ...archived, status: 'active' },
        'deployments_status (tenant_id=? AND <expr>=? AND <expr>=?',
      ),
    ]),
  ],
  listDeploymentRuns: [
    runs({}, 'deployment_runs_tenant (tenant_id=?'),
    runs({ created: ONE_YEAR }, 'deployment_runs_tenant (tenant_id=?'),
    runs({ deploymentId: 'd' }, 'deployment_runs_deployment (tenant_id=? AND deployment_id=?'),
    runs(
      { deploymentId: 'd', hasError: true, triggerType: 'manual' },
      'deployment_runs_deployment (tenant_id=? AND deployment_id=?',
    ),
    runs({ hasError: true }, 'deployment_runs_error (tenant_id=? AND <expr>=?'),
    runs({ hasError: false }, 'deployment_runs_error (tenant_id=? AND <expr>=?'),
    runs({ triggerType: 'manual' }, 'deployment_runs_trigger (tenant_id=? AND <expr>=?'),
    runs({ triggerType: 'schedule' }, 'deployment_runs_trigger (tenant_id=? AND <expr>=?'),
  ],
  listDreams: [
    dreams({}, 'dreams_open (tenant_id=?'),
    dreams(ALL, 'dreams_tenant (tenant_id=?'),
    dreams({ created: ONE_YEAR }, 'dreams_open (tenant_id=?'),
    dreams({ statuses: ['running'] }, 'dreams_status (tenant_id=? AND status=? AND <expr>=?'),
    dreams(
      { ...ALL, statuses: ['pending', 'running', 'failed'], created: ONE_YEAR },
      'dreams_status (tenant_id=? AND status=? AND <expr>=?',
    ),
  ],
  listModelCards: [
    {
      list: 'model_cards',
      reads: 'model_cards_tenant (tenant_id=?',
      ask: (asked) => own.modelCards.list(asked),
    },
  ],
  listUserProfiles: (['asc', 'desc'] as const).map((order) => ({
    list: 'user_profiles:created_at',
    order,
    reads: 'user_profiles_tenant (tenant_id=?',
    ask: (asked) => own.userProfiles.list({ ...asked, order, by: 'created_at' }),
  })),
  listWebhookEndpoints: [
    {
      reads: 'webhook_endpoints_tenant (tenant_id=? AND id>?',
      ask: ({ limit }) => own.webhooks.list({ limit, order: 'asc', afterId: 'whep_1' }),
    },
    {
      reads: 'webhook_endpoints_tenant (tenant_id=? AND id>?',
      ask: ({ limit }) => own.webhooks.list({ limit, order: 'desc', beforeId: 'whep_1' }),
    },
  ],
  listWebhookDeliveries: [
    {
      list: 'deliveries of whep_1',
      reads: 'webhook_deliveries_endpoint (tenant_id=? AND endpoint_id=?',
      ask: (asked) => own.webhookDeliveries.list('whep_1', asked),
    },
    {
      list: 'deliveries of whep_1',
      reads: 'webhook_deliveries_status (tenant_id=? AND endpoint_id=? AND status=?',
      ask: (asked) => own.webhookDeliveries.list('whep_1', { ...asked, statuses: ['pending', 'failed'] }),
    },
  ],
};

/** What reads the rows of a page, or of all pages of a statement, row by row as well. */
const WITH_EACH_ROW = [
  /^SEARCH r USING INDEX session_resources_session \(session_id=\?\)$/,
  /^SEARCH v USING INDEX skill_versions_skill \(skill_id=\?\)$/,
];

function cursorOf({ list, order = 'desc', place, bound }: Way): string | undefined {
  if (list === undefined) return undefined;
  const listing = { list, tenantId: TENANT, order, limit: 1 };
  const id = bound === undefined ? 'x_5' : newId(bound, Date.parse('2026-06-01T00:00:00Z'));
  const rows = [{ id: place === 'version' ? '5' : id }, { id: '4' }];
  return toPage(listing, { id: null, backwards: false, order, take: 2 }, rows).next ?? undefined;
}

async function expectFlat(way: Way, page: string | undefined): Promise<void> {
  const steps = await watched.stepsOf(() => way.ask({ limit: 20, ...(page !== undefined && { page }) }));
  const { place = 'id', order = 'desc', bound } = way;
  const beyond = page === undefined ? '' : ` AND ${place}${order === 'desc' ? '<' : '>'}?`;
  const part = `${way.reads}${bound ? ` AND ${place}>? AND ${place}<?` : beyond})`;
  const reads = readsOf(steps).filter((read) => !WITH_EACH_ROW.some((each) => each.test(read)));
  expect(reads.map((read) => read.replace(/^SEARCH \w+ USING INDEX /, ''))).toEqual([part]);
  expect(sortsOf(steps)).toEqual([]);
}

describe('a list', () => {
  it.each(Object.entries(WAYS))(
    '%s reads its part of an index, on its first page and all others',
    async (_, ways) => {
      for (const way of ways) {
        await expectFlat(way, undefined);
        const page = cursorOf(way);
        if (page !== undefined) await expectFlat(way, page);
      }
    },
  );

  it('is looked at here, or it is said where it is kept', () => {
    const lists = ROUTES.filter(({ method, query }) => method === 'get' && query && 'limit' in query.shape);
    const known = [...Object.keys(WAYS), ...Object.keys(ELSEWHERE)];
    expect(known.toSorted()).toEqual(lists.map(({ operationId }) => operationId).toSorted());
  });

  it('of what a worker may touch is not read whole: a skill is looked for where agents have any', async () => {
    const of = { environmentId: 'env_1', sessionId: null };
    const steps = await watched.stepsOf(() => own.sessions.hasSkill('skill_1', of));
    expect(readsOf(steps)).toEqual([
      'SEARCH sessions USING INDEX sessions_skilled (tenant_id=? AND environment_id=?)',
    ]);
    expect(sortsOf(steps)).toEqual([]);
  });

  it('that is sorted, or reads a whole table, is told from one that is not', async () => {
    const { binding } = database;
    const ask = (sql: string) => watched.stepsOf(() => watched.binding.prepare(sql).bind().all());
    const sorted = await ask('SELECT * FROM environments WHERE tenant_id = 1 ORDER BY name');
    expect(sortsOf(sorted)).not.toEqual([]);
    expect(readsOf(await ask('SELECT * FROM environments WHERE name = 1'))).toEqual(['SCAN environments']);
    await binding.exec('DROP INDEX environments_open');
    const [, open] = WAYS.listEnvironments ?? [];
    await expect(open && expectFlat(open, undefined)).rejects.toThrow(/environments_tenant/);
  });
});
