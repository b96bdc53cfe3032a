// Deployments with a schedule and what became of their fire times, as a client of the official SDK sees it.
import type Anthropic from '@anthropic-ai/sdk';

export type Runs = Awaited<ReturnType<typeof everyRun>>;

export interface Fired {
  expression: string;
  missedRuns: 'skip' | 'latest' | 'all';
}

export interface Deployed {
  id: string;
  /** When its next run is to start, jitter and all; epoch ms. */
  startsAt: number;
}

export type Deploy = (name: string, fired: Fired) => Promise<Deployed>;

/** Makes deployments of one agent that says a word. */
export async function openSchedules(client: Anthropic): Promise<Deploy> {
  const agent = await client.beta.agents.create({ name: 'Scheduled', model: 'claude-sonnet-4-6' });
  const environment = await client.beta.environments.create({ name: 'Scheduled' });
  return async (name, { expression, missedRuns }) => {
    // Our own key beside the SDK's.
    const own: object = { capstan: { missed_runs: missedRuns } };
    const made = await client.beta.deployments.create({
      ...own,
      name,
      agent: agent.id,
      environment_id: environment.id,
      initial_events: [{ type: 'user.message', content: [{ type: 'text', text: '[[say done]]' }] }],
      schedule: { type: 'cron', expression, timezone: 'UTC' },
    });
    const { capstan } = made as unknown as { capstan: { upcoming_starts_at: string[] } };
    return { id: made.id, startsAt: Date.parse(capstan.upcoming_starts_at[0] ?? '') };
  };
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
