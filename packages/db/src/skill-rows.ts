// Rows of skills and their versions, and what the API shows of them.
import type { Skill, SkillVersion } from '@capstan/schema/skills';
import { sql } from 'drizzle-orm';
import { skills, skillVersions } from './tables/skills.ts';
import { toTimestamp } from './timestamp.ts';

export type SkillRow = typeof skills.$inferSelect;

/** Of a query over `skills` alone. */
export const shownSkill = {
  id: skills.id,
  name: skills.name,
  displayName: skills.displayName,
  source: skills.source,
  createdAt: skills.createdAt,
  updatedAt: skills.updatedAt,
  latest: sql<string>`(SELECT max(v.id) FROM skill_versions AS v WHERE v.skill_id = skills.id)`,
};
export type ShownSkill = Omit<SkillRow, 'tenantId'> & { latest: string };

/** Of a query over `skill_versions` joined to `skills`. */
export const shownVersion = {
  id: skillVersions.id,
  description: skillVersions.description,
  createdAt: skillVersions.createdAt,
  fileId: skillVersions.fileId,
  skillId: sql<string>`skills.id`.as('of_skill'),
  name: skills.name,
  source: skills.source,
};
export type ShownVersion = Pick<typeof skillVersions.$inferSelect, 'id' | 'description' | 'createdAt'> &
  Pick<SkillRow, 'name' | 'source'> & { skillId: string };

export function toSkill(row: ShownSkill): Skill {
  return {
    id: publicId(row),
    type: 'skill',
    display_name: row.displayName,
    latest_version_id: row.latest,
    source: { type: row.source },
    created_at: toTimestamp(row.createdAt),
    updated_at: toTimestamp(row.updatedAt),
    display_title: row.displayName,
    latest_version: row.latest,
  };
}

export function toSkillVersion(row: ShownVersion): SkillVersion {
  return {
    id: row.id,
    type: 'skill_version',
    skill_id: publicId({ ...row, id: row.skillId }),
    name: row.name,
    description: row.description,
    created_at: toTimestamp(row.createdAt),
    version: row.id,
    directory: row.name,
  };
}

/** What clients call it: those of source `anthropic` have short names. */
export function publicId({ id, name, source }: Pick<SkillRow, 'id' | 'name' | 'source'>): string {
  return source === 'anthropic' ? name : id;
}
