// Settings of web_fetch and web_search: from what clients write to what agents keep.
import { ApiError } from '@capstan/schema/error';
import type { Tool, ToolConfig, ToolConfigParam } from '@capstan/schema/tools';
import type { UrlSources, UrlToolFilter } from '@capstan/schema/web-tools';

type WebParam = Extract<ToolConfigParam, { name: 'web_fetch' | 'web_search' }>;
type Settings = Pick<ToolConfig, 'enabled' | 'permission_policy'>;

export function toWebSettings(given: WebParam, settings: Settings): ToolConfig {
  const { allowed_domains, blocked_domains } = given;
  const domains = {
    ...(allowed_domains && { allowed_domains }),
    ...(blocked_domains && { blocked_domains }),
  };
  if (given.name === 'web_search') {
    const { name, user_location: place } = given;
    return {
      type: name,
      name,
      ...settings,
      ...domains,
      ...(place === undefined ? {} : { user_location: place }),
    };
  }
  const { name, max_content_tokens: most, url_sources: sources } = given;
  return {
    type: name,
    name,
    ...settings,
    ...domains,
    ...(most === undefined ? {} : { max_content_tokens: most }),
    url_sources: sources ? toUrlSources(sources) : null,
  };
}

/** What is not given is null: every URL of that source counts. */
function toUrlSources(given: Partial<UrlSources>): UrlSources {
  return {
    client_tool_results: given.client_tool_results ?? null,
    server_tool_results: given.server_tool_results ?? null,
    user_input: given.user_input ?? null,
  };
}

const SERVER_TOOLS = ['web_search', 'web_fetch'];

/** Refuses (`invalid_request`) sources that name tools there are none of. */
export function requireUrlSources(tools: readonly Tool[]): void {
  const custom = tools.flatMap((tool) => (tool.type === 'custom' ? [tool.name] : []));
  for (const [at, tool] of tools.entries()) {
    if (tool.type !== 'agent_toolset_20260401') continue;
    for (const [index, config] of tool.configs.entries()) {
      if (config.name !== 'web_fetch' || config.url_sources === null) continue;
      const path = `tools.${at}.configs.${index}.url_sources`;
      const { client_tool_results: client, server_tool_results: server } = config.url_sources;
      requireKnown(client, custom, { path: `${path}.client_tool_results`, mend: 'name custom tools' });
      const mend = `name ${SERVER_TOOLS.join(' or ')}`;
      requireKnown(server, SERVER_TOOLS, { path: `${path}.server_tool_results`, mend });
    }
  }
}

function requireKnown(
  filter: UrlToolFilter | null,
  known: readonly string[],
  { path, mend }: { path: string; mend: string },
): void {
  if (filter === null || !('tools' in filter)) return;
  const unknown = filter.tools.find(({ name }) => !known.includes(name));
  if (unknown === undefined) return;
  throw new ApiError('invalid_request', `${path}: there is no such tool as ${unknown.name}; ${mend}`);
}
