// The agent Worker's composition root: from the environment to the ports a session needs.
import { settle } from '@capstan/db/blob-debts';
import { openD1 } from '@capstan/db/d1';
import type { LedgerEntry } from '@capstan/db/ledger';
import { openBlobs } from '@capstan/db/open-blobs';
import { tell } from '@capstan/db/session-news';
import { stores } from '@capstan/db/stores';
import { ConfigFault, configFrom, type HarnessConfig } from '@capstan/harness/config';
import { networkOf } from '@capstan/harness/environment-network';
import { createHarness, withHolding } from '@capstan/harness/harness';
import type { McpTrouble } from '@capstan/harness/mcp/mcp-tools';
import { modelNotice } from '@capstan/harness/model-notice';
import type { FileContents } from '@capstan/harness/models/file-content';
import { NewsBoard, withBoard } from '@capstan/harness/news-board';
import { NO_SANDBOX } from '@capstan/harness/no-machine';
import { SessionSandbox } from '@capstan/harness/session-sandbox';
import { type TenantModelSource, TenantModels } from '@capstan/harness/tenant-models';
import type { SessionFiles } from '@capstan/harness/workspace/session-files';
import type { SessionSkills } from '@capstan/harness/workspace/session-skills';
import { Workspace } from '@capstan/harness/workspace/workspace';
import { createGatewaySandboxes } from '@capstan/sandbox/gateway-client';
import { NOTHING_RECORDED, REST_MS, type SandboxRecord } from '@capstan/sandbox/lifecycle';
import type { Sandboxes } from '@capstan/sandbox/port';
import type { ModelNotice } from '@capstan/schema/console-login';
import { ApiError } from '@capstan/schema/error';
import { rosterOf } from '@capstan/schema/roster';
import { objectName, type SessionAddress } from '@capstan/session/address';
import type { Harness } from '@capstan/session/harness';
import type { Alarm, Ledger, LedgerLine, Ports, SessionIndex } from '@capstan/session/ports';
import type { SessionSpec } from '@capstan/session/spec';
import type { Sql } from '@capstan/session/sql';
import { SqlLog } from '@capstan/session/sql-log';
import { queueName } from '@capstan/session/work/work-queues';
import { openFailpoints, type Reach } from '@capstan/shared/failpoints';
import { newId } from '@capstan/shared/ids';
import { consoleLogger, type Logger } from '@capstan/shared/logger';
import { reachFrom } from '@capstan/shared/reach-config';
import type { Reach as UrlReach } from '@capstan/shared/safe-fetch';
import { createSealer, type Sealer, TENANT_SECRETS } from '@capstan/shared/seal';
import { sessionBlobs } from './blobs.ts';
import type { Env } from './env.ts';
import type { Facts } from './facts.ts';
import { markPorts, markSandboxes } from './failpoints.ts';
import { IntervalPulse } from './interval-pulse.ts';
import { lateHarness } from './late-harness.ts';
import { openOutsideTools } from './outside-tools.ts';
import { sessionFiles } from './session-files.ts';
import { sessionMemories } from './session-memories.ts';
import { sessionPool } from './session-pool.ts';
import { sessionSkills } from './session-skills.ts';
import { vaultVariables } from './session-vaults.ts';
import { knownOf, tenantModelsOf } from './tenant-models.ts';

/** Where one session keeps what it keeps. */
export interface Place {
  sql: Sql;
  facts: Facts;
  alarm: Alarm;
  /** Deletes all of it. */
  erase(): Promise<void>;
}

/** Null: the control plane knows no such session of that tenant. */
export function loadSpec(env: Env, { tenantId, sessionId }: SessionAddress): Promise<SessionSpec | null> {
  return stores(openD1(env.DB), tenantId).sessions.load(sessionId);
}

export function createPorts(env: Env, spec: SessionSpec, place: Place): Ports {
  const { sql, facts, alarm } = place;
  const logger = consoleLogger.child({ session_id: spec.sessionId, tenant_id: spec.tenantId });
  const clock = { now: () => Date.now() };
  const blobs = sessionBlobs(env.BLOBS, spec);
  const reach = failpointsOf(env, spec);
  const sandboxes = once(() =>
    reach === null ? openSandboxes(env) : markSandboxes(openSandboxes(env), reach),
  );
  const shelf = { db: openD1(env.DB), blobs: openBlobs(env), sealer: openSealer(env) };
  const files = sessionFiles(shelf, spec, facts);
  const skills = hasSkills(spec) ? { skills: sessionSkills(shelf, spec) } : {};
  const workspace = new Workspace({
    sandboxes,
    files,
    ...skills,
    ...(spec.memoryStores?.length ? { memories: sessionMemories(shelf.db, spec) } : {}),
    record: {
      load: (name) => facts.get(`workspace_${name}`),
      save: (name, text) => facts.set(`workspace_${name}`, text),
    },
    variables: vaultVariables(shelf, spec),
    logger,
    clock,
  });
  const models = openModels(env, spec, clock);
  const sandbox = createSandbox(env, spec, { facts, files, sandboxes, workspace, logger, clock });
  const ports: Ports = {
    log: new SqlLog(sql),
    blobs,
    alarm,
    index: createIndex(env, spec, facts),
    marks: {
      get: (name) => facts.get(`mark_${name}`),
      set: (name, value) => facts.set(`mark_${name}`, value),
    },
    ledger: createLedger(env, spec),
    outbox: { announce: (all) => tell({ db: openD1(env.DB), tenantId: spec.tenantId }, all) },
    ...openOthers(env, spec),
    pulse: new IntervalPulse(),
    harness: openHarness(env, spec, {
      sandbox,
      sandboxes,
      models,
      workspace,
      files,
      ...skills,
      logger,
      clock,
    }),
    logger,
    erase: async () => {
      // First the blobs: as long as the log stands, the erasing is owed, and done again when it fails half way.
      await blobs.removeAll();
      alarm.disarm();
      await place.erase();
    },
    now: clock.now,
    newId: (kind) => newId(kind),
    random: () => Math.random(),
  };
  return reach === null ? ports : markPorts(ports, reach);
}

/** The session that this one began with, and the queue of those who work for it. */
function openOthers(env: Env, spec: SessionSpec): Pick<Ports, 'source' | 'work'> {
  const { tenantId, environmentId } = spec;
  return {
    source: {
      copyLines: (sessionId, after, until) => {
        const source = env.SESSIONS.getByName(objectName({ tenantId, sessionId }));
        return source.copyLines({ tenantId, sessionId }, after, until);
      },
    },
    work: {
      want: (wanted) => {
        const queue = { tenantId, environmentId };
        return env.WORK.getByName(queueName(queue)).wantWork(queue, spec.sessionId, wanted);
      },
    },
  };
}

function openModels(env: Env, { tenantId }: SessionSpec, clock: { now(): number }): TenantModels {
  return new TenantModels(openTenantModels(env, tenantId), clock, knownOf(tenantId));
}

export function openTenantModels(
  env: Omit<Env, 'SESSIONS' | 'WORK' | 'POOLS'>,
  tenantId: string,
): TenantModelSource {
  const { reach } = reachFrom(env);
  return tenantModelsOf({ db: openD1(env.DB), sealer: openSealer(env), reach }, tenantId);
}

/** Most have none, and ask nobody. */
function hasSkills({ agent }: SessionSpec): boolean {
  return [agent, ...rosterOf(agent.multiagent)].some(({ skills }) => skills.length > 0);
}

interface Tools {
  /** Null: the session's tools work at its user's own. */
  sandbox: SessionSandbox | null;
  sandboxes: () => Sandboxes;
  models: TenantModels;
  workspace: Workspace;
  files: FileContents;
  skills?: SessionSkills;
  logger: Logger;
  clock: { now(): number };
}

function openHarness(env: Env, spec: SessionSpec, tools: Tools): Harness {
  const { sandbox, sandboxes } = tools;
  const board = new NewsBoard((kind) => newId(kind));
  const report = (trouble: McpTrouble) => (sandbox ?? board).announce({ kind: 'mcp_failed', ...trouble });
  const workers = lateHarness(() => {
    const config = readConfig(env);
    // Refused here, where the turn says what is missing.
    if (sandbox !== null) sandboxes();
    const reach = reachOf(env, tools.logger);
    const vault = { db: openD1(env.DB), sealer: openSealer(env) };
    const outside = openOutsideTools(spec, { ...tools, ...vault, config, report, reach });
    return createHarness({ ...tools, config, outside, memoryStores: spec.memoryStores });
  });
  return withHolding(workers, sandbox ?? withBoard(NO_SANDBOX, board));
}

function reachOf(env: Env, logger: Logger): UrlReach {
  const { reach, problems } = reachFrom(env);
  for (const problem of problems) logger.warn('config.unusable', { problem });
  return reach;
}

/** Without the root secret it opens nothing. */
export function openSealer({ PLATFORM_ROOT_SECRET: root }: Pick<Env, 'PLATFORM_ROOT_SECRET'>): Sealer {
  return createSealer(root ? [root] : [], TENANT_SECRETS);
}

interface Around {
  facts: Facts;
  files: Pick<SessionFiles, 'holdsTokens'>;
  workspace: Workspace;
  sandboxes: () => Sandboxes;
  logger: Logger;
  clock: { now(): number };
}

/** Null: the tools of the session work at its user's own. */
function createSandbox(
  env: Env,
  spec: SessionSpec,
  { facts, files, ...around }: Around,
): SessionSandbox | null {
  const { tenantId, sessionId, environmentId, environment, agent, vaultIds } = spec;
  if (environment.type === 'self_hosted') return null;
  const { snapshotHolders, environmentImages } = stores(openD1(env.DB), tenantId);
  const first = firstRecord(spec);
  return new SessionSandbox({
    ...around,
    sessionId,
    environment,
    network: networkOf(environment, agent),
    imageStamp: () => environmentImages.use(environmentId, environment, around.clock.now()),
    pool: sessionPool(env.POOLS, spec),
    holdsTokens: async () => vaultIds.length > 0 || files.holdsTokens(),
    facts: {
      load: () => {
        const kept = facts.get('sandbox');
        return kept === null ? first : JSON.parse(kept);
      },
      save: (record) => facts.set('sandbox', JSON.stringify(record)),
    },
    sharing: {
      hold: (imageId) => snapshotHolders.hold(imageId, sessionId),
      letGo: (imageId) => snapshotHolders.letGo(imageId, sessionId),
    },
    newId: (kind) => newId(kind),
    restMs: restMsOf(env, around.logger),
  });
}

function restMsOf({ SANDBOX_SNAPSHOT_AFTER_SECONDS: said = '' }: Env, logger: Logger): number {
  if (said.trim() === '') return REST_MS;
  const seconds = Number(said);
  if (seconds >= 0 && seconds <= 3_600) return seconds * 1_000;
  const problem = 'must be a number of seconds, at most 3600';
  logger.warn('config.unusable', { name: 'SANDBOX_SNAPSHOT_AFTER_SECONDS', problem });
  return REST_MS;
}

/** A fork begins with the snapshot it was given, which others may hold too. */
function firstRecord({ origin, createdAt }: SessionSpec): SandboxRecord {
  const { snapshot = null } = origin ?? {};
  if (snapshot === null) return NOTHING_RECORDED;
  const begins = { ...snapshot, sandboxId: '', running: true, lentAt: createdAt };
  return { ...NOTHING_RECORDED, snapshot: begins };
}

/** What was made the first time; what fails is tried again. */
function once<T>(make: () => T): () => T {
  let made: { value: T } | null = null;
  return () => {
    made ??= { value: make() };
    return made.value;
  };
}

/** Null but in the crash tests. */
export function failpointsOf(env: Env, { sessionId }: { sessionId: string }): Reach | null {
  return openFailpoints({ environment: env.ENVIRONMENT, url: env.FAILPOINTS, subject: sessionId });
}

function createIndex(env: Env, spec: SessionSpec, facts: Facts): SessionIndex {
  const db = openD1(env.DB);
  const { sessions } = stores(db, spec.tenantId);
  return {
    confirmedSeq: () => Number(facts.get('indexed_seq') ?? 0),
    remove: async () => {
      await settle({ db, blobs: openBlobs(env) }, await sessions.remove(spec.sessionId, Date.now()));
    },
    put: async (row, seq, { bills, announcements }) => {
      const calls = bills.map((line) => toLedgerEntry(line, spec));
      await sessions.putIndex(spec.sessionId, row, { calls, announcements });
      // While it works, a row is worth no commit of its own: a new process puts it once more.
      if (row.status === 'idle' || row.status === 'terminated') facts.set('indexed_seq', String(seq));
    },
  };
}

function createLedger(env: Env, spec: SessionSpec): Ledger {
  const { ledger } = stores(openD1(env.DB), spec.tenantId);
  return { record: (lines) => ledger.record(lines.map((line) => toLedgerEntry(line, spec))) };
}

function toLedgerEntry(
  { usage, agent, nanoUsd, estimated, ...line }: LedgerLine,
  { sessionId }: SessionSpec,
): LedgerEntry {
  return {
    ...line,
    sessionId,
    agentId: agent.id,
    agentVersion: agent.version,
    inputTokens: usage.input_tokens,
    outputTokens: usage.output_tokens,
    cacheReadTokens: usage.cache_read_input_tokens,
    cacheWriteTokens: usage.cache_creation_input_tokens,
    costNanoUsd: nanoUsd,
    estimated: estimated === true,
  };
}

export function readConfig(env: Env): HarnessConfig {
  try {
    return configFrom({
      ENVIRONMENT: env.ENVIRONMENT,
      DEV_MODEL_URL: env.DEV_MODEL_URL,
      OPENAI_API_KEY: env.OPENAI_API_KEY,
      OPENAI_BASE_URL: env.OPENAI_BASE_URL,
      OPENAI_API: env.OPENAI_API,
      ANTHROPIC_API_KEY: env.ANTHROPIC_API_KEY,
      ANTHROPIC_BASE_URL: env.ANTHROPIC_BASE_URL,
      MODEL_FIRST_BYTE_TIMEOUT_MS: env.MODEL_FIRST_BYTE_TIMEOUT_MS,
      MODEL_IDLE_TIMEOUT_MS: env.MODEL_IDLE_TIMEOUT_MS,
      MODEL_PRICES: env.MODEL_PRICES,
      MODEL_WINDOWS: env.MODEL_WINDOWS,
      WEB_SEARCH_URL: env.WEB_SEARCH_URL,
      BRAVE_SEARCH_API_KEY: env.BRAVE_SEARCH_API_KEY,
    });
  } catch (error) {
    if (error instanceof ConfigFault) throw new ApiError('unavailable', error.message, { cause: error });
    throw error;
  }
}

export function noticeOf(env: Env): ModelNotice {
  return modelNotice(readConfig(env));
}

/** A binding reads the path of a request alone. */
const BOUND_GATEWAY_URL = 'http://gateway';

/** Throws `unavailable` that names what is not set. */
export function openSandboxes(env: Env): Sandboxes {
  const { GATEWAY: bound, GATEWAY_URL, GATEWAY_SECRET: secret } = env;
  const url = GATEWAY_URL || (bound && BOUND_GATEWAY_URL);
  if (!url) throw new ApiError('unavailable', 'GATEWAY_URL is not set: this server has no sandboxes');
  if (!secret) throw new ApiError('unavailable', 'GATEWAY_SECRET is not set: this server has no sandboxes');
  try {
    const fetch = bound && !GATEWAY_URL ? { fetch: bound.fetch.bind(bound) } : {};
    return createGatewaySandboxes({ url, secret, ...fetch });
  } catch (error) {
    throw new ApiError('unavailable', 'GATEWAY_SECRET must have at least 32 characters', { cause: error });
  }
}
