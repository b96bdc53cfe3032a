import { builtInSettings, type ToolParam, tool, toolParam } from '@capstan/schema/tools';
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

  const auto = { permission_policy: { type: 'auto' } };
  const toolset = { type: 'agent_toolset_20260401' };
  it.each([
    ['tools.0.permission_policy.type', [{ type: 'bash', ...auto }]],
    ['tools.0.default_config.permission_policy.type', [{ ...toolset, default_config: auto }]],
    [
      'tools.0.configs.1.permission_policy.type',
      [{ ...toolset, configs: [{ name: 'read' }, { name: 'bash', ...auto }] }],
    ],
    ['tools.0.configs.1.name', [{ ...toolset, configs: [{ name: 'bash' }, { name: 'bash' }] }]],
    ['tools.0.configs.0.name', [{ ...toolset, configs: [{ name: 'web_search', enabled: true }] }]],
    ['tools.1.type', [{ type: 'bash' }, { type: 'bash' }]],
    ['tools.0.type', [{ type: 'web_fetch' }]],
    ['tools.1', [toolset, toolset]],
    ['tools.1', [toolset, { type: 'bash' }]],
    ['tools.0', [{ type: 'mcp_toolset', mcp_server_name: 'docs' }]],
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

  it('lets a tool it cannot offer be switched off', () => {
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
