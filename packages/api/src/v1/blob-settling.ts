// Blobs that no file has any more are removed at once; those that cannot be now are swept later.
import { type Shelf, settle } from '@capstan/db/blob-debts';
import type { Logger } from '@capstan/shared/logger';

export interface Settling {
  owed: readonly string[];
  logger: Logger;
}

export async function settleOrLeave(shelf: Shelf, { owed, logger }: Settling): Promise<void> {
  await settle(shelf, owed).catch((error: unknown) =>
    logger.error('blobs.left', { count: owed.length }, error),
  );
}
