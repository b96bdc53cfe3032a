// One session's object: opens its runtime over its own storage, and passes calls on. It decides nothing.
//
// D1. The object learns its definition from the control plane on its first call and keeps it: later calls ask nobody.
// D2. An address the control plane does not know leaves no trace: nothing is stored for it, but for the minutes in which
//     it may be about to be created (expectation.ts).
// D3. A runtime that died is never asked again: the next call opens another from the log.

import { DurableObject } from 'cloudflare:workers';
import {
  archiveSandboxFiles,
  type Located,
  listSandboxFiles,
  readSandboxFile,
  writeSandboxFile,
} from '@capstan/harness/sandbox-files';
import type { AgentTools } from '@capstan/schema/agents';
import { ApiError, isApiError } from '@capstan/schema/error';
import type { SessionEvent } from '@capstan/schema/events';
import type { EventParam } from '@capstan/schema/events/user-events';
import type { Claim } from '@capstan/schema/idempotency';
import type { Page } from '@capstan/schema/page';
import type { SessionAddress } from '@capstan/session/address';
import type { Exposed, LentSnapshot } from '@capstan/session/harness';
import { toolsAt } from '@capstan/session/lending';
import type { Line } from '@capstan/session/line';
import { expose, place, prewarm, refresh, work } from '@capstan/session/outside-calls';
import { SessionRuntime } from '@capstan/session/runtime';
import type {
  EventQuery,
  SandboxFiles,
  Sent,
  SessionChange,
  SessionView,
  StreamQuery,
  ThreadView,
} from '@capstan/session/service';
import { parseSocketUrl, toRefusal } from '@capstan/session/socket-request';
import type { SessionSpec } from '@capstan/session/spec';
import { migrate, type Sql } from '@capstan/session/sql';
import { consoleLogger } from '@capstan/shared/logger';
import eventsTable from '../../../migrations/session-do/0001_events.sql';
import receiptsTable from '../../../migrations/session-do/0002_receipts.sql';
import threadsTables from '../../../migrations/session-do/0003_threads.sql';
import type { Env } from './env.ts';
import { Expectation } from './expectation.ts';
import { Facts } from './facts.ts';
import { createPorts, failpointsOf, loadSpec, openSandboxes } from './ports.ts';
import { toSandboxFiles } from './sandbox-files.ts';
import { Sockets, type Teller } from './sockets.ts';
import { StorageAlarm, toSql } from './storage.ts';

const MIGRATIONS = [eventsTable, receiptsTable, threadsTables];

export class SessionDO extends DurableObject<Env> {
  #sql: Sql;
  #alarm: Promise<StorageAlarm>;
  #sockets: Sockets;
  #opening: Promise<SessionRuntime> | null = null;

  constructor(ctx: DurableObjectState, env: Env) {
    super(ctx, env);
    this.#sql = toSql(ctx.storage);
    this.#alarm = StorageAlarm.open(ctx.storage);
    this.#sockets = new Sockets(ctx, consoleLogger);
  }

  async expect(address: SessionAddress): Promise<void> {
    if (this.#storedSpec() !== null) return;
    migrate(this.#sql, MIGRATIONS);
    const look = new Expectation(new Facts(this.#sql)).begin(address, Date.now());
    (await this.#alarm).arm(look);
    await this.ctx.storage.sync();
  }

  async send(address: SessionAddress, events: EventParam[], claim?: Claim): Promise<Sent> {
    return (await this.#runtime(address)).send(events, claim);
  }

  async view(address: SessionAddress): Promise<SessionView> {
    return (await this.#runtime(address)).view;
  }

  async listEvents(address: SessionAddress, query: EventQuery): Promise<Page<SessionEvent>> {
    return (await this.#runtime(address)).events(query);
  }

  async streamEvents(address: SessionAddress, query: StreamQuery): Promise<ReadableStream<Uint8Array>> {
    return (await this.#runtime(address)).stream(query);
  }

  async update(address: SessionAddress, change: SessionChange): Promise<SessionView> {
    return (await this.#runtime(address)).update(change);
  }

  async workerLost(address: SessionAddress, until: number): Promise<boolean> {
    return (await this.#runtime(address)).workerLost(until);
  }

  async archive(address: SessionAddress): Promise<SessionView> {
    return (await this.#runtime(address)).archive();
  }

  async listSandboxFiles(address: SessionAddress, path: string): Promise<SandboxFiles> {
    return toSandboxFiles(await listSandboxFiles(await this.#located(address, path)));
  }

  async readSandboxFile(address: SessionAddress, path: string): Promise<ReadableStream<Uint8Array>> {
    return readSandboxFile(await this.#located(address, path));
  }

  async writeSandboxFile(address: SessionAddress, path: string, body: ReadableStream<Uint8Array>) {
    const sandboxes = openSandboxes(this.env);
    const runtime = await this.#runtime(address);
    const write = (sandboxId: string) => writeSandboxFile({ sandboxes, sandboxId, path }, body);
    return runtime.outside((state, holding) => work(state, holding, write));
  }

  async archiveSandboxFiles(address: SessionAddress, path: string): Promise<ReadableStream<Uint8Array>> {
    return archiveSandboxFiles(await this.#located(address, path));
  }

  async remount(address: SessionAddress): Promise<void> {
    await this.#runtime(address);
    new Facts(this.#sql).set('mounts_stale', 'yes');
  }

  async refresh(address: SessionAddress): Promise<void> {
    (await this.#runtime(address)).outside(refresh);
  }

  async delete(address: SessionAddress): Promise<void> {
    await (await this.#runtime(address)).delete();
  }

  async prewarm(address: SessionAddress): Promise<void> {
    (await this.#runtime(address)).outside(prewarm);
  }

  async expose(address: SessionAddress, port: number): Promise<Exposed> {
    return (await this.#runtime(address)).outside((state, holding) => expose(state, holding, port));
  }

  async lendSnapshot(address: SessionAddress, eventId: string): Promise<LentSnapshot | null> {
    return (await this.#runtime(address)).lendSnapshot(eventId);
  }

  async toolsAt(address: SessionAddress, eventId: string): Promise<AgentTools | null> {
    return toolsAt(await this.#runtime(address), { sessionId: address.sessionId, eventId });
  }

  async threads(address: SessionAddress): Promise<ThreadView[]> {
    return (await this.#runtime(address)).threads;
  }

  async archiveThread(address: SessionAddress, threadId: string): Promise<ThreadView> {
    return (await this.#runtime(address)).archiveThread(threadId);
  }

  async exportLog(address: SessionAddress): Promise<ReadableStream<Uint8Array>> {
    return (await this.#runtime(address)).exportLog();
  }

  async position(address: SessionAddress, eventId: string): Promise<number | null> {
    return (await this.#runtime(address)).position(eventId);
  }

  async copyLines(address: SessionAddress, after: number, until: string): Promise<Line[]> {
    return (await this.#runtime(address)).copyLines(after, until);
  }

  override async fetch(request: Request): Promise<Response> {
    const { address, query } = parseSocketUrl(request.url);
    try {
      return this.#sockets.accept(tellerOf(await this.#runtime(address)), query);
    } catch (error) {
      return toRefusal(error);
    }
  }

  override webSocketMessage(socket: WebSocket): void {
    this.#sockets.refuse(socket);
  }

  override webSocketClose(socket: WebSocket): void {
    this.#sockets.answerClose(socket);
  }

  override webSocketError(socket: WebSocket): void {
    this.#sockets.leave(socket);
  }

  override async alarm(): Promise<void> {
    const spec = this.#storedSpec();
    const wake = async () => {
      if (!spec) return this.#look();
      await failpointsOf(this.env, spec)?.('alarm.ring');
      await (await this.#runtime(spec)).wake();
    };
    const ids = { session_id: spec?.sessionId, tenant_id: spec?.tenantId };
    await (await this.#alarm).ring(wake, consoleLogger.child(ids));
  }

  /** Whether the session that was announced is there: then it begins, otherwise nothing is left of it in the end. */
  async #look(): Promise<void> {
    if (!this.#hasFacts()) return;
    const expectation = new Expectation(new Facts(this.#sql));
    const { address } = expectation;
    if (address === null) return;
    try {
      await (await this.#runtime(address)).wake();
    } catch (error) {
      if (!isApiError(error) || error.code !== 'not_found') throw error;
      const again = expectation.missed(Date.now());
      if (again === null) await this.ctx.storage.deleteAll();
      else (await this.#alarm).arm(again);
    }
  }

  async #located(address: SessionAddress, path: string): Promise<Located> {
    const sandboxId = await (await this.#runtime(address)).outside(place);
    return { sandboxes: openSandboxes(this.env), sandboxId, path };
  }

  async #runtime(address: SessionAddress): Promise<SessionRuntime> {
    for (;;) {
      this.#opening ??= this.#open(address);
      const opening = this.#opening;
      try {
        const runtime = await opening;
        if (!runtime.dead) return runtime;
        this.#forget(opening);
      } catch (error) {
        this.#forget(opening);
        throw error;
      }
    }
  }

  #forget(opening: Promise<SessionRuntime>): void {
    if (this.#opening === opening) this.#opening = null;
  }

  async #open(address: SessionAddress): Promise<SessionRuntime> {
    const spec = this.#storedSpec() ?? (await this.#learnSpec(address));
    const erase = () => this.ctx.storage.deleteAll();
    const place = { sql: this.#sql, facts: new Facts(this.#sql), alarm: await this.#alarm, erase };
    const runtime = await SessionRuntime.open(createPorts(this.env, spec, place), spec);
    this.#sockets.resume(tellerOf(runtime));
    return runtime;
  }

  #storedSpec(): SessionSpec | null {
    if (!this.#hasFacts()) return null;
    migrate(this.#sql, MIGRATIONS);
    const stored = new Facts(this.#sql).get('spec');
    return stored === null ? null : JSON.parse(stored);
  }

  #hasFacts(): boolean {
    return this.#sql.all("SELECT 1 FROM sqlite_master WHERE name = 'facts'", []).length > 0;
  }

  async #learnSpec(address: SessionAddress): Promise<SessionSpec> {
    const spec = await loadSpec(this.env, address);
    if (spec === null) throw new ApiError('not_found', `No session ${address.sessionId}`);
    migrate(this.#sql, MIGRATIONS);
    const facts = new Facts(this.#sql);
    facts.set('spec', JSON.stringify(spec));
    new Expectation(facts).met();
    return spec;
  }
}

function tellerOf(runtime: SessionRuntime): Teller {
  return {
    attach: (socket, query) => runtime.hub.attach(socket, runtime.opening(query)),
  };
}
