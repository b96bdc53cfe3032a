import { mcpSettings } from '@capstan/schema/mcp-servers';
import {
  builtInSettings,
  type ToolParam,
  tool,
  toolParam,
  webFetchOf,
  webSearchOf,
} from '@capstan/schema/tools';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import { fillTools } from './tools.ts';

const params = (values: unknown[]): ToolParam[] => z.array(toolParam).parse(values);
const filled = (...values: unknown[]) => fillTools(params(values));
const allow = { type: 'always_allow' };
const custom = (name: string) => ({
  type: 'custom',
  name,
  description: 'd',
  input_schema: { type: 'object' },
});

const only = (name: string) => ({ type: 'only', tools: [{ type: 'tool_reference', name }] });

describe('fillTools', () => {
  it('fills a bare toolset: everything on, always allowed', () => {
    expect(filled({ type: 'agent_toolset_20260401' })).toEqual([
      {
        type: 'agent_toolset_20260401',
        default_config: { enabled: true, permission_policy: allow },
        configs: [],
      },
    ]);
  });

  it('lets a tool inherit what its own entry leaves open', () => {
    const [toolset] = filled({
      type: 'agent_toolset_20260401',
      default_config: { enabled: false, permission_policy: { type: 'always_ask' } },
      configs: [{ name: 'bash', enabled: true }, { name: 'read' }],
    });
    expect(toolset).toMatchObject({
      configs: [
        { type: 'bash', name: 'bash', enabled: true, permission_policy: { type: 'always_ask' } },
        { type: 'read', name: 'read', enabled: false, permission_policy: { type: 'always_ask' } },
      ],
    });
  });

  it('merges shorthands where the first one stood', () => {
    const tools = filled(custom('first'), { type: 'bash' }, custom('second'), {
      type: 'read',
      permission_policy: { type: 'always_ask' },
    });
    expect(tools.map(({ type }) => type)).toEqual(['custom', 'agent_toolset_20260401', 'custom']);
    expect(builtInSettings(tools, 'bash')).toEqual(allow);
    expect(builtInSettings(tools, 'read')).toEqual({ type: 'always_ask' });
    expect(builtInSettings(tools, 'write')).toBeNull();
  });

  it('asks about every tool of an MCP server unless it is told otherwise', () => {
    const ask = { type: 'always_ask' };
    const configs = [
      { name: 'find', permission_policy: allow },
      { name: 'drop', enabled: false },
    ];
    const tools = filled({ type: 'mcp_toolset', mcp_server_name: 'docs', configs });
    expect(tools).toEqual([
      {
        type: 'mcp_toolset',
        mcp_server_name: 'docs',
        default_config: { enabled: true, permission_policy: ask },
        configs: [
          { name: 'find', enabled: true, permission_policy: allow },
          { name: 'drop', enabled: false, permission_policy: ask },
        ],
      },
    ]);
    expect(mcpSettings(tools, { server: 'docs', name: 'find' })).toEqual(allow);
    expect(mcpSettings(tools, { server: 'docs', name: 'other' })).toEqual(ask);
    expect(mcpSettings(tools, { server: 'docs', name: 'drop' })).toBeNull();
    expect(mcpSettings(tools, { server: 'wiki', name: 'find' })).toBeNull();
  });

  it('keeps what is set for the web tools, and fills what is open', () => {
    const configs = [
      {
        name: 'web_fetch',
        allowed_domains: ['Docs.Example.com'],
        max_content_tokens: 500,
        url_sources: { user_input: 'none', client_tool_results: only('known') },
      },
      {
        name: 'web_search',
        blocked_domains: ['Example.com/Blog'],
        user_location: { type: 'approximate', country: 'DE' },
      },
    ];
    const tools = filled(custom('known'), { type: 'agent_toolset_20260401', configs });
    expect(z.array(tool).parse(tools)).toEqual(tools);
    expect(webFetchOf(tools)).toMatchObject({
      name: 'web_fetch',
      type: 'web_fetch',
      enabled: true,
      allowed_domains: ['docs.example.com'],
      max_content_tokens: 500,
      url_sources: {
        client_tool_results: only('known'),
        server_tool_results: null,
        user_input: { type: 'none' },
      },
    });
    expect(webSearchOf(tools)).toMatchObject({
      blocked_domains: ['example.com/Blog'],
      user_location: { type: 'approximate', country: 'DE' },
    });
    const [bare] = filled({ type: 'agent_toolset_20260401', configs: [{ name: 'web_fetch' }] });
    expect(bare).toMatchObject({ configs: [{ name: 'web_fetch', url_sources: null }] });
  });

  const domains = (count: number) => Array.from({ length: count }, (_, i) => `h${i}.example.com`);
  it.each([
    ['web_fetch', { allowed_domains: [] }],
    ['web_fetch', { allowed_domains: domains(65) }],
    ['web_fetch', { allowed_domains: ['https://example.com'] }],
    ['web_fetch', { allowed_domains: ['example.com/path'] }],
    ['web_fetch', { allowed_domains: ['example.com:8080'] }],
    ['web_fetch', { allowed_domains: ['a.com'], blocked_domains: ['b.com'] }],
    ['web_search', { allowed_domains: ['a.com'], blocked_domains: ['b.com'] }],
    ['web_search', { user_location: { type: 'exact' } }],
    ['web_search', { user_location: { type: 'approximate', country: 'de' } }],
    ['web_search', { user_location: { type: 'approximate', timezone: 'Mars/Base' } }],
    ['web_fetch', { max_content_tokens: 0 }],
    ['web_fetch', { url_sources: { user_input: only('x') } }],
    ['web_fetch', { url_sources: { client_tool_results: { type: 'only', tools: [] } } }],
    [
      'web_fetch',
      { url_sources: { client_tool_results: 'none', server_tool_results: 'none', user_input: 'none' } },
    ],
  ])('%s is refused %j', (name, settings) => {
    const read = toolParam.safeParse({ type: 'agent_toolset_20260401', configs: [{ name, ...settings }] });
    expect(read.success).toBe(false);
  });

  const mcp = { type: 'mcp_toolset', mcp_server_name: 'docs' };
  const fetching = (url_sources: object) => ({
    type: 'agent_toolset_20260401',
    configs: [{ name: 'web_fetch', url_sources }],
  });
  const toolset = { type: 'agent_toolset_20260401' };
  it.each([
    ['tools.0.configs.1.name', [{ ...toolset, configs: [{ name: 'bash' }, { name: 'bash' }] }]],
    ['tools.0.configs.0.type', [{ ...toolset, configs: [{ name: 'bash', type: 'read' }] }]],
    ['tools.1.type', [{ type: 'bash' }, { type: 'bash' }]],
    ['tools.1.type', [{ type: 'web_fetch' }, { type: 'web_fetch' }]],
    ['tools.1', [toolset, toolset]],
    ['tools.1', [toolset, { type: 'bash' }]],
    ['tools.0.configs.1.name', [{ ...mcp, configs: [{ name: 'find' }, { name: 'find' }] }]],
    [
      'tools.1.configs.0.url_sources.client_tool_results',
      [custom('known'), fetching({ client_tool_results: only('unknown') })],
    ],
    [
      'tools.0.configs.0.url_sources.server_tool_results',
      [fetching({ server_tool_results: { ...only('bash'), type: 'except' } })],
    ],
    ['tools.1.name', [custom('same'), custom('same')]],
    ['tools.0.name', [custom('bash')]],
    ['tools.0.input_schema.anyOf', [{ ...custom('x'), input_schema: { type: 'object', anyOf: [] } }]],
    [
      'tools.0.input_schema.properties.a.items.$ref',
      [{ ...custom('x'), input_schema: { type: 'object', properties: { a: { items: { $ref: '#' } } } } }],
    ],
  ])('refuses, naming %s', (path, values) => {
    expect(() => filled(...values)).toThrow(
      expect.objectContaining({
        code: 'invalid_request',
        message: expect.stringMatching(new RegExp(`^${path.replaceAll(/[.$]/g, '\\$&')}: `)),
      }),
    );
  });

  it('takes schemas of any depth that can be stored, and refuses deeper ones', () => {
    const nested = (levels: number): object => (levels === 1 ? {} : { items: nested(levels - 1) });
    const deep = (levels: number) => ({
      ...custom('x'),
      input_schema: { type: 'object', ...nested(levels) },
    });
    expect(filled(deep(64))).toHaveLength(1);
    expect(() => filled(deep(65))).toThrow(/^tools\.0\.input_schema\.items\..*: nested too deep/);
    const { input_schema } = deep(1);
    const endless = JSON.parse(`${'{"items":'.repeat(50_000)}1${'}'.repeat(50_000)}`);
    expect(() => filled({ ...custom('x'), input_schema: { ...input_schema, ...endless } })).toThrow(
      expect.objectContaining({ code: 'invalid_request' }),
    );
  });

  it('takes the policy auto for a toolset, and for a tool of it', () => {
    const auto = { permission_policy: { type: 'auto' } };
    const asks = { permission_policy: { type: 'always_ask' } };
    const of = (...values: unknown[]) => filled(...values).map((entry) => ({ ...entry }));
    const set = { ...toolset, default_config: auto, configs: [{ name: 'bash', ...asks }, { name: 'read' }] };
    expect(of(set)).toMatchObject([{ default_config: auto, configs: [asks, auto] }]);
    expect(of({ type: 'bash', ...auto })).toMatchObject([{ configs: [{ name: 'bash', ...auto }] }]);
    const server = { ...mcp, default_config: auto, configs: [{ name: 'drop', ...asks }] };
    expect(of(server)).toMatchObject([{ default_config: auto, configs: [asks] }]);
    expect(of({ ...mcp, configs: [{ name: 'find', ...auto }] })).toMatchObject([
      { default_config: asks, configs: [auto] },
    ]);
  });

  it('lets a single tool be switched off', () => {
    const tools = filled({ ...toolset, configs: [{ name: 'web_search', enabled: false }] });
    expect(builtInSettings(tools, 'web_search')).toBeNull();
  });

  it('answers every list with filled tools or a refusal that names the entry', () => {
    const policy = fc.constantFrom('always_allow', 'always_ask', 'auto').map((type) => ({ type }));
    const settings = fc.record({ enabled: fc.boolean(), permission_policy: policy }, { requiredKeys: [] });
    const name = fc.constantFrom('bash', 'read', 'write', 'edit', 'glob', 'grep', 'web_fetch', 'web_search');
    const shorthand = fc.tuple(name, settings).map(([type, rest]) => ({ type, ...rest }));
    const set = fc.array(fc.tuple(name, settings)).map((configs) => ({
      ...toolset,
      configs: configs.map(([name, rest]) => ({ name, ...rest })),
    }));
    fc.assert(
      fc.property(
        fc.array(fc.oneof(shorthand, set, fc.constantFrom('a', 'b').map(custom)), { maxLength: 6 }),
        (values) => {
          try {
            expect(z.array(tool).safeParse(filled(...values)).success).toBe(true);
          } catch (error) {
            expect(error).toMatchObject({
              code: 'invalid_request',
              message: expect.stringMatching(/^tools\.\d+/),
            });
          }
        },
      ),
    );
  });
});
