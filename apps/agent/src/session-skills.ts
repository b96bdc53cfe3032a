// A session's skills in the control plane. They never change: what was read once is known for as long as the process lives.
import type { Shelf } from '@capstan/db/blob-debts';
import { stores } from '@capstan/db/stores';
import type { SessionSkills } from '@capstan/harness/workspace/session-skills';
import type { SessionAddress } from '@capstan/session/address';

type Known = Awaited<ReturnType<ReturnType<typeof stores>['skills']['ofSession']>>;

export function sessionSkills({ db, blobs }: Shelf, { tenantId, sessionId }: SessionAddress): SessionSkills {
  const { files, skills } = stores(db, tenantId);
  let known: Promise<Known> | null = null;
  const all = () => {
    known ??= skills.ofSession(sessionId).catch((error: unknown) => {
      known = null;
      throw error;
    });
    return known;
  };
  return {
    all,
    open: async (id) => {
      const fileId = (await all()).find((skill) => skill.id === id)?.fileId;
      const row = fileId === undefined ? null : await files.find(fileId);
      return row?.blob ? blobs.get(row.blob) : null;
    },
  };
}
