// The RPC interface of the work queues of self-hosted environments. Every method refuses with an ApiError.
import type { MetadataPatch } from '@capstan/schema/metadata';
import type { Beat, Stopping, WorkItem } from './work-item.ts';

/** An environment whose sessions are served by workers of the user's own. */
export interface EnvironmentAddress {
  tenantId: string;
  environmentId: string;
}

export function queueName({ tenantId, environmentId }: EnvironmentAddress): string {
  return `${tenantId}/${environmentId}`;
}

export interface Poll {
  /** Null: the worker does not say who it is. */
  workerId: string | null;
  /** How long to wait for work, ms; 0: not at all. */
  blockMs: number;
  /** What was given to a poll and not acknowledged for so long is offered again. */
  reclaimMs: number;
}

export interface Pulse {
  item: WorkItem;
  /** The beat extended the lease; otherwise the item is as it was. */
  extended: boolean;
  /** The beat was not the holder's. */
  refused: boolean;
}

export interface QueueStats {
  /** Items that nobody was given. */
  depth: number;
  /** Items that were given to a poll and not acknowledged. */
  pending: number;
  /** Of both, epoch ms; null: there are none. */
  oldestQueuedAt: number | null;
  /** Workers that said who they are and have polled within the last 30 seconds. */
  workersPolling: number;
}

export interface WorkPage {
  /** Those that are older than that item; null: from the newest on. */
  before: string | null;
  take: number;
}

export interface WorkQueues {
  /** Whether a worker is needed for a session. Durable when it resolves; may be repeated. */
  wantWork(queue: EnvironmentAddress, sessionId: string, wanted: boolean): Promise<void>;
  /** The oldest item that is nobody's, from then on offered to whoever asked. Null: there is none. */
  pollWork(queue: EnvironmentAddress, poll: Poll): Promise<WorkItem | null>;
  ackWork(queue: EnvironmentAddress, workId: string, offer: number | null): Promise<WorkItem>;
  beatWork(queue: EnvironmentAddress, workId: string, beat: Beat): Promise<Pulse>;
  stopWork(queue: EnvironmentAddress, workId: string, stopping: Stopping): Promise<WorkItem>;
  updateWork(queue: EnvironmentAddress, workId: string, metadata: MetadataPatch): Promise<WorkItem>;
  findWork(queue: EnvironmentAddress, workId: string): Promise<WorkItem>;
  /** Newest first. */
  listWork(queue: EnvironmentAddress, page: WorkPage): Promise<WorkItem[]>;
  workStats(queue: EnvironmentAddress): Promise<QueueStats>;
  /** The environment is gone, and all its work. */
  dropWork(queue: EnvironmentAddress): Promise<void>;
}
