// User profiles.
import type { Metadata } from '@capstan/schema/metadata';
import type { UserDetails, UserProfile } from '@capstan/schema/user-profiles';
import { index, integer, sqliteTable, text } from 'drizzle-orm/sqlite-core';

export const userProfiles = sqliteTable(
  'user_profiles',
  {
    id: text().primaryKey(),
    tenantId: text('tenant_id').notNull(),
    name: text(),
    /** The name in lower case, of ASCII letters only: what lists are in the order of. */
    nameKey: text('name_key'),
    accessType: text('access_type').$type<UserProfile['access_type']>().notNull(),
    details: text({ mode: 'json' }).$type<UserDetails>().notNull(),
    metadata: text({ mode: 'json' }).$type<Metadata>().notNull(),
    createdAt: integer('created_at').notNull(),
    updatedAt: integer('updated_at').notNull(),
  },
  (t) => [
    index('user_profiles_tenant').on(t.tenantId, t.id),
    index('user_profiles_name').on(t.tenantId, t.nameKey, t.id),
  ],
);
