// What the agents of a session made becomes its files: many of them take as many statements as one.
// 1. Their blobs are owed before they are written, and the debts go in the transaction in which the files come.
// 2. A name and a content are one file, however often it is kept: the blob of another goes at once.
import { sql } from 'drizzle-orm';
import { expectBlobs, paidAll, type Shelf, settle, stillOwed } from './blob-debts.ts';
import type { Content } from './blobs.ts';
import type { Database } from './database.ts';
import { type ExpectedFile, newFile } from './file-rows.ts';
import { files } from './tables/files.ts';

export interface NewOutput {
  filename: string;
  mimeType: string;
  content: AsyncIterable<Uint8Array>;
}

export interface OutputScope {
  tenantId: string;
  sessionId: string;
  /** Epoch ms. */
  now: number;
}

type StoredOutput = ExpectedFile & Content & Omit<NewOutput, 'content'>;

const PUT_AT_ONCE = 6;

/** Rejects with what a content rejects with: none of them is kept then. A few hundred at most: their names travel as one parameter. */
export async function keepOutputs(
  { db, blobs }: Shelf,
  scope: OutputScope,
  outputs: readonly NewOutput[],
): Promise<void> {
  const expected = outputs.map((output) => ({ ...output, ...newFile(scope, scope.now) }));
  const keys = expected.map(({ blob }) => blob);
  await expectBlobs(db, keys, scope.now);
  const stored: StoredOutput[] = [];
  const waiting = expected.values();
  const put = async () => {
    for (const { content, ...output } of waiting)
      stored.push({ ...output, ...(await blobs.put(output.blob, content)) });
  };
  const ends = await Promise.allSettled(Array.from({ length: PUT_AT_ONCE }, put));
  for (const end of ends) {
    if (end.status === 'fulfilled') continue;
    await settle({ db, blobs }, keys);
    throw end.reason;
  }
  const made = await insert(db, scope, stored);
  await settle(
    { db, blobs },
    stored.flatMap(({ id, blob }) => (made.has(id) ? [] : [blob])),
  );
}

/** The ids of those that were not there. */
async function insert(
  db: Database,
  { tenantId, sessionId, now }: OutputScope,
  stored: readonly StoredOutput[],
): Promise<Set<string>> {
  const value = (name: keyof StoredOutput) => sql.raw(`given.value ->> '$.${name}'`);
  const [inserted] = await db.batch([
    db
      .insert(files)
      // In the order of the table's columns.
      .select(sql`SELECT ${value('id')}, ${tenantId}, 'output', ${value('filename')}, ${value('mimeType')},
        ${value('sizeBytes')}, ${value('digest')}, ${value('blob')}, TRUE, ${sessionId}, ${now}, NULL
        FROM json_each(${JSON.stringify(stored)}) AS given WHERE ${stillOwed(value('blob'), now)}`)
      .onConflictDoNothing()
      .returning({ id: files.id }),
    paidAll(
      db,
      stored.map(({ blob }) => blob),
    ),
  ]);
  return new Set(inserted.map(({ id }) => id));
}
