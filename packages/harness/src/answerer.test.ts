import { isModelFailure } from '@capstan/session/harness';
import { describe, expect, it } from 'vitest';
import { answererOf } from './answerer.ts';
import { configFrom } from './config.ts';
import { modelNotice } from './model-notice.ts';

const DEV = { ENVIRONMENT: 'development', DEV_MODEL_URL: 'http://127.0.0.1:1' };
const OPENAI = { OPENAI_API_KEY: 'sk-1' };
const ANTHROPIC = { ANTHROPIC_API_KEY: 'sk-2' };
const SELF_HOSTED = { OPENAI_BASE_URL: 'http://127.0.0.1:2/v1' };

function chosen(values: Record<string, string>, id: string): string {
  const { provider, model } = answererOf(configFrom(values), id);
  return `${provider}:${model}`;
}

function refusal(values: Record<string, string>, id: string): string {
  try {
    answererOf(configFrom(values), id);
  } catch (error) {
    if (isModelFailure(error) && !error.retryable) return error.message;
  }
  throw new TypeError(`Nothing refused ${id}.`);
}

describe('answererOf', () => {
  it.each(['claude-sonnet-4-6', 'gpt-5', 'anything', 'openai/gpt-5'])(
    'answers %s with the development model when no provider is configured in development',
    (id) => {
      expect(chosen(DEV, id)).toBe(`dev:${id}`);
    },
  );

  it.each([
    ['claude-opus-5', 'anthropic:claude-opus-5'],
    ['gpt-5.6', 'openai:gpt-5.6'],
    ['o3', 'openai:o3'],
    ['o4-mini', 'openai:o4-mini'],
    ['chatgpt-latest', 'openai:chatgpt-latest'],
    ['ft:gpt-5:me', 'openai:ft:gpt-5:me'],
    ['openai/claude-like', 'openai:claude-like'],
    ['anthropic/house-model', 'anthropic:house-model'],
  ])('sends %s to %s when both are configured', (id, expected) => {
    expect(chosen({ ...OPENAI, ...ANTHROPIC }, id)).toBe(expected);
  });

  it('sends an unknown id to the compatible server, else to the only provider', () => {
    expect(chosen({ ...SELF_HOSTED, ...ANTHROPIC }, 'qwen3')).toBe('openai:qwen3');
    expect(chosen(ANTHROPIC, 'qwen3')).toBe('anthropic:qwen3');
    expect(chosen(OPENAI, 'qwen3')).toBe('openai:qwen3');
  });

  it('asks for a prefix when two providers could serve an unknown id', () => {
    expect(refusal({ ...OPENAI, ...ANTHROPIC }, 'qwen3')).toContain('"openai/qwen3"');
  });

  it('says which variable to set, and where, when nobody is configured', () => {
    expect(refusal({}, 'claude-opus-5')).toMatch(/ANTHROPIC_API_KEY as a secret of the agent Worker/);
    expect(refusal({ ...DEV, ...ANTHROPIC }, 'gpt-5')).toMatch(/OPENAI_API_KEY .* in \.dev\.vars/);
    expect(refusal({}, 'qwen3')).toContain('OPENAI_BASE_URL');
  });

  it('never answers with the development model outside development', () => {
    expect(refusal({ DEV_MODEL_URL: 'http://127.0.0.1:1' }, 'claude-opus-5')).toContain('ANTHROPIC_API_KEY');
    expect(refusal({ DEV_MODEL_URL: 'http://127.0.0.1:1', ...ANTHROPIC }, 'openai/x')).toContain(
      'OPENAI_API_KEY',
    );
  });

  it('reaches the development model by its own prefix beside a provider', () => {
    expect(chosen({ ...DEV, ...OPENAI }, 'dev/any')).toBe('dev:any');
  });
});

describe('modelNotice', () => {
  it('says that the development model stands in', () => {
    expect(modelNotice(configFrom(DEV))).toMatchObject({ provider: 'dev' });
  });

  it('names the host of a compatible server and nothing else of its address', () => {
    const values = { OPENAI_BASE_URL: 'https://user:secret@models.example:8443/v1?key=secret' };
    const notice = modelNotice(configFrom(values));
    expect(notice.message).toContain('models.example:8443');
    expect(notice.message).not.toContain('secret');
  });

  it('says how to configure one when there is none', () => {
    expect(modelNotice(configFrom({}))).toMatchObject({ provider: 'none' });
  });
});
