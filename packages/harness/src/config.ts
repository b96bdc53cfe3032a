// Which models a deployment has: read once from named values, checked field by field, then passed as data.
import { z } from 'zod';
import { type Prices, prices, type Windows, windows } from './model-overrides.ts';
import type { SearchConfig } from './web/web-search.ts';

export interface ProviderConfig {
  /** Null when the server asks for no key (a compatible server of one's own). */
  apiKey: string | null;
  /** Null means the provider's public address. */
  baseUrl: string | null;
}

export interface OpenAIConfig extends ProviderConfig {
  api: 'responses' | 'chat';
}

export interface HarnessConfig {
  environment: 'development' | 'production';
  /** Where the development model listens; null when there is none. */
  devModelUrl: string | null;
  /** Null when neither a key nor an address is configured. */
  openai: OpenAIConfig | null;
  anthropic: ProviderConfig | null;
  timeouts: ModelTimeouts;
  /** The operator's own, by model id. */
  prices: Prices;
  windows: Windows;
  /** Who answers web_search; null: nobody, and it is not offered. */
  search: SearchConfig | null;
}

export interface ModelTimeouts {
  /** From sending the request to the reply's first byte. */
  firstByteMs: number;
  /** Between two parts of a streamed reply. */
  betweenPartsMs: number;
}

/** A value that cannot be used: the message names the variable and what it accepts. */
export class ConfigFault extends Error {
  override name = 'ConfigFault';
}

const text = z
  .string()
  .trim()
  .transform((value) => (value === '' ? null : value))
  .optional()
  .transform((value) => value ?? null);
const address = text.pipe(
  z.nullable(z.url({ protocol: /^https?$/, error: 'must be an http:// or https:// address' })),
);
const timeout = z.coerce
  .number({ error: 'must be a number of milliseconds' })
  .int()
  .min(10, 'must be at least 10 milliseconds')
  .max(3_600_000, 'must be at most an hour in milliseconds')
  .default(60_000);

const json = z.string().transform((value, context) => {
  try {
    const read: unknown = JSON.parse(value);
    return read;
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    context.addIssue({ code: 'custom', message: `must be JSON: ${why}` });
    return z.NEVER;
  }
});

const variables = z.object({
  ENVIRONMENT: z.enum(['development', 'production']).default('production'),
  DEV_MODEL_URL: address,
  OPENAI_API_KEY: text,
  OPENAI_BASE_URL: address,
  OPENAI_API: z.enum(['responses', 'chat']).optional(),
  ANTHROPIC_API_KEY: text,
  ANTHROPIC_BASE_URL: address,
  MODEL_FIRST_BYTE_TIMEOUT_MS: timeout,
  MODEL_IDLE_TIMEOUT_MS: timeout,
  MODEL_PRICES: json.pipe(prices).default(new Map()),
  WEB_SEARCH_URL: address,
  BRAVE_SEARCH_API_KEY: text,
  MODEL_WINDOWS: json.pipe(windows).default(new Map()),
});

/** Reads the configuration from named values; throws ConfigFault that names every value it cannot use. */
export function configFrom(values: Record<string, string | undefined>): HarnessConfig {
  const present = Object.entries(values).filter(([, value]) => value !== undefined && value.trim() !== '');
  const parsed = variables.safeParse(Object.fromEntries(present));
  if (!parsed.success) {
    const problems = parsed.error.issues.map((issue) => `${issue.path.join(' › ')}: ${issue.message}`);
    throw new ConfigFault(`The model configuration cannot be used. ${problems.join('; ')}.`);
  }
  const read = parsed.data;
  return {
    environment: read.ENVIRONMENT,
    devModelUrl: read.DEV_MODEL_URL,
    openai: openaiFrom(read),
    anthropic: providerFrom(read.ANTHROPIC_API_KEY, read.ANTHROPIC_BASE_URL),
    timeouts: {
      firstByteMs: read.MODEL_FIRST_BYTE_TIMEOUT_MS,
      betweenPartsMs: read.MODEL_IDLE_TIMEOUT_MS,
    },
    prices: read.MODEL_PRICES,
    windows: read.MODEL_WINDOWS,
    search: searchFrom(read.WEB_SEARCH_URL, read.BRAVE_SEARCH_API_KEY),
  };
}

const BRAVE_URL = 'https://api.search.brave.com/res/v1/web/search';

function searchFrom(url: string | null, apiKey: string | null): SearchConfig | null {
  if (apiKey !== null) return { kind: 'brave', url: url ?? BRAVE_URL, apiKey };
  return url === null ? null : { kind: 'searxng', url };
}

/** Servers of one's own speak Chat Completions more often than Responses: an address changes the default. */
function openaiFrom(read: z.infer<typeof variables>): OpenAIConfig | null {
  const provider = providerFrom(read.OPENAI_API_KEY, read.OPENAI_BASE_URL);
  if (provider === null) return null;
  return { ...provider, api: read.OPENAI_API ?? (provider.baseUrl === null ? 'responses' : 'chat') };
}

function providerFrom(apiKey: string | null, baseUrl: string | null): ProviderConfig | null {
  if (apiKey === null && baseUrl === null) return null;
  return { apiKey, baseUrl: baseUrl?.replace(/\/+$/, '') ?? null };
}
