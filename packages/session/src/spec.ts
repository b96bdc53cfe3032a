// The definition a session was created with: it never changes while the session lives.
import type { AgentSnapshot } from '@capstan/schema/agents';
import type { EnvironmentConfig } from '@capstan/schema/environments';

export interface SessionSpec {
  tenantId: string;
  sessionId: string;
  /** The primary thread. */
  threadId: string;
  agent: AgentSnapshot;
  environment: EnvironmentConfig;
}
