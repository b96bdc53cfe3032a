import Anthropic from '@anthropic-ai/sdk';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openWorld, type World } from './testing/world.ts';

let world: World;
let client: Anthropic;
let stranger: Anthropic;

beforeAll(async () => {
  world = await openWorld();
  client = new Anthropic({ apiKey: world.key, baseURL: world.url, maxRetries: 0 });
  stranger = new Anthropic({ apiKey: world.strangerKey, baseURL: world.url, maxRetries: 0 });
});
afterAll(() => world.close());

const NAMED = ['zoe', 'Ada', null, 'adam', 'Élise', null, 'ada'];

describe('a user profile', () => {
  it('has what both namespaces of the SDK expect', async () => {
    const made = await client.userProfiles.create({
      name: 'Ada',
      external_user_details: {
        country: 'GB',
        reference_id: 'row 7',
        onboarded_at: '2026-01-02T03:04:05+01:00',
      },
      metadata: { plan: 'pro' },
    });
    const details = {
      account_status: null,
      country: 'GB',
      email_hash: null,
      entity_type: null,
      name_hash: null,
      onboarded_at: '2026-01-02T02:04:05.000Z',
      reference_id: 'row 7',
    };
    expect(made).toEqual({
      id: expect.stringMatching(/^uprof_/),
      type: 'user_profile',
      name: 'Ada',
      access_type: 'application',
      external_user_details: details,
      external_id: 'row 7',
      external_user_onboarded_at: details.onboarded_at,
      metadata: { plan: 'pro' },
      trust_grants: {},
      enforcement_status: 'unrestricted',
      enforcement_actions: [],
      programs: { cyber: null, efs: null },
      created_at: made.updated_at,
      updated_at: expect.stringMatching(/Z$/),
    });
    expect(await client.beta.userProfiles.retrieve(made.id)).toEqual(made);
    expect(await client.userProfiles.retrieve(made.id)).toEqual(made);
  });

  it('takes the earlier names of what is known of the user', async () => {
    const { userProfiles } = client.beta;
    const onboarded = '2026-01-02T03:04:05Z';
    const made = await userProfiles.create({ external_id: 'a', external_user_onboarded_at: onboarded });
    expect(made.external_user_details).toMatchObject({
      reference_id: 'a',
      onboarded_at: '2026-01-02T03:04:05.000Z',
    });
    const both = { external_id: 'a', external_user_details: { reference_id: 'b' } };
    await expect(userProfiles.create(both)).rejects.toMatchObject({
      status: 400,
      message: expect.stringContaining('external_id: is another than external_user_details.reference_id'),
    });
    expect(await userProfiles.update(made.id, { external_id: null })).toMatchObject({ external_id: null });
  });

  it('changes what is given; an empty value removes a pair of the metadata', async () => {
    const made = await client.userProfiles.create({ name: 'Ada', metadata: { a: '1', b: '2' } });
    const change = { metadata: { a: '', c: '3' }, external_user_details: { country: 'GB' } };
    const changed = await client.userProfiles.update(made.id, change);
    expect(changed).toMatchObject({ name: 'Ada', metadata: { b: '2', c: '3' } });
    const more = {
      name: null,
      access_type: 'passthrough' as const,
      external_user_details: { name_hash: 'x' },
    };
    expect(await client.userProfiles.update(made.id, more)).toMatchObject({
      name: null,
      access_type: 'passthrough',
      metadata: { b: '2', c: '3' },
      external_user_details: { country: 'GB', name_hash: 'x' },
    });
  });

  it('belongs to its tenant, and is gone once it is deleted', async () => {
    const { id } = await client.userProfiles.create({});
    await expect(stranger.userProfiles.retrieve(id)).rejects.toMatchObject({ status: 404 });
    await expect(stranger.userProfiles.update(id, {})).rejects.toMatchObject({ status: 404 });
    await expect(stranger.userProfiles.delete(id)).rejects.toMatchObject({ status: 404 });
    expect(await client.userProfiles.delete(id)).toEqual({ id, type: 'user_profile_deleted' });
    await expect(client.userProfiles.retrieve(id)).rejects.toMatchObject({ status: 404 });
  });

  it.each([
    [{ metadata: { a: '' } }, /metadata: values must not be empty/],
    [{ external_user_details: { country: 'gb' } }, /external_user_details\.country: .*upper-case/],
    [{ external_user_details: { onboarded_at: '2999-01-01T00:00:00Z' } }, /onboarded_at: .*minute ahead/],
    [{ name: 'x'.repeat(256) }, /name/],
  ])('is refused as %j', async (body, message) => {
    await expect(client.userProfiles.create(body)).rejects.toMatchObject({
      status: 400,
      message: expect.stringMatching(message),
    });
  });

  it('keeps what is known of the user', async () => {
    const { id } = await client.userProfiles.create({ external_user_details: { country: 'GB' } });
    await expect(
      client.userProfiles.update(id, { external_user_details: { country: null } }),
    ).rejects.toMatchObject({ status: 400, message: expect.stringMatching(/country: cannot be cleared/) });
  });

  it('cannot be enrolled here, and says so', async () => {
    const { id } = await client.userProfiles.create({});
    const refused = { status: 501, type: 'not_implemented_error', errorCode: 'vendor_only' };
    await expect(client.beta.userProfiles.createEnrollmentURL(id)).rejects.toMatchObject(refused);
    const action = { action: { type: 'enroll_end_user' as const } };
    await expect(client.userProfiles.actionURLs.create(id, action)).rejects.toMatchObject(refused);
  });
});

describe('a list of user profiles', () => {
  it('is newest first, or in the order that is asked for, page by page', async () => {
    const ids: string[] = [];
    for (const name of NAMED) ids.push((await stranger.userProfiles.create({ name })).id);
    const list = async (query: Anthropic.UserProfileListParams) => {
      const found: Anthropic.UserProfile[] = [];
      for await (const profile of stranger.userProfiles.list({ limit: 2, ...query })) found.push(profile);
      return found;
    };
    expect((await list({})).map(({ id }) => id)).toEqual(ids.toReversed());
    expect((await list({ order: 'asc' })).map(({ id }) => id)).toEqual(ids);
    const byName = await list({ order_by: 'name', order: 'asc' });
    expect(byName.map(({ name }) => name)).toEqual(['Ada', 'ada', 'adam', 'zoe', 'Élise', null, null]);
    const backwards = await list({ order_by: 'name' });
    expect(backwards.map(({ name }) => name)).toEqual(['Élise', 'zoe', 'adam', 'ada', 'Ada', null, null]);
    expect(await list({ enforcement_status: ['unrestricted', 'banned'] })).toHaveLength(NAMED.length);
    expect(await list({ enforcement_status: ['banned'] })).toEqual([]);
  });

  it('goes on where it was when a profile was deleted meanwhile, and refuses cursors of another order', async () => {
    const first = await stranger.userProfiles.list({ order_by: 'name', order: 'asc', limit: 2 });
    for (const { id } of first.data) await stranger.userProfiles.delete(id);
    const second = await first.getNextPage();
    expect(second.data.map(({ name }) => name)).toEqual(['adam', 'zoe']);
    const page = first.next_page ?? '';
    await expect(stranger.userProfiles.list({ page })).rejects.toMatchObject({ status: 400 });
  });
});
