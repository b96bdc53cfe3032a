// MCP servers as agents keep them: nothing is asked of a server that its URL does not allow to be asked.
import { ApiError } from '@capstan/schema/error';
import type { McpServer } from '@capstan/schema/mcp-servers';
import { urlProblem } from '@capstan/shared/public-url';
import type { Reach } from '@capstan/shared/safe-fetch';

/** Refuses (`invalid_request`, naming the server) URLs that are not public and not named as exceptions; `at`: where they are given. */
export function toMcpServers(
  given: readonly McpServer[],
  { allowPrivate = [] }: Pick<Reach, 'allowPrivate'>,
  at = 'mcp_servers',
): McpServer[] {
  return given.map(({ type, name, url }, index) => {
    const problem = urlProblem(url, { allowPrivate });
    if (problem !== null) throw new ApiError('invalid_request', `${at}.${index}.url: ${problem}`);
    return { type, name, url };
  });
}
