// What a session's log says of how its sandbox came to be, and of what could not be brought into it, on real processes.
import type Anthropic from '@anthropic-ai/sdk';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { Conversation, type Ground, prepare, textOf } from '../support/conversation.ts';
import { TestPlatform } from '../support/test-platform.ts';

let platform: TestPlatform;
let client: Anthropic;
let ground: Ground;

beforeAll(async () => {
  platform = await TestPlatform.open();
  client = platform.connect();
  ground = await prepare(client, 'claude-sonnet-4-6');
}, 240_000);

afterAll(() => platform.close());

it('tells the boot once, and a repository that cannot be had as an error, and the session goes on', async () => {
  const session = await client.beta.sessions.create({
    ...ground,
    resources: [{ type: 'github_repository', url: 'https://github.invalid/nobody/nothing' }],
  });
  const conversation = new Conversation(client, session.id);
  await conversation.say('Run: echo first');
  await conversation.ended();
  await conversation.say('Run: echo second');
  const events = await conversation.ended(2);
  expect(textOf(events, 'agent.tool_result')).toMatch(/nothing could not be mounted.*first.*second/s);
  const errors = events.flatMap((event) => (event.type === 'session.error' ? [event.error] : []));
  const url = 'https://github.invalid/nobody/nothing';
  expect(errors).toMatchObject([
    { type: 'repository_clone_error', repository_url: url, retry_status: { type: 'retrying' } },
  ]);
  const boots = events.filter((event) => String(event.type) === 'span.sandbox_boot');
  const phases = [{ name: 'image' }, { name: 'create' }, { name: 'clone', repository_url: url }];
  expect(boots).toMatchObject([{ sandbox: 'created', duration_ms: expect.any(Number), phases }]);
  const exported = await client.get(`/v1/sessions/${session.id}/export`).asResponse();
  expect(await exported.text()).toContain('span.sandbox_boot');
}, 90_000);
