// The definition a session was created with: it never changes while the session lives.
import type { AgentSnapshot } from '@capstan/schema/agents';
import type { Budget } from '@capstan/schema/budgets';
import type { EnvironmentConfig } from '@capstan/schema/environments';
import type { EventParam } from '@capstan/schema/events/user-events';
import type { Metadata } from '@capstan/schema/metadata';

export interface SessionSpec {
  tenantId: string;
  sessionId: string;
  /** The primary thread. */
  threadId: string;
  agent: AgentSnapshot;
  environment: EnvironmentConfig;
  title: string | null;
  metadata: Metadata;
  budget: Budget | null;
  /** Sent to it with its creation: accepted when its log is empty and it is first opened. */
  initialEvents: EventParam[];
  /** The session whose log it begins with, and the last event it takes over. */
  origin: { sessionId: string; eventId: string } | null;
  /** Epoch ms. */
  createdAt: number;
}
