// Dreams of one tenant.
// 1. A status that is final never changes. Each step is taken only from the one before it, in one statement: of two that
//    would take it, one does.
// 2. Of dreams that write to one memory store in its place, there is one at a time, until its session is over.
// 3. The memory store and the session of a dream have ids that were chosen with it: to make them again makes nothing.
import type {
  Dream,
  DreamError,
  DreamModel,
  DreamOutputBehavior,
  DreamStatus,
  DreamUsage,
} from '@capstan/schema/dreams';
import { ApiError } from '@capstan/schema/error';
import type { Claim } from '@capstan/schema/idempotency';
import type { CreatedAtBounds, Page } from '@capstan/schema/page';
import type { SessionUsage } from '@capstan/schema/usage';
import { newId } from '@capstan/shared/ids';
import { and, desc, eq, getTableColumns, inArray, isNull, type SQL, sql } from 'drizzle-orm';
import { eachOf, firstOfEach } from './arms.ts';
import { span } from './bounds.ts';
import { type Listing, type Seek, seek, toPage } from './cursor.ts';
import { announce, exists } from './outbox.ts';
import { keepReceipt } from './receipts.ts';
import type { Scope } from './scope.ts';
import { dreams } from './tables/dreams.ts';
import { memoryStores } from './tables/memories.ts';
import { toTimestamp } from './timestamp.ts';
import { valuesOf } from './values.ts';

export type DreamRow = typeof dreams.$inferSelect;

export interface NewDream {
  id: string;
  storeId: string;
  sessionIds: readonly string[];
  model: DreamModel;
  instructions: string | null;
  output: DreamOutputBehavior['type'];
  /** Epoch ms. */
  now: number;
}

export interface DreamFilter {
  limit: number;
  page?: string | undefined;
  statuses?: DreamStatus[] | undefined;
  includeArchived: boolean;
  created: CreatedAtBounds;
}

/** How a dream ends. */
export interface DreamEnd {
  status: 'completed' | 'failed' | 'canceled';
  error?: DreamError;
  usage?: DreamUsage;
  /** Epoch ms. */
  now: number;
}

const LIVE: DreamStatus[] = ['pending', 'running'];
const NOTHING: DreamUsage = {
  input_tokens: 0,
  output_tokens: 0,
  cache_read_input_tokens: 0,
  cache_creation_input_tokens: 0,
};
const MAX_NAME_CHARS = 255;
const PREFIX = 'Dream of ';

/** While its session works, what it has used stands there. */
const shown = {
  row: getTableColumns(dreams),
  usage: sql<SessionUsage | null>`(SELECT s.usage FROM sessions AS s WHERE s.id = dreams.session_id
    AND s.tenant_id = dreams.tenant_id)`.mapWith((text: string) => JSON.parse(text)),
};

interface Shown {
  row: DreamRow;
  usage: SessionUsage | null;
}

export class DreamStore {
  #scope: Scope;

  constructor(scope: Scope) {
    this.#scope = scope;
  }

  /** Refuses (`held`) a memory store that another dream writes to. With a claim, a receipt is kept. */
  async create({ now, ...given }: NewDream, claim?: Claim): Promise<Dream> {
    const { db, tenantId } = this.#scope;
    const { id, storeId, output } = given;
    const row: DreamRow = {
      ...given,
      sessionIds: given.sessionIds.toSorted(),
      tenantId,
      status: 'pending',
      targetId: output === 'create_new' ? newId('memoryStore', now) : storeId,
      sessionId: newId('session', now),
      rested: null,
      usage: NOTHING,
      error: null,
      createdAt: now,
      startedAt: null,
      begunAt: null,
      endedAt: null,
      releasedAt: null,
      archivedAt: null,
    };
    const made = toDream({ row, usage: null });
    const held = exists(dreams, this.#holding(storeId));
    const free = output === 'create_new' ? sql`TRUE` : sql`NOT ${held}`;
    const [inserted] = await db.batch([
      db
        .insert(dreams)
        .select(sql`SELECT ${valuesOf(dreams, row)} WHERE ${free}`)
        .returning({ id: dreams.id }),
      ...keepReceipt(this.#scope, claim, {
        id,
        reply: JSON.stringify(made),
        from: sql`FROM ${dreams} WHERE ${eq(dreams.id, id)}`,
        now,
      }),
    ]);
    if (inserted.length > 0) return made;
    const [holder] = await db.select({ id: dreams.id }).from(dreams).where(this.#holding(storeId)).limit(1);
    const which = holder?.id ?? 'Another dream';
    const how = 'wait until it has ended, or cancel it, then try again';
    throw new ApiError('held', `output_behavior: ${which} writes to ${storeId}; ${how}`);
  }

  async retrieve(id: string): Promise<Dream> {
    const [found] = await this.#scope.db.select(shown).from(dreams).where(this.#own(id));
    if (found) return toDream(found);
    throw new ApiError('not_found', `No dream ${id}`);
  }

  /** Null: this tenant has no such dream. */
  async find(id: string): Promise<DreamRow | null> {
    const [row] = await this.#scope.db.select().from(dreams).where(this.#own(id));
    return row ?? null;
  }

  async list(filter: DreamFilter): Promise<Page<Dream>> {
    const { db, tenantId } = this.#scope;
    const listing: Listing = { list: 'dreams', tenantId, order: 'desc', ...filter };
    const at = seek(listing);
    const found = await db
      .select({ id: dreams.id, ...shown })
      .from(dreams)
      .where(this.#matching(filter, at))
      .orderBy(desc(dreams.id))
      .limit(at.take);
    const page = toPage(listing, at, found);
    return { data: page.rows.map(toDream), next_page: page.next };
  }

  #matching({ statuses, includeArchived, created: bounds }: DreamFilter, at: Seek): SQL | undefined {
    const { db, tenantId } = this.#scope;
    const { id, archivedAt, status } = dreams;
    const own = eq(dreams.tenantId, tenantId);
    const place = span(id, at, { kind: 'dream', bounds });
    if (!statuses?.length) return and(own, includeArchived ? undefined : isNull(archivedAt), place);
    const open = { of: sql`(${archivedAt} IS NULL)`, values: includeArchived ? [1, 0] : [1] };
    const each = eachOf([{ of: status, values: [...new Set(statuses)] }, open]);
    const arms = each.map((way) => and(own, way, place));
    return and(own, firstOfEach(db, { table: dreams, id, at, each: arms }));
  }

  /** From pending to running, with the memory store that it writes to. Harmless when it runs already, or no more. */
  async start({ id, storeId, targetId, output }: DreamRow, now: number): Promise<void> {
    const { db, tenantId } = this.#scope;
    const begins = and(this.#own(id), eq(dreams.status, 'pending'));
    const when = exists(dreams, begins);
    const source = sql`FROM memory_stores AS s WHERE s.id = ${storeId} AND s.tenant_id = ${tenantId}
      AND s.deleted_at IS NULL AND ${when}`;
    const name = sql`substr(${PREFIX} || s.name, 1, ${MAX_NAME_CHARS})`;
    const starts = db.update(dreams).set({ status: 'running', startedAt: now }).where(begins);
    if (output === 'update_existing') {
      await starts;
      return;
    }
    await db.batch([
      // In the order of the table's columns.
      db
        .insert(memoryStores)
        .select(
          sql`SELECT ${targetId}, ${tenantId}, ${name}, s.description, s.metadata, 0, ${now}, ${now}, NULL, NULL ${source}`,
        ),
      ...announce(this.#scope, { type: 'memory_store.created', id: targetId, now }, when),
      starts,
    ]);
  }

  /** False: it has ended already. */
  async end(id: string, { status, error, usage, now }: DreamEnd): Promise<boolean> {
    const ended = await this.#scope.db
      .update(dreams)
      .set({ status, error: error ?? null, endedAt: now, ...(usage && { usage }) })
      .where(and(this.#own(id), inArray(dreams.status, LIVE)))
      .returning({ id: dreams.id });
    return ended.length > 0;
  }

  /** Nothing of it goes on any more. */
  async release(id: string, now: number, usage?: DreamUsage): Promise<void> {
    await this.#scope.db
      .update(dreams)
      .set({ releasedAt: now, ...(usage && { usage }) })
      .where(and(this.#own(id), isNull(dreams.releasedAt)));
  }

  /** Refuses (`invalid_request`) one that completed or failed. Canceling again changes nothing. */
  async cancel(id: string, now: number): Promise<Dream> {
    await this.end(id, { status: 'canceled', now });
    const dream = await this.retrieve(id);
    if (dream.status === 'canceled') return dream;
    throw new ApiError('invalid_request', `${id} has ${dream.status} and cannot be canceled`);
  }

  /** Refuses (`invalid_request`) one that has not ended. Archiving again changes nothing. */
  async archive(id: string, now: number): Promise<Dream> {
    const ended = and(this.#own(id), isNull(dreams.archivedAt), sql`${dreams.endedAt} IS NOT NULL`);
    await this.#scope.db.update(dreams).set({ archivedAt: now }).where(ended);
    const dream = await this.retrieve(id);
    if (dream.archived_at !== null) return dream;
    throw new ApiError('invalid_request', `${id} is ${dream.status}: cancel it, or wait until it has ended`);
  }

  #holding(storeId: string): SQL | undefined {
    return and(
      eq(dreams.tenantId, this.#scope.tenantId),
      eq(dreams.targetId, storeId),
      eq(dreams.output, 'update_existing'),
      isNull(dreams.releasedAt),
    );
  }

  #own(id: string): SQL | undefined {
    return and(eq(dreams.tenantId, this.#scope.tenantId), eq(dreams.id, id));
  }
}

/** The statement that notes how the session of a dream came to rest first; nothing of other sessions. */
export function noteRest(
  { db, tenantId }: Scope,
  { sessionId, how }: { sessionId: string; how: 'succeeded' | 'failed' },
) {
  const its = and(eq(dreams.sessionId, sessionId), eq(dreams.tenantId, tenantId), isNull(dreams.rested));
  return db.update(dreams).set({ rested: how }).where(its);
}

export function toDreamUsage(usage: SessionUsage): DreamUsage {
  const { ephemeral_1h_input_tokens: hour, ephemeral_5m_input_tokens: minutes } = usage.cache_creation;
  return {
    input_tokens: usage.input_tokens,
    output_tokens: usage.output_tokens,
    cache_read_input_tokens: usage.cache_read_input_tokens,
    cache_creation_input_tokens: hour + minutes,
  };
}

function toDream({ row, usage }: Shown): Dream {
  const store = (memory_store_id: string) => ({ type: 'memory_store' as const, memory_store_id });
  const at = (ms: number | null) => (ms === null ? null : toTimestamp(ms));
  return {
    id: row.id,
    type: 'dream',
    status: row.status,
    inputs: [store(row.storeId), { type: 'sessions', session_ids: row.sessionIds }],
    outputs: row.startedAt === null ? [] : [store(row.targetId)],
    model: row.model,
    instructions: row.instructions,
    output_behavior:
      row.output === 'create_new'
        ? { type: 'create_new' }
        : { type: 'update_existing', memory_store_id: row.targetId },
    session_id: row.begunAt === null ? null : row.sessionId,
    usage: row.status === 'running' && usage ? toDreamUsage(usage) : row.usage,
    error: row.error,
    created_at: toTimestamp(row.createdAt),
    ended_at: at(row.endedAt),
    archived_at: at(row.archivedAt),
  };
}
