// Images of environments on real processes: built before any session, and what becomes of them is to be seen.
import type Anthropic from '@anthropic-ai/sdk';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { Conversation, eventsOf, prepare, textOf } from '../support/conversation.ts';
import { TestPlatform } from '../support/test-platform.ts';

let platform: TestPlatform;
let client: Anthropic;

beforeAll(async () => {
  platform = await TestPlatform.open();
  client = platform.connect();
}, 240_000);

afterAll(() => platform.close());

interface Imaged {
  id: string;
  capstan: { image: { state: string; built_at: string | null; error: string | null } | null };
}

const withPackages = (packages: { apt?: string[]; pip?: string[] }) =>
  client.post<Imaged>('/v1/environments', {
    body: { name: 'Packaged', config: { type: 'cloud', packages: { type: 'packages', ...packages } } },
  });

const imageOf = async (id: string) => (await client.get<Imaged>(`/v1/environments/${id}`)).capstan.image;
const soon = { timeout: 60_000, interval: 100 };

it('is ready before a session comes, and the session is made from it', async () => {
  // The image has it: nothing has to be fetched.
  const environment = await withPackages({ pip: ['pip'] });
  expect(environment.capstan.image).toEqual({ state: 'building', built_at: null, error: null });
  await expect.poll(() => imageOf(environment.id), soon).toMatchObject({ state: 'ready', error: null });
  const { agent } = await prepare(client, 'claude-sonnet-4-6');
  const session = await Conversation.begin(
    client,
    { agent, environment_id: environment.id },
    'Run: echo built $CAPSTAN_IMAGE_STAMP',
  );
  const events = await session.ended();
  expect(textOf(events, 'agent.tool_result')).toMatch(/built \d{4}-\d\d-\d\dT/);
  const boots = (await eventsOf(client, session.id)).filter(
    ({ type }) => String(type) === 'span.sandbox_boot',
  );
  expect(boots).toMatchObject([{ phases: [{ name: 'image' }, { name: 'create' }] }]);
}, 120_000);

it('has the lines of its environment, and the machine what it asks for', async () => {
  const made = await client.post<Imaged>('/v1/environments', {
    body: {
      name: 'Own',
      capstan: {
        machine: { dockerfile: ['RUN echo from-the-line >/opt/line', 'ENV OWN=yes'], memory_mib: 256 },
      },
    },
  });
  await expect.poll(() => imageOf(made.id), soon).toMatchObject({ state: 'ready' });
  const { agent } = await prepare(client, 'claude-sonnet-4-6');
  const asked = 'Run: cat /opt/line; echo own=$OWN';
  const session = await Conversation.begin(client, { agent, environment_id: made.id }, asked);
  expect(textOf(await session.ended(), 'agent.tool_result')).toContain('from-the-line\\nown=yes');
}, 120_000);

it('is no sandbox where the machine cannot be had, and the session goes on', async () => {
  const { id } = await client.post<Imaged>('/v1/environments', {
    body: { name: 'Fast', capstan: { machine: { gpu: 'T4' } } },
  });
  const { agent } = await prepare(client, 'claude-sonnet-4-6');
  const session = await Conversation.begin(client, { agent, environment_id: id }, 'Run: true');
  const events = await session.ended();
  expect(textOf(events, 'agent.tool_result')).toContain('this backend has none');
  expect(JSON.stringify(events.filter(({ type }) => type === 'session.error'))).toContain(
    'gpu: this backend',
  );
  expect(events.at(-1)).toMatchObject({ type: 'session.status_idle' });
}, 120_000);

it('that cannot be built says why, with the end of the log', async () => {
  const { id } = await withPackages({ apt: ['no-such-package-anywhere'] });
  await expect.poll(() => imageOf(id), soon).toMatchObject({ state: 'failed', built_at: null });
  expect((await imageOf(id))?.error).toContain('no-such-package-anywhere');
}, 120_000);
