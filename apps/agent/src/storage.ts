// A Durable Object's storage as the session package knows it.
import type { Alarm } from '@capstan/session/ports';
import type { Sql, SqlValue } from '@capstan/session/sql';
import type { Logger } from '@capstan/shared/logger';

export function toSql(storage: DurableObjectStorage): Sql {
  return {
    all<Row>(query: string, params: readonly SqlValue[]): Row[] {
      // The columns are named by the query: the caller says what a row is.
      return storage.sql.exec(query, ...params).toArray() as Row[];
    },
    each<Row>(query: string, params: readonly SqlValue[]): Iterable<Row> {
      return storage.sql.exec(query, ...params) as Iterable<unknown> as Iterable<Row>;
    },
    transaction: (work) => storage.transactionSync(work),
    sync: () => storage.sync(),
  };
}

type AlarmStorage = Pick<DurableObjectStorage, 'getAlarm' | 'setAlarm' | 'deleteAlarm'>;

const AGAIN_MS = 30_000;

/** The object's one alarm. An earlier one that is still to come stands: whoever it wakes arms the next. */
export class StorageAlarm implements Alarm {
  #storage: AlarmStorage;
  #armedAt: number | null;

  private constructor(storage: AlarmStorage, armedAt: number | null) {
    this.#storage = storage;
    this.#armedAt = armedAt;
  }

  static async open(storage: AlarmStorage): Promise<StorageAlarm> {
    return new StorageAlarm(storage, await storage.getAlarm());
  }

  arm(at: number): void {
    if (this.#armedAt !== null && this.#armedAt <= at) return;
    this.#armedAt = at;
    // Not awaited: it becomes durable together with the append of the same tick, and its failure resets the object.
    void this.#storage.setAlarm(at);
  }

  disarm(): void {
    if (this.#armedAt === null) return;
    this.#armedAt = null;
    void this.#storage.deleteAlarm();
  }

  /** The alarm has gone off. Work that fails is done again as often as it takes: the host would give up after a few tries. */
  async ring(work: () => Promise<void>, logger: Logger): Promise<void> {
    this.#armedAt = null;
    try {
      await work();
    } catch (error) {
      logger.error('session.wake_failed', {}, error);
      this.arm(Date.now() + AGAIN_MS);
    }
  }
}
