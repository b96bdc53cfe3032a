import { afterEach, describe, expect, it } from 'vitest';
import { openReceiver, type Receiver } from '../testing/receiver.ts';
import { probeModel } from './model-probe.ts';

let receiver: Receiver;
afterEach(() => receiver.close());

/** What comes of asking a provider that answers so. */
async function probed(answer: { status: number; headers?: Record<string, string> }): Promise<string> {
  receiver = await openReceiver();
  receiver.answers.set('/v1/models', [{ ...answer, body: 'canary' }]);
  const provider = {
    protocol: 'openai_chat_completions' as const,
    baseUrl: `${receiver.origin}/v1`,
    apiKey: 'key',
  };
  return probeModel(provider, { allowPrivate: [receiver.host] }).then(
    () => 'taken',
    ({ message }: Error) => message,
  );
}

describe('a provider', () => {
  it.each([
    [
      'redirects',
      { status: 307, headers: { location: '/canary' } },
      /^base_url: the provider redirects \(status 307\)/,
    ],
    [
      'is a web page',
      { status: 200, headers: { 'content-type': 'text/html; charset=utf-8' } },
      /^base_url: a web page answers there/,
    ],
    ['fails', { status: 503 }, /^base_url: the provider answers 503/],
    ['refuses the key', { status: 401 }, /^api_key: the provider refuses the key/],
  ])('that %s is refused, without its words', async (_, answer, message) => {
    const said = await probed(answer);
    expect(said).toMatch(message);
    expect(said).not.toContain('canary');
  });

  it.each([
    ['lists its models', { status: 200, headers: { 'content-type': 'application/json' } }],
    ['lists none, on a page that says so', { status: 404, headers: { 'content-type': 'text/html' } }],
  ])('that %s is taken', async (_, answer) => {
    expect(await probed(answer)).toBe('taken');
  });
});
