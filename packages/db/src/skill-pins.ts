// The skills of an agent: each pinned to a version when the agent is saved. What was pinned before stays as it was, also
// when the version has been deleted since.
import { ApiError } from '@capstan/schema/error';
import { type AgentSkill, LATEST, type SkillParam } from '@capstan/schema/skills';
import { and, eq, sql } from 'drizzle-orm';
import type { Scope } from './scope.ts';
import { publicId, type SkillRow } from './skill-rows.ts';
import { skills, skillVersions } from './tables/skills.ts';

type Found = Pick<SkillRow, 'id' | 'name' | 'source'> & { latest: string };

/**
 * Refuses unknown skills and versions (`not_found`), and what an agent cannot have together (`invalid_request`).
 * `kept` are the agent's skills as they are.
 */
export async function pinSkills(
  scope: Scope,
  params: readonly SkillParam[],
  kept: readonly AgentSkill[] = [],
): Promise<AgentSkill[]> {
  const asTheyAre = params.flatMap((param) => sameOf(param, kept) ?? []);
  if (asTheyAre.length === params.length) return asTheyAre;
  requireDistinct(
    params.map(({ skill_id: id }) => id),
    (index, first) => `skills.${index}: the same skill as skills.${first}; name each once`,
  );
  const found = await read(scope, params);
  const names: string[] = [];
  const pinned: AgentSkill[] = [];
  for (const [index, param] of params.entries()) {
    const { type, skill_id } = param;
    const row = found.skills.find((skill) => publicId(skill) === skill_id && skill.source === type);
    names.push(row?.name ?? skill_id);
    const same = sameOf(param, kept);
    if (same) pinned.push(same);
    else if (row) pinned.push({ type, skill_id, version: versionOf(row, { param, index, ...found }) });
    else throw unknown(param, index);
  }
  requireDistinct(
    names,
    (index, first) =>
      `skills.${index}: is called ${names[index]}, as skills.${first} is; they would lie in the same directory`,
  );
  return pinned;
}

function sameOf(
  { type, skill_id: id, version }: SkillParam,
  kept: readonly AgentSkill[],
): AgentSkill | undefined {
  return kept.find((skill) => skill.type === type && skill.skill_id === id && skill.version === version);
}

function versionOf(
  row: Found,
  { param, index, versions }: { param: SkillParam; index: number; versions: readonly Version[] },
): string {
  const { version, skill_id } = param;
  if (version === undefined || version === null || version === LATEST) return row.latest;
  if (versions.some((known) => known.id === version && known.skillId === row.id)) return version;
  throw new ApiError('not_found', `skills.${index}.version: no version ${version} of the skill ${skill_id}`);
}

interface Version {
  id: string;
  skillId: string;
}

async function read(
  { db, tenantId }: Scope,
  params: readonly SkillParam[],
): Promise<{ skills: Found[]; versions: Version[] }> {
  const ids = JSON.stringify(params.map(({ skill_id }) => skill_id));
  const wanted = JSON.stringify(params.flatMap(({ version }) => version ?? []));
  const named = sql`(${skills.id} IN (SELECT value FROM json_each(${ids}))
    OR (${skills.source} = 'anthropic' AND ${skills.name} IN (SELECT value FROM json_each(${ids}))))`;
  const latest = sql<string>`(SELECT max(v.id) FROM skill_versions AS v WHERE v.skill_id = skills.id)`;
  const [rows, versions] = await db.batch([
    db
      .select({ id: skills.id, name: skills.name, source: skills.source, latest })
      .from(skills)
      .where(and(eq(skills.tenantId, tenantId), named)),
    db
      .select({ id: skillVersions.id, skillId: skillVersions.skillId })
      .from(skillVersions)
      .where(
        and(
          eq(skillVersions.tenantId, tenantId),
          sql`${skillVersions.id} IN (SELECT value FROM json_each(${wanted}))`,
        ),
      ),
  ]);
  return { skills: rows, versions };
}

function requireDistinct(values: readonly string[], message: (index: number, first: number) => string): void {
  for (const [index, value] of values.entries()) {
    const first = values.indexOf(value);
    if (first !== index) throw new ApiError('invalid_request', message(index, first));
  }
}

function unknown({ type, skill_id }: SkillParam, index: number): ApiError {
  const at = `skills.${index}.skill_id`;
  if (type === 'custom') return new ApiError('not_found', `${at}: no skill ${skill_id}`);
  const hint =
    'upload one with the form field source=anthropic, or name a skill of your own with type custom';
  return new ApiError('not_found', `${at}: no skill ${skill_id} of Anthropic's is on this server; ${hint}`);
}
