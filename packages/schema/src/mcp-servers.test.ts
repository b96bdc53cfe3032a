import { describe, expect, it } from 'vitest';
import { mcpMismatch, mcpServersParam } from './mcp-servers.ts';
import type { McpToolset } from './tools.ts';

const server = (name: string) => ({ type: 'url' as const, name, url: `https://${name}.example.com/mcp` });
const settings = { enabled: true, permission_policy: { type: 'always_ask' as const } };
const toolset = (name: string): McpToolset => ({
  type: 'mcp_toolset',
  mcp_server_name: name,
  default_config: settings,
  configs: [],
});
const pathOf = (tools: McpToolset[], names: string[]) => mcpMismatch(tools, names.map(server))?.path ?? null;

describe('mcpMismatch', () => {
  it('finds nothing where each server has its toolset, in whatever order', () => {
    expect(pathOf([], [])).toBeNull();
    expect(pathOf([toolset('b'), toolset('a')], ['a', 'b'])).toBeNull();
  });

  it.each([
    ['mcp_servers.0.name', [], ['a']],
    ['mcp_servers.1.name', ['a'], ['a', 'a']],
    ['mcp_servers.1.name', ['a'], ['a', 'b']],
    ['tools.0.mcp_server_name', ['a'], []],
    ['tools.1.mcp_server_name', ['a', 'a'], ['a']],
    ['tools.1.mcp_server_name', ['a', 'A'], ['a']],
  ])('names %s for toolsets %j and servers %j', (path, tools, names) => {
    expect(pathOf(tools.map(toolset), names)).toBe(path);
  });
});

describe('mcpServersParam', () => {
  const accepts = (value: unknown) => mcpServersParam.safeParse(value).success;

  it('takes twenty servers and no more', () => {
    const servers = Array.from({ length: 21 }, (_, index) => server(`s${index}`));
    expect(accepts(servers.slice(1))).toBe(true);
    expect(accepts(servers)).toBe(false);
  });

  it.each([
    [{ ...server('a'), type: 'stdio' }],
    [{ ...server('a'), name: '' }],
    [{ ...server('a'), name: 'x'.repeat(256) }],
    [{ ...server('a'), url: 'mcp.example.com' }],
    [{ ...server('a'), url: 'ftp://mcp.example.com' }],
    [{ type: 'url', name: 'a' }],
  ])('refuses %j', (value) => {
    expect(accepts([value])).toBe(false);
  });
});
