// Skills: folders of instructions, scripts and resources that agents read when they need them (spec §4.5, §5.10).
// A skill has at least one version, and a version never changes.
import { z } from 'zod';
import { idSchema } from './ids.ts';
import { pageOf, pageQuery, timestamp } from './page.ts';
import { CREDENTIALS, defineRoute } from './route.ts';

/** What one version may have, all files together, and its upload. */
export const MAX_SKILL_BYTES = 30 * 1024 * 1024;
export const MAX_SKILL_FILES = 1_000;
export const MAX_SKILL_NAME_CHARS = 64;
export const MAX_SKILL_DESCRIPTION_CHARS = 1_024;
export const MAX_AGENT_SKILLS = 20;
/** The version that is current when it is asked for. */
export const LATEST = 'latest';

export const skillSource = z.enum(['custom', 'anthropic', 'anthropic_example', 'plugin']);
export type SkillSource = z.infer<typeof skillSource>;
/** What can be uploaded. */
export const OWN_SOURCES = ['custom', 'anthropic'] as const satisfies readonly SkillSource[];
export type OwnSource = (typeof OWN_SOURCES)[number];

export const skill = z
  .object({
    id: idSchema('skill'),
    type: z.literal('skill'),
    display_name: z.string(),
    latest_version_id: idSchema('skillVersion'),
    source: z.object({ type: skillSource }),
    created_at: timestamp,
    updated_at: timestamp,
    /** As clients before 0.122 know them. */
    display_title: z.string(),
    latest_version: z.string(),
  })
  .meta({ id: 'Skill' });
export type Skill = z.infer<typeof skill>;

export const skillVersion = z
  .object({
    id: idSchema('skillVersion'),
    type: z.literal('skill_version'),
    skill_id: idSchema('skill'),
    name: z.string().meta({ example: 'quarterly-report' }),
    description: z.string(),
    created_at: timestamp,
    /** As clients before 0.122 know them. */
    version: z.string(),
    directory: z.string(),
  })
  .meta({ id: 'SkillVersion' });
export type SkillVersion = z.infer<typeof skillVersion>;

const displayName = z
  .string()
  .trim()
  .min(1)
  .max(255)
  .regex(/^[^\p{Cc}\u2028\u2029]*$/u, 'must be one line');

/** The text parts of a new skill, as they arrive. */
export const skillFields = z.object({
  display_name: displayName.optional(),
  /** The spelling of clients before 0.122. */
  display_title: displayName.optional(),
  /** Our extension: `anthropic` makes it the skill that agents name by its short name, e.g. `xlsx`. */
  source: z.enum(OWN_SOURCES).optional(),
});

const files = z.array(z.string().meta({ format: 'binary' })).meta({
  description:
    'The files, each with a relative path below one shared top directory that has a SKILL.md; or one zip archive of it. At most 30 MiB together, and 1,000 files.',
});
const newSkill = skillFields.extend({ 'files[]': files }).meta({ id: 'CreateSkill' });
const newVersion = z.object({ 'files[]': files }).meta({ id: 'CreateSkillVersion' });

/** How an agent names a skill. */
export const skillParam = z
  .object({
    type: z.enum(OWN_SOURCES),
    skill_id: z.string().min(1).max(128),
    /** Absent, null and `latest`: the one that is current when the agent is saved. */
    version: z.string().min(1).max(128).nullish(),
  })
  .meta({ id: 'SkillParam' });
export type SkillParam = z.infer<typeof skillParam>;
export const skillParams = z.array(skillParam).max(MAX_AGENT_SKILLS);

/** A skill of an agent, its version pinned. */
export const agentSkill = z
  .object({ type: z.enum(OWN_SOURCES), skill_id: z.string(), version: z.string() })
  .meta({ id: 'AgentSkill' });
export type AgentSkill = z.infer<typeof agentSkill>;

const tag = 'Skills';
const params = z.object({ skill_id: idSchema('skill') });
const versionParams = params.extend({ version: idSchema('skillVersion') });

export const skillRoutes = {
  create: defineRoute({
    method: 'post',
    path: '/v1/skills',
    operationId: 'createSkill',
    summary: 'Create a skill from the files of its first version',
    tag,
    access: 'key',
    once: true,
    form: newSkill,
    response: skill,
    errors: ['conflict', 'too_large', 'unsupported_media_type'],
  }),
  list: defineRoute({
    method: 'get',
    path: '/v1/skills',
    operationId: 'listSkills',
    summary: 'List skills, newest first',
    tag,
    access: 'key',
    query: pageQuery({ default: 20, max: 100 }).extend({ source: skillSource.optional() }),
    response: pageOf(skill),
  }),
  retrieve: defineRoute({
    method: 'get',
    path: '/v1/skills/{skill_id}',
    operationId: 'retrieveSkill',
    summary: 'Retrieve a skill',
    tag,
    access: 'key',
    params,
    response: skill,
    errors: ['not_found'],
  }),
  delete: defineRoute({
    method: 'delete',
    path: '/v1/skills/{skill_id}',
    operationId: 'deleteSkill',
    summary: 'Delete a skill with its versions: sessions that exist keep theirs',
    tag,
    access: 'key',
    params,
    response: z.object({ id: idSchema('skill'), type: z.literal('skill_deleted') }),
    errors: ['not_found'],
  }),
  createVersion: defineRoute({
    method: 'post',
    path: '/v1/skills/{skill_id}/versions',
    operationId: 'createSkillVersion',
    summary: 'Create the next version of a skill',
    tag,
    access: 'key',
    once: true,
    params,
    form: newVersion,
    response: skillVersion,
    errors: ['not_found', 'too_large', 'unsupported_media_type'],
  }),
  versions: defineRoute({
    method: 'get',
    path: '/v1/skills/{skill_id}/versions',
    operationId: 'listSkillVersions',
    summary: "List a skill's versions, newest first",
    tag,
    access: 'key',
    params,
    query: pageQuery({ default: 20, max: 100 }),
    response: pageOf(skillVersion),
    errors: ['not_found'],
  }),
  retrieveVersion: defineRoute({
    method: 'get',
    path: '/v1/skills/{skill_id}/versions/{version}',
    operationId: 'retrieveSkillVersion',
    summary: 'Retrieve a version of a skill, or `latest`',
    tag,
    access: 'key',
    callers: CREDENTIALS,
    params: versionParams,
    response: skillVersion,
    errors: ['not_found'],
  }),
  download: defineRoute({
    method: 'get',
    path: '/v1/skills/{skill_id}/versions/{version}/content',
    operationId: 'downloadSkillVersion',
    summary: 'Download the files of a version, or of `latest`, as a zip archive',
    tag,
    access: 'key',
    callers: CREDENTIALS,
    params: versionParams,
    bytes: { type: 'application/zip', ranges: true, filename: 'quarterly-report.zip' },
    response: z.string().meta({ format: 'binary' }),
    errors: ['not_found', 'precondition_failed', 'range_not_satisfiable'],
  }),
  deleteVersion: defineRoute({
    method: 'delete',
    path: '/v1/skills/{skill_id}/versions/{version}',
    operationId: 'deleteSkillVersion',
    summary: 'Delete a version of a skill, unless it is its only one: sessions that exist keep it',
    tag,
    access: 'key',
    params: versionParams,
    response: z.object({ id: idSchema('skillVersion'), type: z.literal('skill_version_deleted') }),
    errors: ['not_found'],
  }),
};
