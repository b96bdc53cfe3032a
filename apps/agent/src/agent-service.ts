// The RPC entrypoint that main and jobs bind: finds the session's object and passes the call on.

import { WorkerEntrypoint } from 'cloudflare:workers';
import { buildAhead } from '@capstan/harness/environment-image';
import { knownModels } from '@capstan/harness/known-models';
import { unpricedModels } from '@capstan/harness/model-choice';
import type { AgentTools } from '@capstan/schema/agents';
import type { ModelNotice } from '@capstan/schema/console-login';
import type { BuildOutcome, EnvironmentKey, ImageBuilder } from '@capstan/schema/environment-images';
import type { SessionEvent } from '@capstan/schema/events';
import type { EventParam } from '@capstan/schema/events/user-events';
import type { BackendHealth } from '@capstan/schema/health';
import type { Claim } from '@capstan/schema/idempotency';
import type { ImageSource } from '@capstan/schema/image-source';
import type { Isolation } from '@capstan/schema/isolation';
import type { MetadataPatch } from '@capstan/schema/metadata';
import type { Page } from '@capstan/schema/page';
import type { PoolCount, SandboxPrice, SandboxSize, WarmPools } from '@capstan/schema/warm-pools';
import { objectName, type SessionAddress } from '@capstan/session/address';
import type { Exposed, LentSnapshot, ModelWanted } from '@capstan/session/harness';
import type { Line } from '@capstan/session/line';
import type {
  EventQuery,
  KnownModel,
  SandboxFiles,
  Sent,
  SessionChange,
  Sessions,
  SessionView,
  StreamQuery,
  ThreadView,
} from '@capstan/session/service';
import { parseSocketUrl } from '@capstan/session/socket-request';
import type { Beat, Stopping, WorkItem } from '@capstan/session/work/work-item';
import {
  type EnvironmentAddress,
  type Poll,
  type Pulse,
  type QueueStats,
  queueName,
  type WorkPage,
  type WorkQueues,
} from '@capstan/session/work/work-queues';
import type { Env } from './env.ts';
import { checkBackends, isolationOf } from './health.ts';
import { noticeOf, openSandboxes, openTenantModels, readConfig } from './ports.ts';
import type { SessionDO } from './session-do.ts';
import { poolName } from './session-pool.ts';
import type { WarmPoolDO } from './warm-pool-do.ts';
import { priceOfPool } from './warm-pools.ts';
import type { WorkDO } from './work-do.ts';

interface ServiceEnv extends Omit<Env, 'SESSIONS' | 'WORK' | 'POOLS'> {
  SESSIONS: DurableObjectNamespace<SessionDO>;
  WORK: DurableObjectNamespace<WorkDO>;
  POOLS: DurableObjectNamespace<WarmPoolDO>;
}

export class AgentService
  extends WorkerEntrypoint<ServiceEnv>
  implements Sessions, WorkQueues, ImageBuilder, WarmPools
{
  /** A session's socket, which RPC cannot carry. */
  override fetch(request: Request): Promise<Response> {
    return this.#session(parseSocketUrl(request.url).address).fetch(request);
  }

  expect(address: SessionAddress): Promise<void> {
    return this.#session(address).expect(address);
  }

  send(address: SessionAddress, events: EventParam[], claim?: Claim): Promise<Sent> {
    return this.#session(address).send(address, events, claim);
  }

  view(address: SessionAddress): Promise<SessionView> {
    return this.#session(address).view(address);
  }

  listEvents(address: SessionAddress, query: EventQuery): Promise<Page<SessionEvent>> {
    return this.#session(address).listEvents(address, query);
  }

  streamEvents(address: SessionAddress, query: StreamQuery): Promise<ReadableStream<Uint8Array>> {
    return this.#session(address).streamEvents(address, query);
  }

  update(address: SessionAddress, change: SessionChange): Promise<SessionView> {
    return this.#session(address).update(address, change);
  }

  workerLost(address: SessionAddress, until: number): Promise<boolean> {
    return this.#session(address).workerLost(address, until);
  }

  archive(address: SessionAddress): Promise<SessionView> {
    return this.#session(address).archive(address);
  }

  listSandboxFiles(address: SessionAddress, path: string): Promise<SandboxFiles> {
    return this.#session(address).listSandboxFiles(address, path);
  }

  readSandboxFile(address: SessionAddress, path: string): Promise<ReadableStream<Uint8Array>> {
    return this.#session(address).readSandboxFile(address, path);
  }

  writeSandboxFile(address: SessionAddress, path: string, body: ReadableStream<Uint8Array>): Promise<number> {
    return this.#session(address).writeSandboxFile(address, path, body);
  }

  archiveSandboxFiles(address: SessionAddress, path: string): Promise<ReadableStream<Uint8Array>> {
    return this.#session(address).archiveSandboxFiles(address, path);
  }

  remount(address: SessionAddress): Promise<void> {
    return this.#session(address).remount(address);
  }

  refresh(address: SessionAddress): Promise<void> {
    return this.#session(address).refresh(address);
  }

  delete(address: SessionAddress): Promise<void> {
    return this.#session(address).delete(address);
  }

  prewarm(address: SessionAddress): Promise<void> {
    return this.#session(address).prewarm(address);
  }

  expose(address: SessionAddress, port: number): Promise<Exposed> {
    return this.#session(address).expose(address, port);
  }

  lendSnapshot(address: SessionAddress, eventId: string): Promise<LentSnapshot | null> {
    return this.#session(address).lendSnapshot(address, eventId);
  }

  toolsAt(address: SessionAddress, eventId: string): Promise<AgentTools | null> {
    return this.#session(address).toolsAt(address, eventId);
  }

  threads(address: SessionAddress): Promise<ThreadView[]> {
    return this.#session(address).threads(address);
  }

  archiveThread(address: SessionAddress, threadId: string): Promise<ThreadView> {
    return this.#session(address).archiveThread(address, threadId);
  }

  exportLog(address: SessionAddress): Promise<ReadableStream<Uint8Array>> {
    return this.#session(address).exportLog(address);
  }

  position(address: SessionAddress, eventId: string): Promise<number | null> {
    return this.#session(address).position(address, eventId);
  }

  copyLines(address: SessionAddress, after: number, until: string): Promise<Line[]> {
    return this.#session(address).copyLines(address, after, until);
  }

  async unpriced(tenantId: string, models: ModelWanted[]): Promise<string[]> {
    const cards = await openTenantModels(this.env, tenantId).load();
    return unpricedModels(readConfig(this.env), models, cards);
  }

  async models(): Promise<KnownModel[]> {
    return knownModels(readConfig(this.env));
  }

  async buildImage(source: ImageSource, stamp: string): Promise<BuildOutcome> {
    return buildAhead(openSandboxes(this.env), source, stamp);
  }

  async deleteImage(imageId: string): Promise<void> {
    await openSandboxes(this.env).deleteImage(imageId);
  }

  ringPool(environment: EnvironmentKey): Promise<void> {
    return this.#warmPool(environment).ring(environment);
  }

  countPool(environment: EnvironmentKey): Promise<PoolCount> {
    return this.#warmPool(environment).count(environment);
  }

  priceOfPool(wanted: number, size: SandboxSize): Promise<SandboxPrice | null> {
    return priceOfPool(this.env, wanted, size);
  }

  health(): Promise<Record<string, BackendHealth>> {
    return checkBackends(this.env);
  }

  async modelNotice(): Promise<ModelNotice> {
    return noticeOf(this.env);
  }

  isolation(): Promise<Isolation | null> {
    return isolationOf(this.env);
  }

  wantWork(queue: EnvironmentAddress, sessionId: string, wanted: boolean): Promise<void> {
    return this.#work(queue).wantWork(queue, sessionId, wanted);
  }

  pollWork(queue: EnvironmentAddress, poll: Poll): Promise<WorkItem | null> {
    return this.#work(queue).pollWork(queue, poll);
  }

  ackWork(queue: EnvironmentAddress, workId: string, offer: number | null): Promise<WorkItem> {
    return this.#work(queue).ackWork(queue, workId, offer);
  }

  beatWork(queue: EnvironmentAddress, workId: string, beat: Beat): Promise<Pulse> {
    return this.#work(queue).beatWork(queue, workId, beat);
  }

  stopWork(queue: EnvironmentAddress, workId: string, stopping: Stopping): Promise<WorkItem> {
    return this.#work(queue).stopWork(queue, workId, stopping);
  }

  updateWork(queue: EnvironmentAddress, workId: string, metadata: MetadataPatch): Promise<WorkItem> {
    return this.#work(queue).updateWork(queue, workId, metadata);
  }

  findWork(queue: EnvironmentAddress, workId: string): Promise<WorkItem> {
    return this.#work(queue).findWork(queue, workId);
  }

  listWork(queue: EnvironmentAddress, page: WorkPage): Promise<WorkItem[]> {
    return this.#work(queue).listWork(queue, page);
  }

  workStats(queue: EnvironmentAddress): Promise<QueueStats> {
    return this.#work(queue).workStats(queue);
  }

  dropWork(queue: EnvironmentAddress): Promise<void> {
    return this.#work(queue).dropWork(queue);
  }

  #warmPool(environment: EnvironmentKey) {
    return this.env.POOLS.getByName(poolName(environment));
  }

  #work(queue: EnvironmentAddress) {
    return this.env.WORK.getByName(queueName(queue));
  }

  /** The tenant is part of the name: another tenant's id names another object, which the control plane does not know. */
  #session(address: SessionAddress) {
    return this.env.SESSIONS.getByName(objectName(address));
  }
}
