// A skill on real processes: uploaded with the SDK, told to the model, read by it in a sandbox, and there after it is deleted.
import { type Anthropic, toFile } from '@anthropic-ai/sdk';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { Conversation, textOf } from '../support/conversation.ts';
import { TestPlatform } from '../support/test-platform.ts';

let platform: TestPlatform;
let client: Anthropic;

beforeAll(async () => {
  platform = await TestPlatform.open();
  client = platform.connect();
}, 240_000);

afterAll(() => platform.close());

it('is disclosed by name, and read where the model was told', async () => {
  const main = '---\nname: greeting\ndescription: How we greet people\n---\nSay: good day, dear colleague.\n';
  const script = '#!/bin/bash\necho "from a script of $(basename "$(dirname "$0")")"\n';
  const skill = await client.skills.create({
    files: [
      await toFile(Buffer.from(main), 'greeting/SKILL.md'),
      await toFile(Buffer.from(script), 'greeting/run.sh'),
    ],
  });
  const agent = await client.beta.agents.create({
    name: 'Skilled',
    model: 'claude-sonnet-4-6',
    system: 'Be brief.',
    tools: [{ type: 'agent_toolset_20260401' }],
    skills: [{ type: 'custom', skill_id: skill.id }],
  });
  const { id: environment_id } = await client.beta.environments.create({ name: 'Skilled' });
  const ground = { agent: agent.id, environment_id };
  const session = await Conversation.begin(client, ground, '[[echo-history]]');
  const history = textOf(await session.ended(), 'agent.message');
  expect(history).toContain('Be brief.');
  expect(history).toContain('- greeting (/mnt/skills/greeting/SKILL.md): How we greet people');
  // What it needs is its own by now.
  await client.skills.delete(skill.id);
  await session.say('read /mnt/skills/greeting/SKILL.md');
  expect(textOf(await session.ended(2), 'agent.tool_result')).toContain('good day, dear colleague');
  await session.say('Run: /mnt/skills/greeting/run.sh');
  expect(textOf(await session.ended(3), 'agent.tool_result')).toContain('from a script of greeting');
}, 120_000);
