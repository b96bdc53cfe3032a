// Tenants: whose data is whose. Counting them shows that the database answers and its migrations were applied.
import { count } from 'drizzle-orm';
import type { Database } from './database.ts';
import { tenants } from './tables/tenants.ts';

export async function tenantCount(db: Database): Promise<number> {
  const [row] = await db.select({ total: count() }).from(tenants);
  return row?.total ?? 0;
}
