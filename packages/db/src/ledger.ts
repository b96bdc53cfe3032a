// What one tenant's model calls took, a line for each.
// 1. The event that ended a call names its line: recorded again, it changes nothing.
// 2. Lines are not of a session's row: they outlive it.
import type { Page } from '@capstan/schema/page';
import type { UsageGroup, UsageSummary } from '@capstan/schema/usage';
import { and, eq, gt, gte, lt, type SQL, sql } from 'drizzle-orm';
import { type Listing, seek, toPage } from './cursor.ts';
import type { Scope } from './scope.ts';
import { type LedgerKind, ledger } from './tables/ledger.ts';

export interface LedgerEntry {
  /** The event that ended the call. */
  eventId: string;
  sessionId: string;
  threadId: string;
  agentId: string;
  agentVersion: number;
  kind: LedgerKind;
  provider: string;
  model: string;
  inputTokens: number;
  outputTokens: number;
  cacheReadTokens: number;
  cacheWriteTokens: number;
  /** Billionths of a dollar; null when no list price was known. */
  costNanoUsd: number | null;
  /** The call never answered: nobody told what it took. */
  estimated: boolean;
  /** Epoch ms. */
  at: number;
}

export interface UsageFilter {
  /** Epoch ms; up to, but not at. */
  from?: number | undefined;
  to?: number | undefined;
  groupBy: UsageGroup;
  limit: number;
  page?: string | undefined;
}

/** One parameter of a statement carries this many: far below the 2 MB it may have. */
const AT_ONCE = 1_000;
const NANO_USD_PER_CENT = 10_000_000;

const GROUPS: Record<UsageGroup, SQL<string>> = {
  day: sql`strftime('%Y-%m-%d', ${ledger.at} / 1000, 'unixepoch')`,
  model: sql`${ledger.provider} || '/' || ${ledger.model}`,
  agent: sql`${ledger.agentId}`,
  session: sql`${ledger.sessionId}`,
};

export class LedgerStore {
  #scope: Scope;

  constructor(scope: Scope) {
    this.#scope = scope;
  }

  /** Records calls: all of them, or rejects. May be repeated, with others or without. */
  async record(entries: readonly LedgerEntry[]): Promise<void> {
    const [first, ...others] = this.statements(entries);
    if (first) await this.#scope.db.batch([first, ...others]);
  }

  /** What records them, as part of a batch. */
  statements(entries: readonly LedgerEntry[]) {
    const statements = [];
    for (let start = 0; start < entries.length; start += AT_ONCE)
      statements.push(this.#insert(entries.slice(start, start + AT_ONCE)));
    return statements;
  }

  /** Sums by group, in the order of the groups. */
  async summary(filter: UsageFilter): Promise<Page<UsageSummary>> {
    const { db, tenantId } = this.#scope;
    const { groupBy, from, to } = filter;
    const listing: Listing = { list: `usage:${groupBy}`, tenantId, order: 'asc', ...filter };
    const at = seek(listing);
    const group = GROUPS[groupBy];
    const found = await db
      .select({ id: group.as('id'), ...SUMS })
      .from(ledger)
      .where(
        and(
          eq(ledger.tenantId, tenantId),
          from === undefined ? undefined : gte(ledger.at, from),
          to === undefined ? undefined : lt(ledger.at, to),
          at.id === null ? undefined : gt(group, at.id),
        ),
      )
      .groupBy(group)
      .orderBy(group)
      .limit(at.take);
    const page = toPage(listing, at, found);
    return { data: page.rows.map(toSummary), next_page: page.next };
  }

  /** In the order of the table's columns. */
  #insert(entries: readonly LedgerEntry[]) {
    const { db, tenantId } = this.#scope;
    const value = (name: keyof LedgerEntry) => sql.raw(`value ->> '$.${name}'`);
    const rows = sql`SELECT ${value('eventId')}, ${tenantId}, ${value('sessionId')}, ${value('threadId')},
        ${value('agentId')}, ${value('agentVersion')}, ${value('kind')}, ${value('provider')}, ${value('model')},
        ${value('inputTokens')}, ${value('outputTokens')}, ${value('cacheReadTokens')},
        ${value('cacheWriteTokens')}, ${value('costNanoUsd')}, ${value('at')}, ${value('estimated')}
      FROM json_each(${JSON.stringify(entries)}) WHERE true`;
    return db.insert(ledger).select(rows).onConflictDoNothing({ target: ledger.eventId });
  }
}

const SUMS = {
  calls: sql<number>`count(*)`,
  inputTokens: sql<number>`sum(${ledger.inputTokens})`,
  outputTokens: sql<number>`sum(${ledger.outputTokens})`,
  cacheReadTokens: sql<number>`sum(${ledger.cacheReadTokens})`,
  cacheWriteTokens: sql<number>`sum(${ledger.cacheWriteTokens})`,
  costNanoUsd: sql<number | null>`sum(${ledger.costNanoUsd})`,
  unpriced: sql<number>`count(*) - count(${ledger.costNanoUsd})`,
  estimated: sql<number>`sum(${ledger.estimated})`,
};

interface Sums {
  id: string;
  calls: number;
  inputTokens: number;
  outputTokens: number;
  cacheReadTokens: number;
  cacheWriteTokens: number;
  costNanoUsd: number | null;
  unpriced: number;
  estimated: number;
}

function toSummary(sums: Sums): UsageSummary {
  const { costNanoUsd } = sums;
  const cents = costNanoUsd === null ? null : Math.ceil(costNanoUsd / NANO_USD_PER_CENT);
  return {
    type: 'usage_summary',
    group: sums.id,
    model_calls: sums.calls,
    input_tokens: sums.inputTokens,
    output_tokens: sums.outputTokens,
    cache_read_input_tokens: sums.cacheReadTokens,
    cache_creation_input_tokens: sums.cacheWriteTokens,
    list_cost: cents === null ? null : { amount: String(cents), currency: 'USD' },
    list_cost_nano_usd: costNanoUsd,
    unpriced_model_calls: sums.unpriced,
    estimated_model_calls: sums.estimated,
  };
}
