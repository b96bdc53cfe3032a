// The path to a real model, end to end: keys in the variables file, provider endpoints that speak each protocol, the
// whole platform in between, the official SDK in front.
import type Anthropic from '@anthropic-ai/sdk';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startDevModel } from '../../packages/dev-model/src/dev-model.ts';
import { Conversation, type Ground, prepare, type SessionEvents, textOf } from '../support/conversation.ts';
import { TestPlatform } from '../support/test-platform.ts';

type Provider = Awaited<ReturnType<typeof startDevModel>>;

/** Never a real key: what matters is that it goes to the provider and nowhere else. */
const SECRET = 'sk-secret-that-must-not-leak';

interface Path {
  name: string;
  /** Provider the events must name. */
  provider: 'openai' | 'anthropic';
  model: string;
  route: string;
  variables(url: string): Record<string, string>;
}

const PATHS: Path[] = [
  {
    name: 'OpenAI Responses',
    provider: 'openai',
    model: 'gpt-5.2',
    route: '/v1/responses',
    variables: (url) => ({ OPENAI_API_KEY: SECRET, OPENAI_BASE_URL: `${url}/v1`, OPENAI_API: 'responses' }),
  },
  {
    name: 'OpenAI Chat Completions',
    provider: 'openai',
    model: 'some-local-model',
    route: '/v1/chat/completions',
    variables: (url) => ({ OPENAI_API_KEY: SECRET, OPENAI_BASE_URL: `${url}/v1`, OPENAI_API: 'chat' }),
  },
  {
    name: 'Anthropic Messages',
    provider: 'anthropic',
    model: 'claude-sonnet-4-6',
    route: '/v1/messages',
    variables: (url) => ({ ANTHROPIC_API_KEY: SECRET, ANTHROPIC_BASE_URL: url }),
  },
];

describe.each(PATHS)('$name', ({ provider, model, route, variables }) => {
  let endpoint: Provider;
  let platform: TestPlatform;
  let client: Anthropic;
  let ground: Ground;

  beforeAll(async () => {
    endpoint = await startDevModel({ port: 0 });
    const vars = { ...variables(endpoint.url), MODEL_FIRST_BYTE_TIMEOUT_MS: '1500' };
    platform = await TestPlatform.open({ vars });
    client = platform.connect();
    ground = await prepare(client, model);
  }, 240_000);

  afterAll(async () => {
    await platform.close();
    await endpoint.stop();
  });

  const talk = async (text: string): Promise<SessionEvents> =>
    (await Conversation.begin(client, ground, text)).ended();

  it('answers, and the events name who answered', async () => {
    const events = await talk('[[say all is well]]');
    expect(textOf(events, 'agent.message')).toContain('all is well');
    expect(textOf(events, 'span.model_request_start')).toContain(`"provider":"${provider}"`);
    const stats: unknown = await (await fetch(`${endpoint.url}/stats`)).json();
    expect(JSON.stringify(stats)).toContain(route.split('/').at(-1));
  });

  it('runs tools, several in one reply, and remembers the turn before', async () => {
    const conversation = await Conversation.begin(
      client,
      ground,
      '[[parallel]] [[tool bash {"command":"echo one"}]] [[tool write {"file_path":"/workspace/f","content":"two"}]]',
    );
    await conversation.ended();
    await conversation.say('Run: cat /workspace/f');
    const events = await conversation.ended(2);
    expect(textOf(events, 'agent.tool_result')).toMatch(/one.*two/);
    await conversation.say('[[echo-history]]');
    const history = textOf(await conversation.ended(3), 'agent.message');
    expect(history).toContain('echo one');
    expect(history).toContain('cat /workspace/f');
  });

  it('keeps thoughts apart from what is said', async () => {
    const conversation = await Conversation.begin(client, ground, '[[think]] [[say done]]');
    await conversation.ended();
    await conversation.say('Run: echo after a thought');
    const events = await conversation.ended(2);
    expect(textOf(events, 'agent.tool_result')).toContain('after a thought');
  });

  it('tries again after a limit, an outage, a cut and a silence', async () => {
    for (const fault of ['failonce 429 retry-after=1', 'failonce 503', 'cutonce 2', 'hangonce']) {
      const events = await talk(`[[${fault}]] [[say recovered from ${fault}]]`);
      expect(textOf(events, 'session.error'), fault).toContain('"retrying"');
      expect(textOf(events, 'agent.message'), fault).toContain('recovered');
    }
  }, 120_000);

  it('says what to mend when the key is refused, and never shows it', async () => {
    const events = await talk('[[fail 401]]');
    const error = textOf(events, 'session.error');
    expect(error).toContain('"exhausted"');
    expect(error).toContain(provider === 'openai' ? 'OPENAI_API_KEY' : 'ANTHROPIC_API_KEY');
    expect(JSON.stringify(events)).not.toContain(SECRET);
  });
});

describe('a model nobody configured', () => {
  let endpoint: Provider;
  let platform: TestPlatform;

  beforeAll(async () => {
    // A provider, and an id that names another one's model.
    endpoint = await startDevModel({ port: 0 });
    const vars = { OPENAI_API_KEY: SECRET, OPENAI_BASE_URL: `${endpoint.url}/v1` };
    platform = await TestPlatform.open({ vars });
  }, 240_000);

  afterAll(async () => {
    await platform.close();
    await endpoint.stop();
  });

  it('ends the turn with an error that says how to configure it', async () => {
    const client = platform.connect();
    const ground = await prepare(client, 'claude-sonnet-4-6');
    const events = await (await Conversation.begin(client, ground, 'hello')).ended();
    expect(textOf(events, 'session.error')).toContain('ANTHROPIC_API_KEY');
    expect(textOf(events, 'agent.message')).toBe('[]');
  });
});
