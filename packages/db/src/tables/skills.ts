// Skills, their versions, and the versions that sessions have copies of.
import type { OwnSource } from '@capstan/schema/skills';
import { sql } from 'drizzle-orm';
import {
  foreignKey,
  index,
  integer,
  primaryKey,
  sqliteTable,
  text,
  uniqueIndex,
} from 'drizzle-orm/sqlite-core';

export const skills = sqliteTable(
  'skills',
  {
    id: text().primaryKey(),
    tenantId: text('tenant_id').notNull(),
    /** What its front matter calls it: the same in every version. */
    name: text().notNull(),
    displayName: text('display_name').notNull(),
    source: text().$type<OwnSource>().notNull(),
    createdAt: integer('created_at').notNull(),
    updatedAt: integer('updated_at').notNull(),
  },
  (t) => [
    index('skills_tenant').on(t.tenantId, t.id),
    index('skills_source').on(t.tenantId, t.source, t.id),
    // Such a skill is known to clients by its name.
    uniqueIndex('skills_short_name').on(t.tenantId, t.name).where(sql`source = 'anthropic'`),
  ],
);

/** Its archive is a file that nobody lists. */
export const skillVersions = sqliteTable(
  'skill_versions',
  {
    id: text().primaryKey(),
    tenantId: text('tenant_id').notNull(),
    skillId: text('skill_id').notNull(),
    description: text().notNull(),
    fileId: text('file_id').notNull(),
    createdAt: integer('created_at').notNull(),
  },
  (t) => [
    index('skill_versions_skill').on(t.skillId, t.id),
    foreignKey({ columns: [t.skillId], foreignColumns: [skills.id] }),
  ],
);

/** A session's own: versions may be deleted, and it goes on. */
export const sessionSkills = sqliteTable(
  'session_skills',
  {
    tenantId: text('tenant_id').notNull(),
    sessionId: text('session_id').notNull(),
    versionId: text('version_id').notNull(),
    name: text().notNull(),
    description: text().notNull(),
    fileId: text('file_id').notNull(),
  },
  (t) => [primaryKey({ columns: [t.sessionId, t.versionId] })],
);
