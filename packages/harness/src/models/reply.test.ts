import { describe, expect, it } from 'vitest';
import { toOutput } from './output-items.ts';
import { Reply } from './reply.ts';
import type { ModelRoute } from './route.ts';
import { toUsage } from './usage.ts';

const route: ModelRoute = {
  dialect: 'chat',
  model: 'm',
  baseUrl: 'https://models.example.com',
  apiKey: null,
  official: false,
  systemInPlace: false,
  tag: 'tag',
  name: 'The model server',
  variables: { key: 'api_key', address: 'base_url' },
  whereToSet: 'on the card',
};

describe('what a server of somebody’s own says', () => {
  it('is given up when it never ends', () => {
    const reply = new Reply(route);
    const piece = 'x'.repeat(1024 * 1024);
    for (let said = 0; said < 8; said++) reply.text('message', piece);
    expect(() => reply.text('message', 'y')).toThrow('went beyond 8388608 characters');
  });

  it('counts no more tokens than there can be', () => {
    const usage = toUsage({ inputTokens: 1e300, outputTokens: Number.POSITIVE_INFINITY });
    expect(usage).toEqual({
      input_tokens: 1_000_000_000,
      output_tokens: 0,
      cache_creation_input_tokens: 0,
      cache_read_input_tokens: 0,
    });
  });

  it('calls no tool with what nests deeper than programs can follow', () => {
    const call = (depth: number) => {
      const args = `{"a":${'['.repeat(depth)}${']'.repeat(depth)}}`;
      return toOutput({ type: 'function_call', callId: 'c', name: 'n', arguments: args }, route, false);
    };
    expect(call(199)).toMatchObject({ type: 'tool_call', input: { a: expect.anything() } });
    for (const depth of [200, 1_000_000])
      expect(call(depth)).toMatchObject({
        input: null,
        problem: 'The arguments nest deeper than 200 levels.',
      });
  });
});
