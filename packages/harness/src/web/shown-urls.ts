// Which URLs the conversation has shown, by who showed them: what web_fetch may ask for when its sources are limited.
import type { ToolResultContent, UserContent } from '@capstan/schema/content';
import type { Tool } from '@capstan/schema/tools';
import type { UrlSources, UrlToolFilter } from '@capstan/schema/web-tools';
import type { ContextItem } from '@capstan/session/harness';

const SERVER_TOOLS = ['web_search', 'web_fetch'];
const URLS = /https?:\/\/[^\s<>"'`\\^{}|]{1,2048}/gi;
/** What ends a sentence rather than a URL. */
const BEHIND = /[.,;:!?)\]*_]+$/;

/** Whether one of the sources has shown it, as it is but for its fragment. */
export function isShown(
  url: URL,
  {
    sources,
    context,
    tools,
  }: { sources: UrlSources; context: readonly ContextItem[]; tools: readonly Tool[] },
): boolean {
  const custom = tools.flatMap((tool) => (tool.type === 'custom' ? [tool.name] : []));
  const wanted = sameForm(url);
  const names = new Map<string, string>();
  for (const item of context) {
    if (item.type === 'tool_call' && item.server === undefined) names.set(item.callId, item.name);
    if (!isSource(item, { sources, custom, names })) continue;
    if (item.type !== 'user' && item.type !== 'tool_result') continue;
    if (textsOf(item.content).some((text) => hasUrl(text, wanted))) return true;
  }
  return false;
}

interface Speakers {
  sources: UrlSources;
  custom: readonly string[];
  names: ReadonlyMap<string, string>;
}

function isSource(item: ContextItem, { sources, custom, names }: Speakers): boolean {
  if (item.type === 'user') return sources.user_input?.type !== 'none';
  if (item.type !== 'tool_result') return false;
  const name = names.get(item.callId);
  if (name === undefined) return false;
  if (custom.includes(name)) return passes(sources.client_tool_results, name);
  return SERVER_TOOLS.includes(name) && passes(sources.server_tool_results, name);
}

function passes(filter: UrlToolFilter | null, name: string): boolean {
  switch (filter?.type) {
    case undefined:
    case 'all':
      return true;
    case 'none':
      return false;
    case 'only':
      return filter.tools.some((tool) => tool.name === name);
    case 'except':
      return !filter.tools.some((tool) => tool.name === name);
  }
}

function textsOf(content: readonly (UserContent | ToolResultContent)[]): string[] {
  return content.flatMap((block) => {
    if (block.type === 'text') return [block.text];
    if (block.type === 'search_result') return [block.source, ...block.content.map(({ text }) => text)];
    return block.type === 'document' && block.source.type === 'text' ? [block.source.data] : [];
  });
}

function hasUrl(text: string, wanted: string): boolean {
  for (const [found] of text.matchAll(URLS)) {
    for (const form of [found, found.replace(BEHIND, '')]) {
      const url = URL.parse(form);
      if (url !== null && sameForm(url) === wanted) return true;
    }
  }
  return false;
}

function sameForm(url: URL): string {
  const bare = new URL(url.href);
  bare.hash = '';
  return bare.href;
}
