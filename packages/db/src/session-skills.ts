// The skills that a session has copies of: those that its agent, and the agents it may call, had pinned when it was created.
// A session and all of its skills are made together or not at all: a version that is gone refuses the whole.
import { ApiError } from '@capstan/schema/error';
import { and, eq, type SQL, sql } from 'drizzle-orm';
import { CALLED } from './roster.ts';
import type { Scope } from './scope.ts';
import { files } from './tables/files.ts';
import { sessionSkills } from './tables/skills.ts';

export interface SessionSkill {
  /** Of the version. */
  id: string;
  name: string;
  description: string;
  fileId: string;
}

/** Ids of the versions that a session's agents have, as its copy of them says. */
function pinned(sessionId: string): SQL {
  const own = sql`SELECT skill.value ->> '$.version' AS id
    FROM sessions AS s, json_each(s.agent, '$.skills') AS skill WHERE s.id = ${sessionId}`;
  const called = CALLED.map(
    (path) => sql`SELECT skill.value ->> '$.version' AS id
    FROM sessions AS s, json_each(s.agent, ${path}) AS member, json_each(member.value, '$.skills') AS skill
    WHERE s.id = ${sessionId}`,
  );
  return sql.join([own, ...called], sql` UNION `);
}

/** The file ids of the copies. */
const NEW_FILE = sql`'file_' || lower(hex(randomblob(12)))`;
/** In the order of the table's columns, over a copy `c` and its source `f`. */
const COPY = sql`c.file_id, f.tenant_id, 'copy', f.filename, f.mime_type, f.size_bytes, f.digest, f.blob, f.downloadable,
  c.session_id`;

/** Statements, once the session is there. They fail when one of its versions is gone: `refuseMissingSkill` knows that failure. */
export function giveSkills({ db, tenantId }: Scope, sessionId: string, now: number) {
  return [
    db
      .insert(sessionSkills)
      .select(sql`SELECT ${tenantId}, ${sessionId}, wanted.id, k.name, v.description, ${NEW_FILE}
      FROM (${pinned(sessionId)}) AS wanted
      LEFT JOIN skill_versions AS v ON v.id = wanted.id AND v.tenant_id = ${tenantId}
      LEFT JOIN skills AS k ON k.id = v.skill_id`),
    db.insert(files).select(sql`SELECT ${COPY}, ${now}, NULL FROM session_skills AS c
      JOIN skill_versions AS v ON v.id = c.version_id JOIN files AS f ON f.id = v.file_id
      WHERE c.session_id = ${sessionId}`),
  ] as const;
}

/** Statements: those of another session, for one that begins like it. */
export function copySkills({ db, tenantId }: Scope, { from, to }: { from: string; to: string }, now: number) {
  return [
    db
      .insert(sessionSkills)
      .select(sql`SELECT o.tenant_id, ${to}, o.version_id, o.name, o.description, ${NEW_FILE}
      FROM session_skills AS o WHERE o.session_id = ${from} AND o.tenant_id = ${tenantId}
      AND EXISTS (SELECT 1 FROM sessions AS s WHERE s.id = ${to})`),
    db.insert(files).select(sql`SELECT ${COPY}, ${now}, NULL FROM session_skills AS c
      JOIN session_skills AS o ON o.session_id = ${from} AND o.version_id = c.version_id
      JOIN files AS f ON f.id = o.file_id WHERE c.session_id = ${to}`),
  ] as const;
}

/** A statement, with the session: its files go by themselves. */
export function removeSkills({ db, tenantId }: Scope, sessionId: string) {
  return db
    .delete(sessionSkills)
    .where(and(eq(sessionSkills.tenantId, tenantId), eq(sessionSkills.sessionId, sessionId)));
}

/** The failure that a version of a skill is gone as a refusal (`invalid_request`); any other as it is. */
export function refuseMissingSkill(error: unknown): never {
  const text = error instanceof Error ? `${error.message} ${String(error.cause ?? '')}` : '';
  if (!text.includes('NOT NULL constraint failed: session_skills.')) throw error;
  throw new ApiError(
    'invalid_request',
    'agent: a version of one of its skills has been deleted; update the skills of the agent',
    { cause: error, reason: 'skill_not_found' },
  );
}

/** By name. */
export async function skillsOfSession({ db, tenantId }: Scope, sessionId: string): Promise<SessionSkill[]> {
  const { versionId: id, name, description, fileId } = sessionSkills;
  return db
    .select({ id, name, description, fileId })
    .from(sessionSkills)
    .where(and(eq(sessionSkills.tenantId, tenantId), eq(sessionSkills.sessionId, sessionId)))
    .orderBy(name, id);
}
