// Skills of one tenant. A version never changes; its archive is a blob that it may share with sessions, which have copies.
// 1. A skill, its first version and the archive of that are there together or not at all, and so are later versions.
// 2. A skill has at least one version. The latest one is the newest there is.
import { ApiError } from '@capstan/schema/error';
import type { Claim } from '@capstan/schema/idempotency';
import type { Page } from '@capstan/schema/page';
import {
  LATEST,
  type OwnSource,
  type Skill,
  type SkillSource,
  type SkillVersion,
} from '@capstan/schema/skills';
import { newId } from '@capstan/shared/ids';
import { and, asc, desc, eq, gt, inArray, lt, type SQL, sql } from 'drizzle-orm';
import { expectBlobs, oweOf, paid, stillOwed } from './blob-debts.ts';
import type { Content } from './blobs.ts';
import { insertWhen } from './conditional-insert.ts';
import { type Listing, type Seek, seek, toPage } from './cursor.ts';
import { type FileRow, toRow } from './file-rows.ts';
import { keepReceipt } from './receipts.ts';
import type { Scope } from './scope.ts';
import { type SessionSkill, skillsOfSession } from './session-skills.ts';
import { type SkillRow, shownSkill, shownVersion, toSkill, toSkillVersion } from './skill-rows.ts';
import { files } from './tables/files.ts';
import { skills, skillVersions } from './tables/skills.ts';

/** An archive whose content is there, of an expected file. */
export interface SkillArchive {
  id: string;
  blob: string;
  content: Content;
}

export interface NewVersion {
  name: string;
  description: string;
  archive: SkillArchive;
  /** Epoch ms. */
  now: number;
}

export interface NewSkill extends NewVersion {
  displayName: string;
  source: OwnSource;
}

export interface FoundVersion {
  version: SkillVersion;
  archive: FileRow;
}

export interface PageWanted {
  limit: number;
  page?: string | undefined;
}

const MIME_TYPE = 'application/zip';

/** What is the latest may have changed since it was looked at. */
const NAME_IT = `version: name the version to be deleted by its id; "${LATEST}" is for reading`;

export class SkillStore {
  #scope: Scope;

  constructor(scope: Scope) {
    this.#scope = scope;
  }

  /** The id of an archive to come, and where its content is to be written. */
  async expect(now: number): Promise<{ id: string; blob: string }> {
    const { db, tenantId } = this.#scope;
    const id = newId('file', now);
    const blob = `t/${tenantId}/skills/${id}`;
    await expectBlobs(db, [blob], now);
    return { id, blob };
  }

  /** Refuses (`conflict`) a short name that is taken. With a claim, a receipt is kept: a name that is taken refuses the whole. */
  async create(input: NewSkill, claim?: Claim): Promise<Skill> {
    const { db, tenantId } = this.#scope;
    const { name, displayName, source, archive, now } = input;
    const id = newId('skill', now);
    const row: SkillRow = { id, tenantId, name, displayName, source, createdAt: now, updatedAt: now };
    const version = this.#versionOf(id, input);
    const made = toSkill({ ...row, latest: version.id });
    const [, , inserted] = await db.batch([
      insertWhen(db, skills, { row, when: stillOwed(archive.blob, now) }).onConflictDoNothing(),
      ...this.#insertVersion(version, input),
      ...keepReceipt(this.#scope, claim, receiptOf(version, { id, reply: made, now })),
    ]);
    if (inserted.length > 0) return made;
    throw (await this.#isTaken(input)) ? taken(name) : tookTooLong();
  }

  /** Of a skill with that name. Refuses (`not_found`) a skill that is gone. With a claim, a receipt is kept. */
  async addVersion(skill: SkillRow, input: NewVersion, claim?: Claim): Promise<SkillVersion> {
    const { db } = this.#scope;
    const { now } = input;
    const version = this.#versionOf(skill.id, input);
    const made = toSkillVersion({ ...version, name: skill.name, source: skill.source });
    const updatedAt = sql`max(${skills.updatedAt}, ${now})`;
    const [, inserted] = await db.batch([
      ...this.#insertVersion(version, input),
      ...keepReceipt(this.#scope, claim, receiptOf(version, { id: version.id, reply: made, now })),
      db.update(skills).set({ updatedAt }).where(eq(skills.id, skill.id)),
    ]);
    if (inserted.length > 0) return made;
    await this.row(skill.id);
    throw tookTooLong();
  }

  /** Refuses (`not_found`) an unknown skill. */
  async row(id: string): Promise<SkillRow> {
    const [row] = await this.#scope.db.select().from(skills).where(this.#named(id));
    if (row) return row;
    throw new ApiError('not_found', `No skill ${id}`);
  }

  async retrieve(id: string): Promise<Skill> {
    const [row] = await this.#scope.db.select(shownSkill).from(skills).where(this.#named(id));
    if (row) return toSkill(row);
    throw new ApiError('not_found', `No skill ${id}`);
  }

  /** Newest first. */
  async list({ source, ...wanted }: PageWanted & { source?: SkillSource | undefined }): Promise<Page<Skill>> {
    const { db, tenantId } = this.#scope;
    const listing: Listing = { list: 'skills', tenantId, order: 'desc', ...wanted };
    const at = seek(listing);
    const own = eq(skills.tenantId, tenantId);
    const of = source === undefined ? own : and(own, sql`${skills.source} = ${source}`);
    const found = await db
      .select(shownSkill)
      .from(skills)
      .where(and(of, beyond(skills.id, at)))
      .orderBy(at.order === 'desc' ? desc(skills.id) : asc(skills.id))
      .limit(at.take);
    const { rows, next } = toPage(listing, at, found);
    return { data: rows.map(toSkill), next_page: next };
  }

  /** Newest first. */
  async versions(skillId: string, wanted: PageWanted): Promise<Page<SkillVersion>> {
    const { id } = await this.row(skillId);
    const { db, tenantId } = this.#scope;
    const listing: Listing = { list: `versions of ${id}`, tenantId, order: 'desc', ...wanted };
    const at = seek(listing);
    const found = await db
      .select(shownVersion)
      .from(skillVersions)
      .innerJoin(skills, eq(skills.id, skillVersions.skillId))
      .where(and(eq(skills.tenantId, tenantId), eq(skillVersions.skillId, id), beyond(skillVersions.id, at)))
      .orderBy(at.order === 'desc' ? desc(skillVersions.id) : asc(skillVersions.id))
      .limit(at.take);
    const { rows, next } = toPage(listing, at, found);
    return { data: rows.map(toSkillVersion), next_page: next };
  }

  /** A version, or `latest`, with its archive. */
  async archive(skillId: string, version: string): Promise<FoundVersion> {
    const row = await this.#version(skillId, version);
    const [archive] = await this.#scope.db.select().from(files).where(eq(files.id, row.fileId));
    if (archive) return { version: toSkillVersion(row), archive };
    throw unknownVersion(skillId, version);
  }

  /** The copy that a session has of a version. Refuses (`not_found`) what it does not have. */
  async copy(
    skillId: string,
    { version: id, sessionId }: { version: string; sessionId: string },
  ): Promise<FoundVersion> {
    const copies = await this.ofSession(sessionId);
    const copy = copies.find((skill) => skill.id === id);
    const [archive] = await this.#scope.db
      .select()
      .from(files)
      .where(eq(files.id, copy?.fileId ?? ''));
    if (copy === undefined || archive === undefined) throw unknownVersion(skillId, id);
    const { name, description } = copy;
    const shown = { id, name, description, createdAt: archive.createdAt };
    return { version: toSkillVersion({ ...shown, source: 'custom', skillId }), archive };
  }

  /** Those that a session has copies of, by name. */
  ofSession(sessionId: string): Promise<SessionSkill[]> {
    return skillsOfSession(this.#scope, sessionId);
  }

  /** With its versions. Gives the blobs that are no file's any more, to be settled. */
  async remove(skillId: string, now: number): Promise<string[]> {
    const { db, tenantId } = this.#scope;
    const { id } = await this.row(skillId);
    const its = and(eq(skillVersions.tenantId, tenantId), eq(skillVersions.skillId, id));
    const archives = this.#archives(its);
    const [owed] = await db.batch([
      oweOf(db, archives, now),
      db.delete(files).where(archives),
      db.delete(skillVersions).where(its),
      db.delete(skills).where(and(eq(skills.tenantId, tenantId), eq(skills.id, id))),
    ]);
    return owed.map(({ blob }) => blob);
  }

  /** Refuses (`invalid_request`) the only one. Gives its id, and the blobs that are no file's any more, to be settled. */
  async removeVersion(
    skillId: string,
    version: string,
    now: number,
  ): Promise<{ id: string; owed: string[] }> {
    const { db, tenantId } = this.#scope;
    const { id: internal } = await this.row(skillId);
    if (version === LATEST) throw new ApiError('invalid_request', NAME_IT);
    const others = sql`(SELECT count(*) FROM skill_versions AS v WHERE v.skill_id = ${internal}) > 1`;
    const named = and(
      eq(skillVersions.tenantId, tenantId),
      eq(skillVersions.skillId, internal),
      eq(skillVersions.id, version),
      others,
    );
    const archives = this.#archives(named);
    const [owed, , [removed]] = await db.batch([
      oweOf(db, archives, now),
      db.delete(files).where(archives),
      db.delete(skillVersions).where(named).returning({ id: skillVersions.id }),
      db
        .update(skills)
        .set({ updatedAt: sql`max(${skills.updatedAt}, ${now})` })
        .where(eq(skills.id, internal)),
    ]);
    if (removed) return { id: removed.id, owed: owed.map(({ blob }) => blob) };
    await this.#version(skillId, version);
    throw new ApiError(
      'invalid_request',
      `version: ${version} is the only version of the skill; delete the skill, or upload another version first`,
    );
  }

  async #version(skillId: string, version: string) {
    const { db } = this.#scope;
    const [row] = await db
      .select(shownVersion)
      .from(skillVersions)
      .innerJoin(skills, eq(skills.id, skillVersions.skillId))
      .where(and(this.#named(skillId), version === LATEST ? undefined : eq(skillVersions.id, version)))
      .orderBy(desc(skillVersions.id))
      .limit(1);
    if (row) return row;
    await this.row(skillId);
    throw unknownVersion(skillId, version);
  }

  #versionOf(skillId: string, { description, archive, now }: NewVersion) {
    const { tenantId } = this.#scope;
    const id = newId('skillVersion', now);
    return { id, tenantId, skillId, description, fileId: archive.id, createdAt: now };
  }

  /** Of a skill that is there by then: its archive, and the version. */
  #insertVersion(row: typeof skillVersions.$inferSelect, { name, archive, now }: NewVersion) {
    const { db, tenantId } = this.#scope;
    const { id, blob, content } = archive;
    const named = { filename: `${name}.zip`, mimeType: MIME_TYPE, downloadable: false };
    const file = toRow(tenantId, { kind: 'copy', ...named, id, blob, content, now });
    const parent = sql`EXISTS (SELECT 1 FROM skills AS s WHERE s.id = ${row.skillId})`;
    const stored = sql`EXISTS (SELECT 1 FROM files AS f WHERE f.id = ${id})`;
    return [
      insertWhen(db, files, { row: file, when: sql`${stillOwed(blob, now)} AND ${parent}` }),
      insertWhen(db, skillVersions, { row, when: stored }).returning({ id: skillVersions.id }),
      paid(db, { blob, fileId: id }),
    ] as const;
  }

  async #isTaken({ name, source }: NewSkill): Promise<boolean> {
    if (source !== 'anthropic') return false;
    const [row] = await this.#scope.db.select({ id: skills.id }).from(skills).where(this.#named(name));
    return row !== undefined;
  }

  #archives(versions: SQL | undefined): SQL | undefined {
    const { db, tenantId } = this.#scope;
    const theirs = db.select({ id: skillVersions.fileId }).from(skillVersions).where(versions);
    return and(eq(files.tenantId, tenantId), inArray(files.id, theirs));
  }

  /** Ids have an underscore, short names have none. */
  #named(id: string): SQL | undefined {
    const own = eq(skills.tenantId, this.#scope.tenantId);
    if (!id.includes('_')) return and(own, eq(skills.name, id), sql`${skills.source} = 'anthropic'`);
    return and(own, eq(skills.id, id), sql`${skills.source} = 'custom'`);
  }
}

function receiptOf(version: { id: string }, made: { id: string; reply: object; now: number }) {
  const from = sql`FROM ${skillVersions} WHERE ${skillVersions.id} = ${version.id}`;
  return { ...made, reply: JSON.stringify(made.reply), from };
}

function beyond(id: typeof skills.id | typeof skillVersions.id, at: Seek): SQL | undefined {
  if (at.id === null) return undefined;
  return at.order === 'desc' ? lt(id, at.id) : gt(id, at.id);
}

function unknownVersion(skillId: string, version: string): ApiError {
  return new ApiError('not_found', `No version ${version} of the skill ${skillId}`);
}

function taken(name: string): ApiError {
  return new ApiError(
    'conflict',
    `source: there is a skill ${name} of this source already; upload a version of it`,
  );
}

function tookTooLong(): ApiError {
  return new ApiError('unavailable', 'The skill took too long to arrive: upload it again', {
    retryAfterSeconds: 1,
  });
}
