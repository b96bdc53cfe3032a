// The settings that only web_fetch and web_search have (spec §4.1).
import { z } from 'zod';

export const MAX_DOMAINS = 64;
const MAX_REFERENCES = 128;

const LABEL = '[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?';
const HOSTNAME = new RegExp(`^(?=.{1,253}$)${LABEL}(?:\\.${LABEL})*$`);
const HOSTNAME_AND_PATH = new RegExp(`^(?=.{1,1024}$)${LABEL}(?:\\.${LABEL})*(?:/[^\\s?#]*)?$`);

const hostname = z
  .string()
  .transform((text) => text.toLowerCase())
  .pipe(z.string().regex(HOSTNAME, 'must be a bare hostname, like "docs.example.com"'));
const hostnameAndPath = z
  .string()
  .transform((text) => {
    const [host = '', ...rest] = text.split('/');
    return [host.toLowerCase(), ...rest].join('/');
  })
  .pipe(z.string().regex(HOSTNAME_AND_PATH, 'must be a hostname, like "example.com" or "example.com/docs"'));

function domains(entry: typeof hostname) {
  return z.array(entry).min(1, 'is empty: leave it out to have no such rule').max(MAX_DOMAINS).optional();
}

const toolReference = z.object({ type: z.literal('tool_reference'), name: z.string().min(1).max(128) });
const references = z
  .array(toolReference)
  .min(1)
  .max(MAX_REFERENCES)
  .refine((tools) => new Set(tools.map(({ name }) => name)).size === tools.length, 'names a tool twice');
const all = z.object({ type: z.literal('all') });
const none = z.object({ type: z.literal('none') });
const toolFilter = z.discriminatedUnion('type', [
  all,
  none,
  z.object({ type: z.literal('only'), tools: references }),
  z.object({ type: z.literal('except'), tools: references }),
]);
export type UrlToolFilter = z.infer<typeof toolFilter>;
const userFilter = z.discriminatedUnion('type', [all, none]);

const shorthand = z.enum(['all', 'none']).transform((type) => ({ type }));

export const urlSources = z
  .object({
    client_tool_results: toolFilter.nullable(),
    server_tool_results: toolFilter.nullable(),
    user_input: userFilter.nullable(),
  })
  .meta({ id: 'UrlSources' });
export type UrlSources = z.infer<typeof urlSources>;

const urlSourcesParam = z
  .object({
    client_tool_results: z.union([shorthand, toolFilter]).nullish(),
    server_tool_results: z.union([shorthand, toolFilter]).nullish(),
    user_input: z.union([shorthand, userFilter]).nullish(),
  })
  .refine(
    (given) => Object.values(given).filter((filter) => filter?.type === 'none').length < 3,
    'leaves no URL that could be fetched: switch web_fetch off instead',
  );

export const userLocation = z
  .object({
    type: z.literal('approximate'),
    city: z.string().max(255).nullish(),
    country: z
      .string()
      .regex(/^[A-Z]{2}$/, 'must be two capital letters, as in ISO 3166-1')
      .nullish(),
    region: z.string().max(255).nullish(),
    timezone: z
      .string()
      .max(255)
      .refine(isTimeZone, 'must be an IANA time zone, like "Europe/Berlin"')
      .nullish(),
  })
  .meta({ id: 'UserLocation' });
export type UserLocation = z.infer<typeof userLocation>;

const maxContentTokens = z.int().min(1).nullish();

/** As clients write them. */
export const webFetchParams = {
  allowed_domains: domains(hostname),
  blocked_domains: domains(hostname),
  max_content_tokens: maxContentTokens,
  url_sources: urlSourcesParam.nullish(),
};
export const webSearchParams = {
  allowed_domains: domains(hostnameAndPath),
  blocked_domains: domains(hostnameAndPath),
  user_location: userLocation.nullish(),
};

/** As agents keep them. */
export const webFetchSettings = z.object({
  allowed_domains: z.array(z.string()).optional(),
  blocked_domains: z.array(z.string()).optional(),
  max_content_tokens: z.number().nullish(),
  url_sources: urlSources.nullable(),
});
export type WebFetchSettings = z.infer<typeof webFetchSettings>;

export const webSearchSettings = z.object({
  allowed_domains: z.array(z.string()).optional(),
  blocked_domains: z.array(z.string()).optional(),
  user_location: userLocation.nullish(),
});
export type WebSearchSettings = z.infer<typeof webSearchSettings>;

/** What is said of domains may not be said both ways. */
export const oneListOfDomains = {
  check: (config: { allowed_domains?: unknown; blocked_domains?: unknown }) =>
    config.allowed_domains === undefined || config.blocked_domains === undefined,
  error: {
    path: ['blocked_domains'],
    message: 'cannot be combined with allowed_domains: give one of them',
  },
};

function isTimeZone(name: string): boolean {
  try {
    return new Intl.DateTimeFormat('en', { timeZone: name }).resolvedOptions().timeZone !== '';
  } catch {
    return false;
  }
}
