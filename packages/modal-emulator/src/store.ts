// What the emulator remembers across restarts: apps, images, volumes, secrets and sandboxes with how they ended. SQLite, one owner.
// 1. A running sandbox's name is unique in its app. 2. Sandboxes die with the emulator, so opening the store records
// every sandbox that still counts as running as terminated, which frees its name.
import { DatabaseSync, type SQLInputValue } from 'node:sqlite';
import { IMAGE_SCHEMA, ImageStore } from './image-store.ts';
import { SECRET_SCHEMA, SecretStore } from './secret-store.ts';
import { VOLUME_SCHEMA, VolumeStore } from './volume-store.ts';
import { type GenericResult, GenericStatus, type NamedTag } from './wire.ts';

export interface SandboxRecord {
  id: string;
  taskId: string;
  appId: string;
  name: string;
  imageId: string;
  tags: NamedTag[];
  /** Seconds since the epoch, to the microsecond, as Modal counts. */
  createdAt: number;
  result?: GenericResult;
}

export interface SandboxFilter {
  appId?: string;
  createdBefore?: number;
  includeFinished: boolean;
  tags: NamedTag[];
}

const SCHEMA = `
  CREATE TABLE IF NOT EXISTS apps (
    id TEXT PRIMARY KEY, environment TEXT NOT NULL, name TEXT NOT NULL, UNIQUE (environment, name)
  ) STRICT;
  CREATE TABLE IF NOT EXISTS sandboxes (
    id TEXT PRIMARY KEY, task_id TEXT NOT NULL UNIQUE, app_id TEXT NOT NULL, name TEXT NOT NULL, image_id TEXT NOT NULL,
    tags TEXT NOT NULL, created_at REAL NOT NULL, status INTEGER, exit_code INTEGER, exception TEXT
  ) STRICT;
  CREATE UNIQUE INDEX IF NOT EXISTS sandboxes_running_name ON sandboxes (app_id, name) WHERE status IS NULL AND name <> '';
  CREATE INDEX IF NOT EXISTS sandboxes_by_creation ON sandboxes (created_at);
`;
const PAGE = 100;
export const LOST_WITH_EMULATOR = 'The sandbox ended with the emulator that ran it.';

export class StateInUseError extends Error {
  override readonly name = 'StateInUseError';
}

/** A live sandbox of the app has the name. */
export class NameTakenError extends Error {
  override readonly name = 'NameTakenError';
}

export class Store {
  readonly images: ImageStore;
  readonly secrets: SecretStore;
  readonly volumes: VolumeStore;
  readonly #database: DatabaseSync;
  readonly #statements = new Map<string, ReturnType<DatabaseSync['prepare']>>();

  /** Throws StateInUseError while another emulator has `path` open. */
  constructor(path: string) {
    this.#database = new DatabaseSync(path);
    try {
      this.#database.exec(
        'PRAGMA locking_mode = EXCLUSIVE; PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL;',
      );
      this.#database.exec(
        `BEGIN IMMEDIATE; ${SCHEMA} ${IMAGE_SCHEMA} ${SECRET_SCHEMA} ${VOLUME_SCHEMA} COMMIT;`,
      );
    } catch (cause) {
      this.#database.close();
      if (!String(cause).includes('locked')) throw cause;
      throw new StateInUseError(
        `Another emulator is using ${path}: stop it, or give this one its own CAPSTAN_EMULATOR_STATE.`,
        { cause },
      );
    }
    this.images = new ImageStore(this.#database);
    this.secrets = new SecretStore(this.#database);
    this.volumes = new VolumeStore(this.#database);
    this.#run(
      'UPDATE sandboxes SET status = ?, exit_code = 137, exception = ? WHERE status IS NULL',
      GenericStatus.terminated,
      LOST_WITH_EMULATOR,
    );
  }

  close(): void {
    this.#database.close();
  }

  findApp(environment: string, name: string): string | undefined {
    const row = this.#row('SELECT id FROM apps WHERE environment = ? AND name = ?', environment, name);
    return row === undefined ? undefined : text(row.id);
  }

  hasApp(id: string): boolean {
    return this.#row('SELECT id FROM apps WHERE id = ?', id) !== undefined;
  }

  addApp(id: string, environment: string, name: string): void {
    this.#run('INSERT INTO apps (id, environment, name) VALUES (?, ?, ?)', id, environment, name);
  }

  /** Returns false when a running sandbox of the app has the name. */
  addSandbox(sandbox: SandboxRecord): boolean {
    const changes = this.#run(
      `INSERT INTO sandboxes (id, task_id, app_id, name, image_id, tags, created_at) VALUES (?, ?, ?, ?, ?, ?, ?)
       ON CONFLICT (app_id, name) WHERE status IS NULL AND name <> '' DO NOTHING`,
      sandbox.id,
      sandbox.taskId,
      sandbox.appId,
      sandbox.name,
      sandbox.imageId,
      JSON.stringify(sandbox.tags),
      sandbox.createdAt,
    );
    return changes === 1;
  }

  finishSandbox(id: string, result: GenericResult): void {
    this.#run(
      'UPDATE sandboxes SET status = ?, exit_code = ?, exception = ? WHERE id = ? AND status IS NULL',
      result.status,
      result.exitcode,
      result.exception,
      id,
    );
  }

  setTags(id: string, tags: NamedTag[]): void {
    this.#run('UPDATE sandboxes SET tags = ? WHERE id = ?', JSON.stringify(tags), id);
  }

  findSandbox(column: 'id' | 'task_id', value: string): SandboxRecord | undefined {
    const row = this.#row(`SELECT * FROM sandboxes WHERE ${column} = ?`, value);
    return row && toSandbox(row);
  }

  /** The running sandbox of that name, else, if asked, the one that ended last. */
  findSandboxByName(appId: string, name: string, includeFinished: boolean): SandboxRecord | undefined {
    const row = this.#row(
      `SELECT * FROM sandboxes WHERE app_id = ? AND name = ? AND (status IS NULL OR ?)
       ORDER BY status IS NULL DESC, created_at DESC LIMIT 1`,
      appId,
      name,
      includeFinished ? 1 : 0,
    );
    return row && toSandbox(row);
  }

  /** Newest first, a page at a time, without those of no app, which the emulator made for itself: pass the last one's creation time for the next page. */
  listSandboxes(filter: SandboxFilter): SandboxRecord[] {
    const rows = this.#statement(
      `SELECT * FROM sandboxes WHERE (?1 = '' OR app_id = ?1) AND (?2 = 0 OR created_at < ?2) AND (?3 OR status IS NULL)
       AND app_id <> ''
       AND NOT EXISTS (
         SELECT 1 FROM json_each(?4) AS wanted WHERE NOT EXISTS (
           SELECT 1 FROM json_each(sandboxes.tags) AS own
           WHERE own.value ->> 'tagName' = wanted.value ->> 'tagName'
             AND own.value ->> 'tagValue' = wanted.value ->> 'tagValue'))
       ORDER BY created_at DESC LIMIT ${PAGE}`,
    ).all(
      filter.appId ?? '',
      filter.createdBefore ?? 0,
      filter.includeFinished ? 1 : 0,
      JSON.stringify(filter.tags),
    );
    return rows.map(toSandbox);
  }

  #statement(sql: string) {
    const known = this.#statements.get(sql) ?? this.#database.prepare(sql);
    this.#statements.set(sql, known);
    return known;
  }

  #row(sql: string, ...values: SQLInputValue[]): Row | undefined {
    return this.#statement(sql).get(...values);
  }

  #run(sql: string, ...values: SQLInputValue[]): number {
    return Number(this.#statement(sql).run(...values).changes);
  }
}

type Row = Record<string, unknown>;

function toSandbox(row: Row): SandboxRecord {
  const record: SandboxRecord = {
    id: text(row.id),
    taskId: text(row.task_id),
    appId: text(row.app_id),
    name: text(row.name),
    imageId: text(row.image_id),
    tags: JSON.parse(text(row.tags)),
    createdAt: Number(row.created_at),
  };
  if (row.status !== null)
    record.result = {
      status: Number(row.status),
      exitcode: Number(row.exit_code),
      exception: text(row.exception),
    };
  return record;
}

function text(value: unknown): string {
  return typeof value === 'string' ? value : '';
}
