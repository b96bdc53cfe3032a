// Deployments with a schedule and what became of their fire times, as a client of the official SDK sees it.
import type Anthropic from '@anthropic-ai/sdk';

export type Runs = Awaited<ReturnType<typeof everyRun>>;

export interface Fired {
  expression: string;
  missedRuns: 'skip' | 'latest' | 'all';
}

/** Makes deployments of one agent that says a word; resolves with their ids. Without `fired` they have no schedule. */
export type Deploy = (name: string, fired?: Fired) => Promise<string>;

export async function openSchedules(client: Anthropic): Promise<Deploy> {
  const agent = await client.beta.agents.create({ name: 'Scheduled', model: 'claude-sonnet-4-6' });
  const environment = await client.beta.environments.create({ name: 'Scheduled' });
  return async (name, fired) => {
    // Our own key beside the SDK's.
    const own: object = fired === undefined ? {} : { capstan: { missed_runs: fired.missedRuns } };
    const made = await client.beta.deployments.create({
      ...own,
      name,
      agent: agent.id,
      environment_id: environment.id,
      initial_events: [{ type: 'user.message', content: [{ type: 'text', text: '[[say done]]' }] }],
      schedule: fired === undefined ? null : cron(fired.expression),
    });
    return made.id;
  };
}

/** Gives a deployment that schedule; resolves with when its next run is to start, jitter and all, epoch ms. */
export async function reschedule(client: Anthropic, id: string, expression: string): Promise<number> {
  const changed = await client.beta.deployments.update(id, { schedule: cron(expression) });
  const { capstan } = changed as unknown as { capstan: { upcoming_starts_at: string[] } };
  return Date.parse(capstan.upcoming_starts_at[0] ?? '');
}

function cron(expression: string) {
  return { type: 'cron' as const, expression, timezone: 'UTC' };
}

/** The runs of a deployment, or of all; newest first. */
export async function everyRun(client: Anthropic, deployment_id?: string) {
  const runs = [];
  for await (const run of client.beta.deploymentRuns.list({
    limit: 1_000,
    ...(deployment_id && { deployment_id }),
  }))
    runs.push(run);
  return runs;
}

/** The fire times of runs, earliest first, epoch ms; a run that was asked for has none. */
export function fireTimes(runs: Runs): number[] {
  return runs
    .flatMap(({ trigger_context: context }) =>
      context.type === 'schedule' ? [Date.parse(context.scheduled_at)] : [],
    )
    .sort((a, b) => a - b);
}

/** The ids of the sessions that a deployment made, or all did. */
export async function sessionsOf(client: Anthropic, deployment_id?: string): Promise<string[]> {
  const ids: string[] = [];
  for await (const { id } of client.beta.sessions.list({
    limit: 100,
    ...(deployment_id && { deployment_id }),
  }))
    ids.push(id);
  return ids.sort();
}
