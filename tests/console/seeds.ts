// Resources and events as the platform would answer them. Each goes through its schema before it is served.
import { type Agent, agent } from '../../packages/schema/src/agents.ts';
import { type SessionEvent, sessionEvent } from '../../packages/schema/src/events.ts';
import { type Session, session } from '../../packages/schema/src/sessions.ts';
import { tellUsage, ZERO_USAGE } from '../../packages/schema/src/usage.ts';

type WithoutEnvelope<E> = E extends SessionEvent
  ? Omit<E, 'id' | 'processed_at'> & { id?: string; processed_at?: string | null }
  : never;
/** An event whose id and time the seed fills in. */
export type Draft = WithoutEnvelope<SessionEvent>;

let count = 0;
const START = Date.now() - 3_600_000;

export function makeId(prefix: string): string {
  count += 1;
  return `${prefix}_01k${String(count).padStart(21, '0')}`;
}

export function minutesAgo(minutes: number): string {
  return new Date(Date.now() - minutes * 60_000).toISOString();
}

export function makeEvent(draft: Draft): SessionEvent {
  count += 1;
  const at = new Date(START + count * 1000).toISOString();
  return sessionEvent.parse({ id: makeId('sevt'), processed_at: at, ...draft });
}

const config = (name: string, ask: boolean) => ({
  type: name,
  name,
  enabled: true,
  permission_policy: { type: ask ? 'always_ask' : 'always_allow' },
});

export function makeAgent(
  name: string,
  over: { model?: string; system?: string | null; ask?: boolean } = {},
): Agent {
  const tools = ['bash', 'read', 'write', 'edit', 'glob', 'grep'];
  return agent.parse({
    id: makeId('agent'),
    type: 'agent',
    version: 1,
    name,
    description: null,
    model: { id: over.model ?? 'claude-sonnet-4-6' },
    system: over.system ?? null,
    tools: [
      {
        type: 'agent_toolset_20260401',
        default_config: { enabled: false, permission_policy: { type: 'always_allow' } },
        configs: tools.map((tool) => config(tool, over.ask ?? false)),
      },
    ],
    mcp_servers: [],
    skills: [],
    multiagent: null,
    execution_identity: { type: 'service_account' },
    metadata: {},
    created_at: minutesAgo(600),
    updated_at: minutesAgo(600),
    archived_at: null,
  });
}

export function makeSession(of: Agent, over: Partial<Session> = {}): Session {
  const {
    metadata: _metadata,
    created_at: _created,
    updated_at: _updated,
    archived_at: _archived,
    ...snapshot
  } = of;
  return session.parse({
    id: makeId('sesn'),
    type: 'session',
    agent: snapshot,
    environment_id: 'env_01k000000000000000000001',
    status: 'idle',
    title: null,
    metadata: {},
    resources: [],
    vault_ids: [],
    budget: null,
    outcome_evaluations: [],
    stats: { active_seconds: 0, duration_seconds: 0 },
    usage: ZERO_USAGE,
    deployment_id: null,
    created_at: minutesAgo(10),
    updated_at: minutesAgo(10),
    archived_at: null,
    ...over,
  });
}

export const text = (value: string) => [{ type: 'text' as const, text: value }];

/** The events that end a turn. */
export function idle(eventIds: string[] = []): Draft[] {
  const reason =
    eventIds.length > 0
      ? { type: 'requires_action' as const, event_ids: eventIds }
      : { type: 'end_turn' as const };
  return [
    {
      type: 'session.usage',
      usage: tellUsage({ ...ZERO_USAGE, input_tokens: 1840, output_tokens: 312, active_seconds: 4.2 }),
      budget: null,
    },
    { type: 'session.status_idle', stop_reason: reason, stop_details: null },
  ];
}
