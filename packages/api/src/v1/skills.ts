// Skills over HTTP. An upload is checked and written as one archive: the archive is there before its row, and goes after it.
import type { Shelf } from '@capstan/db/blob-debts';
import type { FoundVersion } from '@capstan/db/skills';
import { stores } from '@capstan/db/stores';
import { ApiError, isApiError } from '@capstan/schema/error';
import { type Skill, type SkillVersion, skillFields, skillRoutes } from '@capstan/schema/skills';
import type { Call, Principal } from '../call.ts';
import { answer, readClaim } from '../claim.ts';
import { describeIssues } from '../issues.ts';
import { mount } from '../mount.ts';
import { receiveSkill, type SkillUpload } from '../skills/skill-upload.ts';
import { zipArchive } from '../skills/zip-archive.ts';
import type { Surface } from '../surface.ts';
import { settleOrLeave } from './blob-settling.ts';
import { download } from './downloads.ts';

export function mountSkills(surface: Surface): void {
  const { db, blobs } = surface.ports;
  const shelf = { db, blobs };

  mount(surface, skillRoutes.create, (call) => create(shelf, call));
  mount(surface, skillRoutes.createVersion, (call) => createVersion(shelf, call));

  mount(surface, skillRoutes.list, ({ principal, query }) =>
    stores(db, principal.tenantId).skills.list(query),
  );

  mount(surface, skillRoutes.retrieve, ({ principal, params }) =>
    stores(db, principal.tenantId).skills.retrieve(params.skill_id),
  );

  mount(surface, skillRoutes.delete, async ({ principal, params, now, logger }) => {
    const owed = await stores(db, principal.tenantId).skills.remove(params.skill_id, now);
    await settleOrLeave(shelf, { owed, logger });
    return { id: params.skill_id, type: 'skill_deleted' as const };
  });

  mount(surface, skillRoutes.versions, ({ principal, params, query }) =>
    stores(db, principal.tenantId).skills.versions(params.skill_id, query),
  );

  mount(surface, skillRoutes.retrieveVersion, ({ principal, params }) =>
    found(db, principal, params).then(({ version }) => version),
  );

  mount(surface, skillRoutes.download, async ({ principal, params, request }) => {
    const { archive } = await found(db, principal, params);
    const open = async (range?: { offset: number; length: number }) => {
      const body = archive.blob === null ? null : await blobs.get(archive.blob, range);
      if (body !== null) return body;
      throw new ApiError('internal', 'The archive of the skill is missing');
    };
    return download(request, { ...archive, open });
  });

  mount(surface, skillRoutes.deleteVersion, async ({ principal, params, now, logger }) => {
    const { skills } = stores(db, principal.tenantId);
    const { id, owed } = await skills.removeVersion(params.skill_id, params.version, now);
    await settleOrLeave(shelf, { owed, logger });
    return { id, type: 'skill_version_deleted' as const };
  });
}

/** The worker of a session has what the session has, also of a version that was deleted since, and nothing else. */
function found(
  db: Shelf['db'],
  { tenantId, worker }: Principal,
  { skill_id: id, version }: { skill_id: string; version: string },
): Promise<FoundVersion> {
  const { skills } = stores(db, tenantId);
  const sessionId = worker?.item?.sessionId;
  return sessionId === undefined ? skills.archive(id, version) : skills.copy(id, { version, sessionId });
}

function create(shelf: Shelf, call: Call<typeof skillRoutes.create>): Promise<Skill> {
  return store(shelf, call, (upload) => {
    const parsed = skillFields.safeParse(upload.fields, { reportInput: true });
    if (!parsed.success) throw new ApiError('invalid_request', describeIssues(parsed.error, 'body'));
    const { display_name, display_title, source = 'custom' } = parsed.data;
    const displayName = display_name ?? display_title ?? upload.name;
    const { skills } = stores(shelf.db, call.principal.tenantId);
    return {
      says: [displayName, source],
      keep: (version, claim) => skills.create({ ...version, displayName, source }, claim),
    };
  });
}

async function createVersion(
  shelf: Shelf,
  call: Call<typeof skillRoutes.createVersion>,
): Promise<SkillVersion> {
  const { skills } = stores(shelf.db, call.principal.tenantId);
  const skill = await skills.row(call.params.skill_id);
  return store(shelf, call, ({ name }) => {
    if (name === skill.name)
      return { says: [], keep: (version, claim) => skills.addVersion(skill, version, claim) };
    throw new ApiError(
      'invalid_request',
      `SKILL.md: the name is ${name}, but that of the skill is ${skill.name} and does not change`,
    );
  });
}

type Uploading = Call<typeof skillRoutes.create> | Call<typeof skillRoutes.createVersion>;
type Claim = Parameters<ReturnType<typeof stores>['skills']['create']>[1];
type Version = Parameters<ReturnType<typeof stores>['skills']['addVersion']>[1];

interface Keeping<T> {
  /** What the request says beside its files. */
  says: readonly string[];
  keep(version: Version, claim: Claim): Promise<T>;
}

/** What is uploaded becomes an archive, and is kept once however often it is sent. */
async function store<T extends { id: string }>(
  shelf: Shelf,
  { principal, request, head, now, logger }: Uploading,
  toKeeping: (upload: SkillUpload) => Keeping<T>,
): Promise<T> {
  const { skills, receipts } = stores(shelf.db, principal.tenantId);
  const upload = await receiveSkill(request);
  const { says, keep } = toKeeping(upload);
  const expected = await skills.expect(now);
  const drop = () => settleOrLeave(shelf, { owed: [expected.blob], logger });
  try {
    const content = await shelf.blobs.put(expected.blob, zipArchive(upload.files));
    const { name, description } = upload;
    const version = { name, description, archive: { ...expected, content }, now };
    const fingerprint = JSON.stringify([...says, content.digest]);
    const claim = await readClaim(request, principal, fingerprint);
    const made = await receipts.once(claim, now, (kept) => keep(version, kept));
    if (made.replayed) await drop();
    return answer(made, head);
  } catch (error) {
    // Of any other failure nobody knows whether it was kept: what was not is swept.
    if (isApiError(error)) await drop();
    throw error;
  }
}
