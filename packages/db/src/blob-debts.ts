// Debts of blobs: what has to be removed once no file has it. A debt is written before the blob, or in the transaction in
// which its last file goes, so a process that dies leaves nothing that is not known.
import { and, asc, eq, gt, isNotNull, isNull, lte, ne, or, type SQL, sql } from 'drizzle-orm';
import { alias } from 'drizzle-orm/sqlite-core';
import type { Blobs } from './blobs.ts';
import type { Database } from './database.ts';
import { blobDebts, files } from './tables/files.ts';

/** Whoever owes a blob removes it at once, or has died. */
const LATE_MS = 5 * 60_000;
/** A process that takes longer than this to write one blob has died. */
const UNDER_WAY_MS = 24 * 3_600_000;
const REMOVED_AT_ONCE = 1_000;
const SWEPT_AT_ONCE = 500;
const MOST_ROUNDS = 20;

const other = alias(files, 'other');

/** Before blobs are written: each is owed to be removed, until a file has it. `now` is epoch ms. */
export async function expectBlobs(db: Database, blobs: readonly string[], now: number): Promise<void> {
  await db
    .insert(blobDebts)
    .select(sql`SELECT value, ${now + UNDER_WAY_MS} FROM json_each(${JSON.stringify(blobs)})`);
}

/** Nothing may be made of a blob that may have been removed by now. */
export function stillOwed(blob: string | SQL, now: number): SQL {
  return sql`EXISTS (SELECT 1 FROM ${blobDebts} WHERE ${and(eq(blobDebts.blob, blob), gt(blobDebts.dueAt, now))})`;
}

/** A statement: the blob is owed no more, once the file that has it is there. */
export function paid(db: Database, { blob, fileId }: { blob: string; fileId: string }) {
  const there = sql`EXISTS (SELECT 1 FROM ${files} WHERE ${files.id} = ${fileId})`;
  return db.delete(blobDebts).where(and(eq(blobDebts.blob, blob), there));
}

/** A statement: those of these blobs that a file has are owed no more. */
export function paidAll(db: Database, blobs: readonly string[]) {
  const named = sql`${blobDebts.blob} IN (SELECT value FROM json_each(${JSON.stringify(blobs)}))`;
  const there = sql`EXISTS (SELECT 1 FROM ${files} WHERE ${eq(files.blob, blobDebts.blob)})`;
  return db.delete(blobDebts).where(and(named, there));
}

interface Going {
  /** The files that go. */
  where: SQL | undefined;
  /** Of the other files with the same blob, those that stay. */
  staying: SQL | undefined;
  /** Epoch ms. */
  now: number;
}

/** A statement: the blobs that are no file's once these files have gone are owed from now on. Gives their keys. */
function owe(db: Database, { where, staying, now }: Going) {
  const shared = sql`EXISTS (SELECT 1 FROM ${files} AS other WHERE ${and(eq(other.blob, files.blob), staying)})`;
  return db
    .insert(blobDebts)
    .select(
      sql`SELECT DISTINCT ${files.blob}, ${now} FROM ${files} WHERE ${and(where, isNotNull(files.blob))} AND NOT ${shared}`,
    )
    .onConflictDoUpdate({ target: blobDebts.blob, set: { dueAt: now } })
    .returning({ blob: blobDebts.blob });
}

/** For one file. */
export function oweOf(db: Database, where: SQL | undefined, now: number) {
  return owe(db, { where, staying: ne(other.id, files.id), now });
}

/** For the files that go with a session. */
export function oweOfSession(
  db: Database,
  { tenantId, sessionId }: { tenantId: string; sessionId: string },
  now: number,
) {
  const where = and(eq(files.tenantId, tenantId), eq(files.sessionId, sessionId));
  const staying = or(isNull(other.sessionId), ne(other.sessionId, sessionId));
  return owe(db, { where, staying, now });
}

export interface Shelf {
  db: Database;
  blobs: Blobs;
}

/** Removes these blobs, then their debts. */
export async function settle({ db, blobs }: Shelf, keys: readonly string[]): Promise<void> {
  for (let at = 0; at < keys.length; at += REMOVED_AT_ONCE) {
    const some = keys.slice(at, at + REMOVED_AT_ONCE);
    await blobs.remove(some);
    const named = sql`${blobDebts.blob} IN (SELECT value FROM json_each(${JSON.stringify(some)}))`;
    await db.delete(blobDebts).where(named);
  }
}

/** Removes what has expired at `now` (epoch ms), and what a process that died has left. Resolves with how many blobs it were. */
export async function sweepBlobs(shelf: Shelf, now: number): Promise<number> {
  const { db } = shelf;
  const expired = and(lte(files.expiresAt, now), isNotNull(files.blob));
  const staying = or(isNull(other.expiresAt), gt(other.expiresAt, now));
  await db.batch([
    owe(db, { where: expired, staying, now: now - LATE_MS }),
    db.update(files).set({ blob: null }).where(expired),
  ]);
  let swept = 0;
  for (let round = 0; round < MOST_ROUNDS; round++) {
    const due = await db
      .select({ blob: blobDebts.blob })
      .from(blobDebts)
      .where(lte(blobDebts.dueAt, now - LATE_MS))
      .orderBy(asc(blobDebts.dueAt))
      .limit(SWEPT_AT_ONCE);
    await settle(
      shelf,
      due.map(({ blob }) => blob),
    );
    swept += due.length;
    if (due.length < SWEPT_AT_ONCE) break;
  }
  return swept;
}
