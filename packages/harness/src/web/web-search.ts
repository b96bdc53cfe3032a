// web_search: results of the search service that the installation names, a SearXNG or Brave's API. Domains and place come
// from the tool's settings; what the service does not heed itself is sorted out here.
import type { ToolResultContent } from '@capstan/schema/content';
import { webSearchOf } from '@capstan/schema/tools';
import type { WebSearchSettings } from '@capstan/schema/web-tools';
import type { ToolCall, ToolOutcome } from '@capstan/session/harness';
import { isSafeFetchError, safeFetch } from '@capstan/shared/safe-fetch';
import { z } from 'zod';
import { clean } from '../tools/output-text.ts';
import { answered, failed } from '../tools/tool.ts';
import { isAllowed } from './domains.ts';

export type SearchConfig = { kind: 'searxng'; url: string } | { kind: 'brave'; url: string; apiKey: string };

const input = z.object({ query: z.string().trim().min(1, 'is empty').max(400, 'has over 400 characters') });

const TIMEOUT_MS = 15_000;
const MAX_BYTES = 2 * 1024 * 1024;
const MOST_RESULTS = 10;
/** So many domains may a query name: services cut long ones. */
const MOST_SITES = 8;

export async function webSearch(
  call: ToolCall,
  config: SearchConfig,
  signal: AbortSignal,
): Promise<ToolOutcome> {
  const parsed = input.safeParse(call.input);
  if (!parsed.success)
    return failed(
      `The input of web_search cannot be used: query ${parsed.error.issues[0]?.message ?? 'is missing'}.`,
    );
  const settings = webSearchOf(call.agent.tools);
  try {
    const found = await ask(config, { query: withSites(parsed.data.query, settings), settings }, signal);
    const allowed = found.filter(({ url }) => isAllowed(new URL(url), settings)).slice(0, MOST_RESULTS);
    if (allowed.length === 0) return answered('Nothing was found.');
    return { content: allowed.map(toBlock), isError: false };
  } catch (error) {
    if (signal.aborted) throw error;
    if (!isSafeFetchError(error) && !(error instanceof Unusable)) throw error;
    return failed('The search service cannot be reached. Try again later, or go on without it.');
  }
}

interface Found {
  url: string;
  title: string;
  text: string;
}

/** Thrown when the service answers no results. */
class Unusable extends Error {}

interface Search {
  query: string;
  settings: WebSearchSettings;
}

async function ask(config: SearchConfig, { query, settings }: Search, signal: AbortSignal): Promise<Found[]> {
  const url = new URL(config.url);
  url.searchParams.set('q', query);
  const headers: Record<string, string> = { accept: 'application/json' };
  if (config.kind === 'searxng') url.searchParams.set('format', 'json');
  else {
    url.searchParams.set('count', '20');
    headers['x-subscription-token'] = config.apiKey;
    Object.assign(headers, placeOf(settings));
  }
  const place = `${url.hostname}:${url.port || (url.protocol === 'https:' ? 443 : 80)}`;
  const bounds = { allowPrivate: [place], timeoutMs: TIMEOUT_MS, maxBytes: MAX_BYTES, redirects: 0 };
  const response = await safeFetch(url, { headers, signal }, bounds);
  if (!response.ok) throw new Unusable(`the search service answers ${response.status}`);
  return toFound(config.kind, await response.json().catch(() => null));
}

/** What Brave calls them. */
function placeOf({ user_location: place }: WebSearchSettings): Record<string, string> {
  const named = {
    'x-loc-city': place?.city,
    'x-loc-state-name': place?.region,
    'x-loc-country': place?.country,
    'x-loc-timezone': place?.timezone,
  };
  return Object.fromEntries(
    Object.entries(named).flatMap(([name, value]) => (value ? [[name, ascii(value)]] : [])),
  );
}

/** A header has no other letters. */
function ascii(text: string): string {
  return text.normalize('NFKD').replaceAll(/[^\x20-\x7e]/g, '');
}

const result = z.object({ url: z.url({ protocol: /^https?$/ }), title: z.string().default('') });
const searxng = z.object({ results: z.array(z.unknown()) });
const brave = z.object({ web: z.object({ results: z.array(z.unknown()) }).optional() });

function toFound(kind: SearchConfig['kind'], said: unknown): Found[] {
  const read = kind === 'searxng' ? searxng.safeParse(said) : brave.safeParse(said);
  if (!read.success) throw new Unusable('the search service answers no results');
  const rows = 'results' in read.data ? read.data.results : (read.data.web?.results ?? []);
  const words = z.object(
    kind === 'searxng' ? { content: z.string().nullish() } : { description: z.string().nullish() },
  );
  return rows.flatMap((row) => {
    const base = result.safeParse(row);
    if (!base.success) return [];
    const [text = ''] = Object.values(words.safeParse(row).data ?? {});
    return [{ ...base.data, text: text ?? '' }];
  });
}

function withSites(query: string, { allowed_domains: allowed = [] }: WebSearchSettings): string {
  if (allowed.length === 0 || allowed.length > MOST_SITES) return query;
  return `${query} (${allowed.map((domain) => `site:${domain}`).join(' OR ')})`;
}

function toBlock({ url, title, text }: Found): ToolResultContent {
  const plain = (words: string) => clean(words.replaceAll(/<[^>]{0,200}>/g, '')).trim();
  return {
    type: 'search_result',
    source: url,
    title: plain(title) || url,
    content: [{ type: 'text', text: plain(text) || '(no excerpt)' }],
    citations: { enabled: false },
  };
}
