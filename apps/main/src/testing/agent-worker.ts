// Sessions that keep their events in memory, behind the real RPC interface: enough for the public Worker to be tested
// without models and sandboxes. A session exists when the control plane has it.

import { WorkerEntrypoint } from 'cloudflare:workers';
import { openD1 } from '@capstan/db/d1';
import { stores } from '@capstan/db/stores';
import type { AgentTools } from '@capstan/schema/agents';
import type { EnvironmentKey } from '@capstan/schema/environment-images';
import { ApiError } from '@capstan/schema/error';
import type { SessionEvent } from '@capstan/schema/events';
import type { EventParam } from '@capstan/schema/events/user-events';
import type { ExportedSession } from '@capstan/schema/exports';
import { patchMetadata } from '@capstan/schema/metadata';
import { ZERO_USAGE } from '@capstan/schema/usage';
import type { PoolCount, SandboxPrice, WarmPools } from '@capstan/schema/warm-pools';
import type { SessionAddress } from '@capstan/session/address';
import type { LentSnapshot, ModelWanted } from '@capstan/session/harness';
import type { Line } from '@capstan/session/line';
import type {
  EventQuery,
  SandboxFiles,
  Sent,
  SessionChange,
  Sessions,
  SessionView,
  StreamQuery,
  ThreadView,
} from '@capstan/session/service';
import type { SessionSpec } from '@capstan/session/spec';
import { acknowledged, newItem, type WorkItem } from '@capstan/session/work/work-item';
import type { EnvironmentAddress, Pulse, QueueStats, WorkQueues } from '@capstan/session/work/work-queues';
import { newId } from '@capstan/shared/ids';
import { consoleLogger } from '@capstan/shared/logger';

interface Env {
  DB: D1Database;
  EXPOSED_URL: string;
}

interface Remembered {
  spec: SessionSpec;
  events: SessionEvent[];
  changed: Pick<SessionView, 'title' | 'metadata' | 'budget' | 'agentTools'>;
  archivedAt: number | null;
  updatedAt: number;
}

const remembered = new Map<string, Remembered>();
const HEARTBEAT_MS = 50;
const SNAPSHOT_AT = Date.UTC(2026, 0, 2);
let openStreams = 0;

/** The one item of each environment: nobody ever needs a worker here. */
const items = new Map<string, WorkItem>();

export class AgentService extends WorkerEntrypoint<Env> implements Sessions, WorkQueues, WarmPools {
  async expect(): Promise<void> {}

  async wantWork(): Promise<void> {}

  async pollWork(): Promise<null> {
    return null;
  }

  async ackWork(queue: EnvironmentAddress, workId: string, offer: number | null): Promise<WorkItem> {
    return acknowledged(await this.findWork(queue, workId), { offer }, Date.now());
  }

  async beatWork(queue: EnvironmentAddress, workId: string): Promise<Pulse> {
    return { item: await this.findWork(queue, workId), extended: false, refused: true };
  }

  async stopWork(queue: EnvironmentAddress, workId: string): Promise<WorkItem> {
    return this.findWork(queue, workId);
  }

  async updateWork(queue: EnvironmentAddress, workId: string): Promise<WorkItem> {
    return this.findWork(queue, workId);
  }

  async findWork({ environmentId }: EnvironmentAddress, workId: string): Promise<WorkItem> {
    const made = { id: 'work_1', sessionId: 'sesn_1', now: Date.now() };
    const item = items.get(environmentId) ?? newItem(made);
    items.set(environmentId, item);
    if (item.id === workId) return item;
    throw new ApiError('not_found', `No work item ${workId}`);
  }

  async listWork(queue: EnvironmentAddress): Promise<WorkItem[]> {
    return [await this.findWork(queue, 'work_1')];
  }

  async workStats(): Promise<QueueStats> {
    return { depth: 0, pending: 0, oldestQueuedAt: null, workersPolling: 0 };
  }

  async dropWork(): Promise<void> {}

  async ringPool({ environmentId }: EnvironmentKey): Promise<void> {
    consoleLogger.info('test.pool_rung', { environment_id: environmentId });
  }

  async countPool(): Promise<PoolCount> {
    return { ready: 1, starting: 0, lastError: null };
  }

  async priceOfPool(wanted: number): Promise<SandboxPrice> {
    const prices = { usd_per_core_hour: '2', usd_per_gib_hour: '0' };
    return {
      usd_per_sandbox_hour: '1',
      usd_per_hour: String(wanted),
      usd_per_30_days: String(wanted * 720),
      basis: { source: 'operator', as_of: null, cores: '0.5', memory_gib: '1', ...prices },
    };
  }

  async workerLost(): Promise<boolean> {
    return false;
  }

  async send(address: SessionAddress, params: EventParam[]): Promise<Sent> {
    const session = await this.#open(address);
    if (session.archivedAt !== null) throw new ApiError('conflict', 'The session is archived');
    const events = params.map((param) => echo(param));
    session.events.push(...events);
    return { events, replayed: false };
  }

  async view(address: SessionAddress): Promise<SessionView> {
    return toView(await this.#open(address));
  }

  async listEvents(address: SessionAddress, query: EventQuery) {
    const { events } = await this.#open(address);
    if (query.thread !== undefined) await this.#thread(address, query.thread);
    if (query.types?.includes('session.error')) throw new TypeError('a fault inside the session');
    const start = Number(query.page ?? 0);
    if (Number.isNaN(start)) throw new ApiError('invalid_request', 'page: not a cursor of this list');
    const end = start + query.limit;
    const all = query.order === 'asc' ? events : events.toReversed();
    return { data: all.slice(start, end), next_page: end < all.length ? String(end) : null };
  }

  async streamEvents(address: SessionAddress, query: StreamQuery): Promise<ReadableStream<Uint8Array>> {
    const { events } = await this.#open(address);
    if (query.thread !== undefined) await this.#thread(address, query.thread);
    const note = JSON.stringify({ type: 'test.query', query });
    const frames = [`event: test.query\ndata: ${note}\n\n`];
    for (const [index, event] of events.entries()) {
      if (index < (query.after ?? events.length)) continue;
      frames.push(`id: ${index + 1}\nevent: ${event.type}\ndata: ${JSON.stringify(event)}\n\n`);
    }
    return toStream(frames);
  }

  async expose(address: SessionAddress, port: number) {
    await this.#open(address);
    if (port === 9) throw new ApiError('conflict', 'The session has no sandbox that runs');
    return {
      url: this.env.EXPOSED_URL,
      headers: { authorization: 'Bearer of the sandbox', 'x-port': String(port) },
    };
  }

  async update(address: SessionAddress, change: SessionChange): Promise<SessionView> {
    const session = await this.#open(address);
    const { metadata, agent, ...rest } = change;
    session.changed = { ...session.changed, ...rest };
    if (agent) {
      const { tools, mcp_servers } = session.changed.agentTools ?? session.spec.agent;
      session.changed.agentTools = { tools, mcp_servers, ...agent };
    }
    if (metadata) session.changed.metadata = patchMetadata(session.changed.metadata, metadata);
    session.updatedAt = Date.now();
    return toView(session);
  }

  async archive(address: SessionAddress): Promise<SessionView> {
    const session = await this.#open(address);
    session.archivedAt ??= Date.now();
    session.updatedAt = Math.max(session.updatedAt, session.archivedAt);
    return toView(session);
  }

  async prewarm(address: SessionAddress): Promise<void> {
    const { archivedAt } = await this.#open(address);
    if (archivedAt !== null) throw new ApiError('conflict', 'The session is over');
  }

  /** One of a session whose metadata names its image. */
  async lendSnapshot(address: SessionAddress): Promise<LentSnapshot | null> {
    const { image: imageId } = (await this.#open(address)).changed.metadata;
    if (imageId === undefined) return null;
    return { imageId, snapshotId: 'snap_1', takenAt: SNAPSHOT_AT, upTo: null, marked: true };
  }

  async toolsAt(address: SessionAddress): Promise<AgentTools | null> {
    return (await this.#open(address)).changed.agentTools;
  }

  async delete(address: SessionAddress): Promise<void> {
    await this.#open(address);
    remembered.delete(address.sessionId);
  }

  async listSandboxFiles(address: SessionAddress, path: string): Promise<SandboxFiles> {
    await this.#open(address);
    const modified_at = new Date(0).toISOString();
    const entry = { path: `${path}/a.txt`, type: 'file' as const, size_bytes: 4, modified_at, mode: '0644' };
    return { data: [entry], truncated: false };
  }

  async readSandboxFile(address: SessionAddress): Promise<ReadableStream<Uint8Array>> {
    await this.#open(address);
    return new Response('text').body ?? new ReadableStream();
  }

  async writeSandboxFile(
    address: SessionAddress,
    _path: string,
    body: ReadableStream<Uint8Array>,
  ): Promise<number> {
    await this.#open(address);
    return (await new Response(body).arrayBuffer()).byteLength;
  }

  async archiveSandboxFiles(address: SessionAddress): Promise<ReadableStream<Uint8Array>> {
    return this.readSandboxFile(address);
  }

  async remount(address: SessionAddress): Promise<void> {
    await this.#open(address);
  }

  async refresh(address: SessionAddress): Promise<void> {
    await this.#open(address);
    consoleLogger.info('test.refreshed', { session_id: address.sessionId });
  }

  /** The primary thread, idle before its first turn. */
  async threads(address: SessionAddress): Promise<ThreadView[]> {
    const { spec, updatedAt } = await this.#open(address);
    const { multiagent, ...agent } = spec.agent;
    const times = { createdAt: updatedAt, updatedAt, archivedAt: null };
    return [
      {
        ...times,
        id: spec.threadId,
        parentId: null,
        workflowRunId: null,
        agent,
        status: 'idle',
        usage: null,
        activeSeconds: null,
      },
    ];
  }

  async archiveThread(address: SessionAddress, threadId: string): Promise<ThreadView> {
    await this.#thread(address, threadId);
    throw new ApiError('invalid_request', 'thread_id: the primary thread cannot be archived');
  }

  async exportLog(address: SessionAddress): Promise<ReadableStream<Uint8Array>> {
    const { spec, events } = await this.#open(address);
    const { sessionId, threadId, initialEvents, agent, environment, title, metadata, budget } = spec;
    const session: ExportedSession = {
      type: 'session',
      id: sessionId,
      thread_id: threadId,
      agent,
      environment,
      title,
      metadata,
      budget,
      initial_events: initialEvents,
      forked_from: null,
    };
    const rows = events.map((event, index) => ({ seq: index + 1, event }));
    const lines = [session, ...rows];
    return (
      new Response(lines.map((line) => `${JSON.stringify(line)}\n`).join('')).body ?? new ReadableStream()
    );
  }

  async position(address: SessionAddress, eventId: string): Promise<number | null> {
    const { events } = await this.#open(address);
    const index = events.findIndex(({ id }) => id === eventId);
    return index === -1 ? null : index + 1;
  }

  async copyLines(): Promise<Line[]> {
    return [];
  }

  async models() {
    return [{ id: 'known-model', contextWindow: 200_000, maxOutputTokens: 64_000, asOf: '2026-01-02' }];
  }

  async unpriced(_tenantId: string, models: ModelWanted[]): Promise<string[]> {
    return models.map(({ id }) => id).filter((id) => !id.startsWith('priced'));
  }

  async health() {
    return { models: { status: 'ok' as const, detail: `${openStreams} open streams` } };
  }

  async modelNotice() {
    return { provider: 'dev' as const, message: 'The development model answers.' };
  }

  async isolation() {
    return 'container' as const;
  }

  async #thread(address: SessionAddress, threadId: string): Promise<ThreadView> {
    const thread = (await this.threads(address)).find(({ id }) => id === threadId);
    if (thread) return thread;
    throw new ApiError('not_found', `No thread ${threadId}`);
  }

  async #open({ tenantId, sessionId }: SessionAddress): Promise<Remembered> {
    const spec = await stores(openD1(this.env.DB), tenantId).sessions.load(sessionId);
    if (spec === null) throw new ApiError('not_found', `No session ${sessionId}`);
    const { title, metadata, budget } = spec;
    const changed = { title, metadata, budget, agentTools: null };
    const fresh = { spec, events: [], changed, archivedAt: null, updatedAt: Date.now() };
    const session = remembered.get(sessionId) ?? fresh;
    remembered.set(sessionId, session);
    return session;
  }
}

export default { fetch: () => new Response(null, { status: 404 }) };

/** The frames, then a comment now and then: what is written tells a stream that its reader left. */
function toStream(frames: string[]): ReadableStream<Uint8Array> {
  const encoder = new TextEncoder();
  openStreams += 1;
  return new ReadableStream({
    type: 'bytes',
    async pull(controller) {
      const frame = frames.shift();
      if (frame === undefined) await scheduler.wait(HEARTBEAT_MS);
      controller.enqueue(encoder.encode(frame ?? ': still here\n\n'));
    },
    cancel() {
      openStreams -= 1;
    },
  });
}

function echo(param: EventParam): SessionEvent {
  if (param.type !== 'user.message')
    throw new ApiError('invalid_request', `events.0: ${param.type} is not taken`);
  return { ...param, id: newId('event'), processed_at: new Date().toISOString() };
}

function toView({ archivedAt, updatedAt, changed }: Remembered): SessionView {
  return {
    ...changed,
    outcomeEvaluations: [],
    status: archivedAt === null ? 'idle' : 'terminated',
    usage: { ...ZERO_USAGE, input_tokens: 7 },
    activeSeconds: 0,
    updatedAt,
    archivedAt,
  };
}
