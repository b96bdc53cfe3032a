import type { Tool } from '@capstan/schema/tools';
import { agentToolsetParam } from '@capstan/schema/tools';
import { describe, expect, it } from 'vitest';
import { toolNames, toToolset } from './tools.ts';

const allow = { enabled: true, permission_policy: { type: 'always_allow' } } as const;

describe('tools of an agent', () => {
  it('asks for the chosen tools and no others', () => {
    const [toolset] = toToolset(['bash', 'grep'], 'auto');
    expect(agentToolsetParam.parse(toolset)).toMatchObject({
      default_config: { enabled: false },
      configs: [
        { name: 'bash', enabled: true, permission_policy: { type: 'auto' } },
        { name: 'grep', enabled: true, permission_policy: { type: 'auto' } },
      ],
    });
    expect(toToolset([], 'always_allow')).toEqual([]);
  });

  it('names what is on, whichever way the toolset says it', () => {
    const all: Tool = {
      type: 'agent_toolset_20260401',
      default_config: allow,
      configs: [{ type: 'bash', name: 'bash', ...allow, enabled: false }],
    };
    const custom: Tool = { type: 'custom', name: 'ask', description: 'x', input_schema: { type: 'object' } };
    expect(toolNames({ tools: [all, custom] })).toEqual(['read', 'write', 'edit', 'glob', 'grep', 'ask']);
  });
});
