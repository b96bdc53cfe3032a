// A session's row as the API shows it: what it was created with, and what is true of it now.
import type { AgentTools } from '@capstan/schema/agents';
import type { Budget } from '@capstan/schema/budgets';
import type { Metadata } from '@capstan/schema/metadata';
import type { OutcomeEvaluation } from '@capstan/schema/outcomes';
import type { SessionResource } from '@capstan/schema/resources';
import type { Session, SessionStatus } from '@capstan/schema/sessions';
import type { SessionUsage } from '@capstan/schema/usage';
import { getTableColumns, type SQL, sql } from 'drizzle-orm';
import { resourcesOfSession } from './resource-rows.ts';
import { sessions } from './tables/sessions.ts';
import { toTimestamp } from './timestamp.ts';

/** What is true of a session now. Instants are epoch ms. */
export interface SessionIndex {
  status: SessionStatus;
  usage: SessionUsage;
  activeSeconds: number;
  updatedAt: number;
  archivedAt: number | null;
  title: string | null;
  metadata: Metadata;
  budget: Budget | null;
  outcomeEvaluations: OutcomeEvaluation[];
  /** Of its agent; null: as the session was created with it. */
  agentTools: AgentTools | null;
}

const { environment, initialEvents, origin, ...shown } = getTableColumns(sessions);
/** All but what only the session itself needs, and its resources. */
export const shownColumns = { ...shown, resources: resourcesOfSession };

/** What is shown of a row. */
export type SessionRow = Omit<typeof sessions.$inferSelect, 'environment' | 'initialEvents' | 'origin'> & {
  resources: SessionResource[];
};

/** The resource: `row` says what the session is, `index` what is true of it at `now` (epoch ms). */
export function toSession<Agent>(
  row: Omit<SessionRow, 'agent'> & { agent: Agent },
  index: SessionIndex,
  now: number,
): Omit<Session, 'agent'> & { agent: Agent } {
  const { title, metadata, budget, outcomeEvaluations, agentTools } = index;
  // A session nothing was sent to has not been touched since it was created.
  const updatedAt = Math.max(row.createdAt, index.updatedAt);
  const until = index.status === 'terminated' ? updatedAt : Math.max(now, updatedAt);
  return {
    id: row.id,
    type: 'session',
    agent: agentTools === null ? row.agent : { ...row.agent, ...agentTools },
    environment_id: row.environmentId,
    status: index.status,
    title,
    metadata,
    resources: row.resources,
    vault_ids: row.vaultIds,
    budget,
    outcome_evaluations: outcomeEvaluations,
    stats: {
      active_seconds: index.activeSeconds,
      duration_seconds: (until - row.createdAt) / 1000,
    },
    usage: index.usage,
    deployment_id: row.deploymentId,
    created_at: toTimestamp(row.createdAt),
    updated_at: toTimestamp(updatedAt),
    archived_at: index.archivedAt === null ? null : toTimestamp(index.archivedAt),
  };
}

/** The agent of a row as `toSession` shows it, as JSON of the database. */
export function shownAgent({ agentTools }: Pick<SessionIndex, 'agentTools'>): SQL {
  const copied = sql`json(${sessions.agent})`;
  if (agentTools === null) return copied;
  const { tools, mcp_servers } = agentTools;
  return sql`json_set(${copied}, '$.tools', json(${JSON.stringify(tools)}),
    '$.mcp_servers', json(${JSON.stringify(mcp_servers)}))`;
}
