import { describe, expect, it } from 'vitest';
import { ConfigFault, configFrom } from './config.ts';

describe('configFrom', () => {
  it('takes empty values for absent ones and production for the environment', () => {
    const config = configFrom({ OPENAI_API_KEY: '  ', ANTHROPIC_API_KEY: '', DEV_MODEL_URL: undefined });
    expect(config).toMatchObject({
      environment: 'production',
      devModelUrl: null,
      openai: null,
      anthropic: null,
    });
    expect(config.timeouts).toEqual({ firstByteMs: 60_000, betweenPartsMs: 60_000 });
  });

  it('speaks Responses to OpenAI and Chat Completions to a compatible server, unless told', () => {
    expect(configFrom({ OPENAI_API_KEY: 'k' }).openai?.api).toBe('responses');
    expect(configFrom({ OPENAI_BASE_URL: 'http://127.0.0.1:1/v1' }).openai?.api).toBe('chat');
    expect(configFrom({ OPENAI_BASE_URL: 'http://h/v1', OPENAI_API: 'responses' }).openai?.api).toBe(
      'responses',
    );
  });

  it('removes slashes at the end of an address', () => {
    expect(configFrom({ ANTHROPIC_BASE_URL: 'https://h/x//' }).anthropic?.baseUrl).toBe('https://h/x');
  });

  it('names every value it cannot use', () => {
    const values = { OPENAI_API: 'soap', OPENAI_BASE_URL: 'ftp://h', MODEL_IDLE_TIMEOUT_MS: 'soon' };
    expect(() => configFrom(values)).toThrow(ConfigFault);
    expect(() => configFrom(values)).toThrow(/OPENAI_API: .*OPENAI_BASE_URL|OPENAI_BASE_URL: .*OPENAI_API/);
    expect(() => configFrom(values)).toThrow(/MODEL_IDLE_TIMEOUT_MS/);
  });
});
