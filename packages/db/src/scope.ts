// Whose data a store reads and writes: fixed when the store is built, so no call can ask for another tenant's.
import type { Database } from './database.ts';

export interface Scope {
  db: Database;
  tenantId: string;
}
