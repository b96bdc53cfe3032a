// The definition a session was created with: it never changes while the session lives.
import type { AgentSnapshot } from '@capstan/schema/agents';
import type { Budget } from '@capstan/schema/budgets';
import type { EnvironmentConfig } from '@capstan/schema/environments';
import type { EventParam } from '@capstan/schema/events/user-events';
import type { Metadata } from '@capstan/schema/metadata';
import type { AttachedMemoryStore } from '@capstan/schema/resources';
import type { LentSnapshot } from './harness.ts';

export interface SessionSpec {
  tenantId: string;
  sessionId: string;
  /** The primary thread. */
  threadId: string;
  agent: AgentSnapshot;
  environmentId: string;
  environment: EnvironmentConfig;
  title: string | null;
  metadata: Metadata;
  budget: Budget | null;
  /** Sent to it with its creation: accepted when its log is empty and it is first opened. */
  initialEvents: EventParam[];
  /** Whose credentials it may use. */
  vaultIds: string[];
  /** The session whose log it begins with, the last event it takes over, and the snapshot its sandbox begins with. */
  origin: { sessionId: string; eventId: string; snapshot?: LentSnapshot | null } | null;
  /** Absent: none. */
  memoryStores?: readonly AttachedMemoryStore[];
  /** Whether its environment kept sandboxes ready when the session was first opened. Absent: it did not. */
  warmPool?: boolean;
  /** Epoch ms. */
  createdAt: number;
}
