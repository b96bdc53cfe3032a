import { expect, it } from 'vitest';
import { type Cases, collect } from '../ground.ts';

export const userProfileCases: Cases = (ground) => {
  it.each(['userProfiles', 'beta.userProfiles'] as const)('%s are kept', async (name) => {
    const { client } = ground();
    const profiles = name === 'userProfiles' ? client.userProfiles : client.beta.userProfiles;
    const made = await profiles.create({ metadata: { plan: 'pro' } });
    expect(made).toMatchObject({ type: 'user_profile', metadata: { plan: 'pro' } });
    expect(await profiles.update(made.id, { metadata: { plan: '', tier: '2' } })).toMatchObject({
      metadata: { tier: '2' },
    });
    expect(await profiles.retrieve(made.id)).toMatchObject({ id: made.id });
    const listed = name === 'userProfiles' ? client.userProfiles.list() : client.beta.userProfiles.list();
    expect((await collect<{ id: string }>(listed)).map(({ id }) => id)).toContain(made.id);
    expect(await profiles.delete(made.id)).toMatchObject({ type: 'user_profile_deleted' });
  });
};
