// Tenants: whose data is whose. Counting them shows that the database answers and its migrations were applied.
import { ApiError } from '@capstan/schema/error';
import type { Organization } from '@capstan/schema/organizations';
import { count, eq } from 'drizzle-orm';
import type { Database } from './database.ts';
import { tenants } from './tables/tenants.ts';

export async function tenantCount(db: Database): Promise<number> {
  const [row] = await db.select({ total: count() }).from(tenants);
  return row?.total ?? 0;
}

/** A tenant as the API shows it. */
export async function readOrganization(db: Database, tenantId: string): Promise<Organization> {
  const [row] = await db.select().from(tenants).where(eq(tenants.id, tenantId));
  if (row) return { id: row.id, name: row.name, type: 'organization' };
  throw new ApiError('not_found', `No organization ${tenantId}`);
}
