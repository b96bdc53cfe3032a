// The RPC interface of the agent Worker: what main and jobs may ask of sessions.
// Every method refuses with an ApiError (recognised by shape after RPC); an unknown address is `not_found`.

import type { ModelNotice } from '@capstan/schema/console-login';
import type { EventType, SessionEvent } from '@capstan/schema/events';
import type { Previewable } from '@capstan/schema/events/previews';
import type { EventParam } from '@capstan/schema/events/user-events';
import type { BackendHealth } from '@capstan/schema/health';
import type { Claim } from '@capstan/schema/idempotency';
import type { Page } from '@capstan/schema/page';
import type { SessionStatus } from '@capstan/schema/sessions';
import type { SessionUsage } from '@capstan/schema/usage';
import type { SessionAddress } from './address.ts';

/** What is true of a session now; its definition (agent, title, …) stands in the control plane. Instants are epoch ms. */
export interface SessionView {
  status: SessionStatus;
  usage: SessionUsage;
  activeSeconds: number;
  updatedAt: number;
  archivedAt: number | null;
}

export interface EventQuery {
  limit: number;
  order: 'asc' | 'desc';
  page?: string;
  types?: EventType[];
  /** Bounds on `processed_at`, epoch ms. */
  after?: { at: number; inclusive: boolean };
  before?: { at: number; inclusive: boolean };
}

export interface StreamQuery {
  /** Replays events after this sequence first. Absent: only what happens from now on. */
  after?: number;
  deltas?: Previewable[];
}

export interface Sent {
  /** The sent events as they stood when they were accepted, in the order they were sent. */
  events: SessionEvent[];
  /** The send was a repetition: nothing was done, and this is what the first one was answered. */
  replayed: boolean;
}

export interface Sessions {
  /** Accepts all events or none. With a claim, a repetition is answered as the first was and does nothing. */
  send(address: SessionAddress, events: EventParam[], claim?: Claim): Promise<Sent>;
  view(address: SessionAddress): Promise<SessionView>;
  listEvents(address: SessionAddress, query: EventQuery): Promise<Page<SessionEvent>>;
  /** Server-sent event frames (`id`, `event`, `data`), UTF-8. Cancel it to unsubscribe. */
  streamEvents(address: SessionAddress, query: StreamQuery): Promise<ReadableStream<Uint8Array>>;
  archive(address: SessionAddress): Promise<SessionView>;
  /** From then on the session is `not_found`; its sandbox, row and log are erased afterwards, whatever dies meanwhile. */
  delete(address: SessionAddress): Promise<void>;
  /** Asks what the agent Worker depends on: sandboxes, models. */
  health(): Promise<Record<string, BackendHealth>>;
  modelNotice(): Promise<ModelNotice>;
}
