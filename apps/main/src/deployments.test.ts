import Anthropic from '@anthropic-ai/sdk';
import { deployments as table } from '@capstan/db/tables/deployments';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openWorld, type World } from './testing/world.ts';

type Create = Anthropic.Beta.DeploymentCreateParams;

let world: World;
let client: Anthropic;
let stranger: Anthropic;
let base: Create;

beforeAll(async () => {
  world = await openWorld();
  client = new Anthropic({ apiKey: world.key, baseURL: world.url, maxRetries: 0 });
  stranger = new Anthropic({ apiKey: world.strangerKey, baseURL: world.url, maxRetries: 0 });
  const agent = await client.beta.agents.create({ name: 'Reporter', model: 'some-model' });
  const environment = await client.beta.environments.create({ name: 'Cloud' });
  base = {
    name: 'Report',
    agent: agent.id,
    environment_id: environment.id,
    initial_events: [{ type: 'user.message', content: [{ type: 'text', text: 'Write the report.' }] }],
  };
});
afterAll(() => world.close());

const make = (over: Partial<Create> = {}) => client.beta.deployments.create({ ...base, ...over });
const daily = { type: 'cron' as const, expression: '0 9 * * *', timezone: 'Europe/Berlin' };
const runsOf = async (deployment_id: string) => {
  const { data } = await client.beta.deploymentRuns.list({ deployment_id });
  return data;
};

describe('a deployment', () => {
  it('pins the current version of its agent and fills in what it was not given', async () => {
    const made = await make();
    expect(made).toMatchObject({
      type: 'deployment',
      id: expect.stringMatching(/^depl_[0-9a-z]{24}$/),
      name: 'Report',
      description: null,
      agent: { type: 'agent', id: base.agent, version: 1 },
      resources: [],
      vault_ids: [],
      budget: null,
      schedule: null,
      status: 'active',
      paused_reason: null,
      metadata: {},
      archived_at: null,
    });
    expect(made.initial_events).toEqual(base.initial_events);
    expect(await client.beta.deployments.retrieve(made.id)).toEqual(made);
  });

  it('shows the next five fire times of its schedule, and when their runs start', async () => {
    const { schedule, capstan } = (await make({ schedule: daily })) as unknown as {
      schedule: { upcoming_runs_at: string[]; last_run_at: null };
      capstan: { upcoming_starts_at: string[]; missed_runs: string };
    };
    expect(schedule).toMatchObject({ ...daily, last_run_at: null });
    expect(schedule.upcoming_runs_at).toHaveLength(5);
    for (const [index, at] of schedule.upcoming_runs_at.entries()) {
      expect(at).toMatch(/T0[78]:00:00\.000Z$/);
      const jitter = Date.parse(capstan.upcoming_starts_at[index] ?? '') - Date.parse(at);
      expect(jitter).toBeGreaterThanOrEqual(0);
      expect(jitter).toBeLessThan(9 * 60_000);
    }
    expect(capstan.missed_runs).toBe('skip');
  });

  it('never shows the tokens of its resources', async () => {
    const url = 'https://github.com/owner/name';
    const resources = [{ type: 'github_repository' as const, url, authorization_token: 'ghp_very_secret' }];
    const made = await make({ resources });
    expect(made.resources).toEqual([{ type: 'github_repository', url }]);
    const rows = await world.db.select().from(table);
    const row = rows.find(({ id }) => id === made.id);
    expect(JSON.stringify(row)).not.toContain('ghp_very_secret');
    expect(row?.resources[0]?.token).toMatch(/^s1\./);
  });

  it.each<[Partial<Create>, RegExp]>([
    [{ initial_events: [] }, /initial_events/],
    [{ initial_events: [{ type: 'user.interrupt' } as never] }, /initial_events\.0/],
    [
      { initial_events: [{ type: 'system.message', content: [{ type: 'text', text: 'x' }] }] },
      /initial_events\.0: a system\.message has to be the last/,
    ],
    [{ schedule: { ...daily, expression: '0 0 30 2 *' } }, /schedule\.expression: day of month: no month/],
    [{ schedule: { ...daily, expression: '@daily' } }, /schedule\.expression: @daily is a shortcut/],
    [{ schedule: { ...daily, timezone: '+02:00' } }, /schedule\.timezone: is no time zone/],
    [{ schedule: { ...daily, timezone: 'Europe/Atlantis' } }, /schedule\.timezone/],
    [
      { budget: { type: 'limit', max_list_cost: { amount: '100', currency: 'USD' } } },
      /budget\.max_list_cost: no price/,
    ],
    [{ resources: [{ type: 'file', file_id: 'file_none' }] }, /resources\.0\.file_id: no file/],
    [{ agent: 'agent_none' }, /No agent agent_none/],
    [{ environment_id: 'env_none' }, /No environment env_none/],
    [{ vault_ids: ['vlt_none'] }, /vault_ids\.0/],
  ])('with %j is refused, and the field named', async (over, message) => {
    await expect(make(over)).rejects.toThrow(message);
  });

  it('keeps what an update does not name, and clears what is null', async () => {
    const { id } = await make({ schedule: daily, description: 'd', metadata: { a: '1', b: '2' } });
    const renamed = await client.beta.deployments.update(id, { name: 'Other', metadata: { a: null } });
    expect(renamed).toMatchObject({ name: 'Other', description: 'd', metadata: { b: '2' }, schedule: daily });
    const cleared = await client.beta.deployments.update(id, { schedule: null, description: null });
    expect(cleared).toMatchObject({ name: 'Other', description: null, schedule: null });
    const same = await client.beta.deployments.update(id, { name: 'Other' });
    expect(same.updated_at).toBe(cleared.updated_at);
  });

  it('runs a later version of its agent once an update says so', async () => {
    const agent = await client.beta.agents.create({ name: 'One', model: 'some-model' });
    const { id } = await make({ agent: agent.id });
    await client.beta.agents.update(agent.id, { version: 1, name: 'Two' });
    expect((await client.beta.deployments.retrieve(id)).agent.version).toBe(1);
    expect((await client.beta.deployments.update(id, { agent: agent.id })).agent.version).toBe(2);
  });

  it('is paused and goes on, and is archived for good', async () => {
    const { id } = await make({ schedule: daily });
    const paused = await client.beta.deployments.pause(id);
    expect(paused).toMatchObject({ status: 'paused', paused_reason: { type: 'manual' } });
    expect(paused.schedule?.upcoming_runs_at).toHaveLength(5);
    expect(await client.beta.deployments.pause(id)).toEqual(paused);
    expect(await client.beta.deployments.unpause(id)).toMatchObject({
      status: 'active',
      paused_reason: null,
    });
    const archived = await client.beta.deployments.archive(id);
    expect(archived).toMatchObject({ status: 'active', schedule: { upcoming_runs_at: [] } });
    expect(archived.archived_at).not.toBeNull();
    expect(await client.beta.deployments.archive(id)).toEqual(archived);
    await expect(client.beta.deployments.update(id, { name: 'x' })).rejects.toThrow(/is archived/);
    await expect(client.beta.deployments.pause(id)).rejects.toThrow(/is archived/);
    await expect(client.beta.deployments.unpause(id)).rejects.toThrow(/is archived/);
    await expect(client.beta.deployments.run(id)).rejects.toThrow(/is archived/);
  });

  it('is archived with its agent, in the same operation', async () => {
    const agent = await client.beta.agents.create({ name: 'Gone', model: 'some-model' });
    const { id } = await make({ agent: agent.id });
    const { archived_at } = await client.beta.agents.archive(agent.id);
    expect((await client.beta.deployments.retrieve(id)).archived_at).toBe(archived_at);
  });

  it('is deleted with its runs', async () => {
    const { id } = await make();
    const run = await client.beta.deployments.run(id);
    const remove = () =>
      world.fetch(`/v1/deployments/${id}`, { method: 'DELETE', headers: { 'x-api-key': world.key } });
    expect(await (await remove()).json()).toEqual({ id, type: 'deployment_deleted' });
    expect((await remove()).status).toBe(404);
    await expect(client.beta.deploymentRuns.retrieve(run.id)).rejects.toThrow(/No deployment run/);
    expect((await client.beta.sessions.retrieve(run.session_id ?? '')).deployment_id).toBe(id);
  });
});

describe('the list of deployments', () => {
  it('filters by agent, status and time, and shows archived ones when asked', async () => {
    const { id: agent } = await client.beta.agents.create({ name: 'Listed', model: 'some-model' });
    const made = [];
    for (const name of ['a', 'b', 'c']) made.push(await make({ agent, name }));
    const [a, b, c] = made.map(({ id }) => id);
    await client.beta.deployments.pause(b ?? '');
    await client.beta.deployments.archive(c ?? '');
    const ids = async (query: Anthropic.Beta.DeploymentListParams) => {
      const { data } = await client.beta.deployments.list({ agent_id: agent, ...query });
      return data.map(({ id }) => id);
    };
    expect(await ids({})).toEqual([b, a]);
    expect(await ids({ include_archived: true })).toEqual([c, b, a]);
    expect(await ids({ status: 'paused' })).toEqual([b]);
    expect(await ids({ status: 'active' })).toEqual([a]);
    expect(await ids({ 'created_at[gte]': made[1]?.created_at ?? '' })).toEqual([b]);
    await expect(ids({ status: 'active', include_archived: true })).rejects.toThrow(
      /^400.*status: cannot be combined/s,
    );
    const seen = [];
    for await (const { id } of client.beta.deployments.list({ agent_id: agent, limit: 1 })) seen.push(id);
    expect(seen).toEqual([b, a]);
    expect((await stranger.beta.deployments.list()).data).toEqual([]);
  });
});

describe('a run that is asked for', () => {
  it('makes a session with what the deployment has', async () => {
    const { id } = await make({ name: 'Weekly' });
    const run = await client.beta.deployments.run(id);
    expect(run).toMatchObject({
      id: expect.stringMatching(/^drun_/),
      type: 'deployment_run',
      deployment_id: id,
      agent: { type: 'agent', id: base.agent, version: 1 },
      trigger_context: { type: 'manual' },
      error: null,
    });
    const session = await client.beta.sessions.retrieve(run.session_id ?? '');
    expect(session).toMatchObject({
      deployment_id: id,
      title: 'Weekly',
      environment_id: base.environment_id,
    });
    const { data } = await client.beta.sessions.list({ deployment_id: id });
    expect(data.map(({ id: found }) => found)).toEqual([session.id]);
    expect(await client.beta.deploymentRuns.retrieve(run.id)).toEqual(run);
  });

  it('is made while the schedule is paused, and does not count as a run of the schedule', async () => {
    const { id } = await make({ schedule: daily });
    await client.beta.deployments.pause(id);
    expect((await client.beta.deployments.run(id)).session_id).not.toBeNull();
    const { schedule, status } = await client.beta.deployments.retrieve(id);
    expect(schedule?.last_run_at).toBeNull();
    expect(status).toBe('paused');
  });

  it('that cannot begin is recorded and pauses nothing', async () => {
    const { id: environment_id } = await client.beta.environments.create({ name: 'Short-lived' });
    const { id } = await make({ environment_id });
    await client.beta.environments.archive(environment_id);
    const run = await client.beta.deployments.run(id);
    expect(run).toMatchObject({ session_id: null, error: { type: 'environment_archived_error' } });
    expect((await client.beta.deployments.retrieve(id)).status).toBe('active');
    expect(await runsOf(id)).toEqual([run]);
  });

  it('needs an environment that lets the MCP servers of its agent be reached', async () => {
    const agent = await client.beta.agents.create({
      name: 'Reader',
      model: 'some-model',
      mcp_servers: [{ type: 'url', name: 'docs', url: 'https://mcp.example.com/mcp' }],
      tools: [{ type: 'mcp_toolset', mcp_server_name: 'docs' }],
    });
    const closed = await client.beta.environments.create({
      name: 'Closed',
      config: { type: 'cloud', networking: { type: 'limited' } },
    });
    const { id } = await make({ agent: agent.id, environment_id: closed.id });
    const blocked = await client.beta.deployments.run(id);
    expect(blocked.error).toMatchObject({
      type: 'mcp_egress_blocked_error',
      message: expect.stringContaining('mcp.example.com'),
    });
    const networking = { type: 'limited' as const, allowed_hosts: ['*.example.com'] };
    await client.beta.environments.update(closed.id, { config: { type: 'cloud', networking } });
    expect((await client.beta.deployments.run(id)).error).toBeNull();
  });

  it('is made once by a request that is repeated', async () => {
    const { id } = await make();
    const options = { headers: { 'idempotency-key': crypto.randomUUID() } };
    const [first, second] = [
      await client.beta.deployments.run(id, {}, options),
      await client.beta.deployments.run(id, {}, options),
    ];
    expect(second).toEqual(first);
    expect(await runsOf(id)).toHaveLength(1);
  });

  it('is refused to another tenant', async () => {
    const { id } = await make();
    await expect(stranger.beta.deployments.run(id)).rejects.toThrow(/^404/);
    await expect(stranger.beta.deployments.retrieve(id)).rejects.toThrow(/^404/);
  });
});

describe('a run of a schedule', () => {
  const minutely = { type: 'cron' as const, expression: '* * * * *', timezone: 'UTC' };

  /** The clock finds that the fire times of an hour of minutes are owed, as after an hour in which nothing ran. */
  const missAnHour = async (id: string) => {
    const owed = `expression = '* * * * *', timezone = 'UTC', handled_up_to = ${Date.now() - 3_600_000}`;
    await world.db.run(`UPDATE deployments SET ${owed} WHERE id = '${id}'`);
    await client.beta.deployments.update(id, { schedule: minutely });
  };

  it('starts at its fire time, by the clock', async () => {
    const { id } = await make({ schedule: daily });
    const began = Date.now();
    await missAnHour(id);
    await expect.poll(() => runsOf(id), { timeout: 40_000 }).not.toEqual([]);
    // The next minute may have come meanwhile: from here on none does.
    const { schedule } = await client.beta.deployments.pause(id);
    const runs = await runsOf(id);
    const times = runs.map(({ trigger_context: context, created_at }) => {
      const scheduledAt = context.type === 'schedule' ? context.scheduled_at : '';
      expect(scheduledAt).toMatch(/:00\.000Z$/);
      expect(Date.parse(created_at)).toBeGreaterThanOrEqual(Date.parse(scheduledAt));
      return Date.parse(scheduledAt);
    });
    expect(new Set(times).size).toBe(runs.length);
    // Of the hour the last one alone, which started up to nine seconds after its minute.
    expect(Math.min(...times)).toBeGreaterThan(began - 70_000);
    expect(schedule?.last_run_at).toBe(runs[0]?.created_at);
    await client.beta.deployments.archive(id);
  }, 60_000);

  it('that cannot begin pauses the deployment and says why', async () => {
    const { id: environment_id } = await client.beta.environments.create({ name: 'Short-lived' });
    const { id } = await make({ environment_id, schedule: daily });
    await client.beta.environments.delete(environment_id);
    await missAnHour(id);
    const statusOf = async () => (await client.beta.deployments.retrieve(id)).status;
    await expect.poll(statusOf, { timeout: 40_000 }).toBe('paused');
    const { paused_reason } = await client.beta.deployments.retrieve(id);
    expect(paused_reason).toEqual({ type: 'error', error: { type: 'environment_not_found_error' } });
    const failed = await client.beta.deploymentRuns.list({ deployment_id: id, has_error: true });
    expect(failed.data).toHaveLength(1);
    expect((await client.beta.deploymentRuns.list({ deployment_id: id, has_error: false })).data).toEqual([]);
    const scheduled = await client.beta.deploymentRuns.list({ deployment_id: id, trigger_type: 'schedule' });
    expect(scheduled.data).toEqual(failed.data);
    expect(
      (await client.beta.deploymentRuns.list({ deployment_id: id, trigger_type: 'manual' })).data,
    ).toEqual([]);
    expect(await client.beta.deployments.unpause(id)).toMatchObject({
      status: 'active',
      paused_reason: null,
    });
    await client.beta.deployments.archive(id);
  }, 60_000);
});
