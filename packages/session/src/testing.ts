// world(): what outlives a process (storage, the alarm, the index, what tools did), and runtimes that come and go in it.
import type { AgentSnapshot } from '@capstan/schema/agents';
import { ApiError } from '@capstan/schema/error';
import type { SessionEvent } from '@capstan/schema/events';
import { ID_PREFIXES } from '@capstan/schema/ids';
import type { Announcement } from '@capstan/schema/webhook-events';
import { silentLogger } from '@capstan/shared/logger';
import { evolveAll } from './evolve.ts';
import { foldOf } from './fold.ts';
import { readEntries } from './log-reader.ts';
import { MemoryBlobs } from './memory-blobs.ts';
import type { LedgerLine, MarkName, Ports, Pulse } from './ports.ts';
import { SessionRuntime } from './runtime.ts';
import { ScriptedHarness } from './scripted-harness.ts';
import type { SessionView } from './service.ts';
import type { SessionSpec } from './spec.ts';
import type { Sql } from './sql.ts';
import { SqlLog } from './sql-log.ts';
import type { State } from './state.ts';
import { memorySql } from './testing/memory-sql.ts';

/** Starts on 2026-01-01, so that ids and timestamps are the same in every run. */
const START = Date.UTC(2026, 0, 1);

export class World {
  now = START;
  alarmAt: number | null = null;
  index: SessionView | null = null;
  indexFails = false;
  erased = false;
  /** The next append fails before it writes anything. */
  appendFails = false;
  harness = new ScriptedHarness();
  spec: SessionSpec;
  log: SqlLog;
  blobs = new MemoryBlobs();
  sql: Sql;
  marks = new Map<MarkName, string>();
  /** By event id. */
  ledger = new Map<string, LedgerLine>();
  /** By their ids. */
  announced = new Map<string, Announcement>();
  /** Sessions it can be forked from, by id. */
  others = new Map<string, Pick<SessionRuntime, 'copyLines'>>();
  /** What the work queue was told. */
  wanted: boolean[] = [];
  /** How many ids were given: where one world's log goes to another, theirs begin apart. */
  ids = 0;
  #confirmedSeq = 0;
  #removed = false;

  constructor(agent: Partial<AgentSnapshot> = {}) {
    this.spec = specOf(agent);
    this.sql = memorySql(() => this.appendFails);
    this.log = new SqlLog(this.sql);
  }

  /** A process opens the session. What an earlier one still does, it does as a zombie. */
  open(): Promise<SessionRuntime> {
    return SessionRuntime.open(this.#ports(), this.spec);
  }

  async events(): Promise<SessionEvent[]> {
    const events: SessionEvent[] = [];
    for await (const entry of readEntries(this.log, 0)) events.push(entry.event);
    return events;
  }

  /** The state as its log has it. */
  async state(): Promise<State> {
    const entries = [];
    for await (const entry of readEntries(this.log, 0)) entries.push(entry);
    return evolveAll(foldOf(this.spec).initial, entries);
  }

  async types(): Promise<string[]> {
    return (await this.events()).map((event) => event.type);
  }

  /** Goes to the alarm's time and wakes the runtime, as the host does. */
  async ring(runtime: SessionRuntime): Promise<void> {
    if (this.alarmAt === null) throw new Error('no alarm is armed');
    this.now = Math.max(this.now, this.alarmAt);
    this.alarmAt = null;
    await runtime.wake();
  }

  #ports(): Ports {
    return {
      log: this.log,
      blobs: this.blobs,
      alarm: {
        arm: (at) => {
          this.alarmAt = this.alarmAt === null ? at : Math.min(this.alarmAt, at);
        },
        disarm: () => {
          this.alarmAt = null;
        },
      },
      index: {
        confirmedSeq: () => this.#confirmedSeq,
        remove: async () => {
          if (this.indexFails) throw new Error('the control plane is away');
          this.index = null;
          this.#removed = true;
        },
        put: async (row, seq, { bills, announcements }) => {
          if (this.indexFails) throw new Error('the control plane is away');
          for (const line of bills) this.ledger.set(line.eventId, line);
          for (const told of announcements) this.announced.set(told.eventId, told);
          // As in a database: what updates a row that is gone changes nothing.
          if (!this.#removed) this.index = row;
          this.#confirmedSeq = seq;
        },
      },
      work: {
        want: async (wanted) => {
          if (this.indexFails) throw new Error('the queue is away');
          this.wanted.push(wanted);
        },
      },
      pulse: new ManualPulse(),
      harness: this.harness,
      logger: silentLogger,
      erase: async () => {
        await this.blobs.removeAll();
        this.sql.all('DELETE FROM events', []);
        this.alarmAt = null;
        this.erased = true;
      },
      now: () => this.now,
      newId: (kind) => `${ID_PREFIXES[kind]}_${String(++this.ids).padStart(6, '0')}`,
      marks: {
        get: (name) => this.marks.get(name) ?? null,
        set: (name, value) => {
          this.marks.set(name, value);
        },
      },
      ledger: {
        record: async (lines) => {
          if (this.indexFails) throw new Error('the control plane is away');
          for (const line of lines) this.ledger.set(line.eventId, line);
        },
      },
      outbox: {
        announce: async (all) => {
          if (this.indexFails) throw new Error('the control plane is away');
          for (const told of all) this.announced.set(told.eventId, told);
        },
      },
      source: {
        copyLines: (sessionId, after, until) => {
          const other = this.others.get(sessionId);
          if (other === undefined) throw new ApiError('not_found', `No session ${sessionId}`);
          return other.copyLines(after, until);
        },
      },
      random: () => 0.5,
    };
  }
}

/** Beats when the test says so; null while nobody listens. */
export class ManualPulse implements Pulse {
  beat: (() => void) | null = null;

  start(beat: () => void): void {
    this.beat = beat;
  }

  stop(): void {
    this.beat = null;
  }

  later(work: () => void): void {
    setImmediate(work);
  }
}

/** Waits until the world has come to a state. */
export async function until(holds: () => boolean | Promise<boolean>): Promise<void> {
  for (const end = Date.now() + 30_000; Date.now() < end; ) {
    if (await holds()) return;
    await new Promise(setImmediate);
  }
  throw new Error(`never came true: ${holds}`);
}

const SOME = new Uint8Array(1);

/** Lets everything that can go on without the outside go on, hashes included: those are made on other threads. */
export async function quiesce(): Promise<void> {
  for (let round = 0; round < 2; round++) {
    for (let turn = 0; turn < 8; turn++) await new Promise(setImmediate);
    await crypto.subtle.digest('SHA-256', SOME);
  }
  for (let turn = 0; turn < 8; turn++) await new Promise(setImmediate);
}

function specOf(agent: Partial<AgentSnapshot>): SessionSpec {
  const always_allow = { enabled: true, permission_policy: { type: 'always_allow' as const } };
  return {
    tenantId: 'tnt_test',
    sessionId: 'sesn_test',
    threadId: 'sthr_test',
    title: null,
    metadata: {},
    budget: null,
    initialEvents: [],
    vaultIds: [],
    createdAt: START,
    origin: null,
    environmentId: 'env_1',
    environment: {
      type: 'cloud',
      networking: { type: 'unrestricted' },
      packages: { type: 'packages', apt: [], cargo: [], gem: [], go: [], npm: [], pip: [] },
    },
    agent: {
      id: 'agent_test',
      type: 'agent',
      version: 1,
      name: 'tester',
      description: null,
      model: { id: 'test-model' },
      system: null,
      tools: [
        {
          type: 'agent_toolset_20260401',
          default_config: always_allow,
          configs: [
            {
              type: 'write',
              name: 'write',
              enabled: true,
              permission_policy: { type: 'always_ask' },
            },
            { type: 'grep', name: 'grep', enabled: false, permission_policy: { type: 'always_allow' } },
          ],
        },
        { type: 'custom', name: 'ticket', description: 'Opens a ticket', input_schema: { type: 'object' } },
      ],
      mcp_servers: [],
      skills: [],
      multiagent: null,
      execution_identity: { type: 'service_account' },
      ...agent,
    },
  };
}
