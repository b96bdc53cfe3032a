import { newId } from '@capstan/shared/ids';
import { eq, sql } from 'drizzle-orm';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { OPEN_CLOUD } from './environments.ts';
import { type Stores, stores } from './stores.ts';
import { agentVersions } from './tables/agents.ts';
import { openTestDatabase, type TestDatabase } from './testing.ts';
import { plainAgent } from './testing-agent.ts';

const content = { sizeBytes: 3, digest: 'd'.repeat(64) };
let now = Date.parse('2026-11-21T07:00:00Z');
let database: TestDatabase;
let own: Stores;
let strange: Stores;

beforeAll(async () => {
  database = await openTestDatabase();
  own = stores(database.db, 'tnt_own');
  strange = stores(database.db, 'tnt_strange');
});
afterAll(() => database.close());

async function versionOf(owner: Stores, name: string) {
  const archive = { ...(await owner.skills.expect(++now)), content };
  return { name, description: 'Does it.', archive, now };
}

async function make(owner: Stores, name: string) {
  const version = await versionOf(owner, name);
  const skill = await owner.skills.create({ ...version, displayName: name, source: 'custom' });
  const { version: first } = await owner.skills.archive(skill.id, 'latest');
  return { id: skill.id, first: first.id };
}

describe('a version of a skill', () => {
  it('is removed from its own skill alone', async () => {
    const one = await make(own, 'one');
    const other = await make(own, 'other');
    for (const { id } of [one, other])
      await own.skills.addVersion(await own.skills.row(id), await versionOf(own, 'more'));
    const unknown = { code: 'not_found' };
    await expect(own.skills.removeVersion(one.id, other.first, ++now)).rejects.toMatchObject(unknown);
    await expect(strange.skills.removeVersion(one.id, one.first, ++now)).rejects.toMatchObject(unknown);
    await expect(own.skills.removeVersion(one.id, 'latest', ++now)).rejects.toThrow(/by its id/);
    expect((await own.skills.versions(one.id, { limit: 10 })).data).toHaveLength(2);
    expect((await own.skills.versions(other.id, { limit: 10 })).data).toHaveLength(2);
    const { owed } = await own.skills.removeVersion(one.id, one.first, ++now);
    expect(owed).toHaveLength(1);
    const [left, ...others] = (await own.skills.versions(one.id, { limit: 10 })).data;
    expect(others).toEqual([]);
    await expect(own.skills.removeVersion(one.id, left?.id ?? '', ++now)).rejects.toMatchObject({
      code: 'invalid_request',
    });
  });

  it('is given to no session of another tenant, whatever its agent says', async () => {
    const { id: skill_id, first } = await make(strange, 'theirs');
    const settings = plainAgent('Borrower');
    const begin = async (owner: Stores) => {
      const agent = await owner.agents.create({ settings, metadata: {}, now });
      // No request could say so.
      const pinned = JSON.stringify([{ type: 'custom', skill_id, version: first }]);
      await database.db
        .update(agentVersions)
        .set({ definition: sql`json_set(definition, '$.skills', json(${pinned}))` })
        .where(eq(agentVersions.agentId, agent.id));
      const scope = 'organization' as const;
      const about = { name: 'E', description: null, metadata: {}, scope, now };
      const environment = await owner.environments.create({ ...about, config: OPEN_CLOUD });
      const id = newId('session', ++now);
      await owner.sessions.create({
        id,
        agent: { id: agent.id, version: agent.version },
        environmentId: environment.id,
        title: null,
        metadata: {},
        budget: null,
        resources: [],
        now,
      });
      return owner.skills.ofSession(id);
    };
    await expect(begin(own)).rejects.toMatchObject({ reason: 'skill_not_found' });
    expect(await begin(strange)).toMatchObject([{ name: 'theirs' }]);
  });
});
