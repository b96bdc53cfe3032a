// The tools a model is told of: the agent's enabled built-in tools that this platform has, and its custom tools.
import { builtInSettings } from '@capstan/schema/tools';
import type { ModelCall } from '@capstan/session/harness';
import type { ModelRequest } from '@openai/agents-core';
import { TOOL_DEFINITIONS } from '../tools/definitions.ts';

type FunctionTool = Extract<ModelRequest['tools'][number], { type: 'function' }>;

export function toolSchemas(agent: ModelCall['agent']): FunctionTool[] {
  const builtIn = TOOL_DEFINITIONS.filter((tool) => builtInSettings(agent.tools, tool.name) !== null).map(
    (tool) => functionTool({ name: tool.name, description: tool.description, schema: tool.schema }),
  );
  const custom = agent.tools.flatMap((tool) =>
    tool.type === 'custom'
      ? [functionTool({ name: tool.name, description: tool.description, schema: tool.input_schema })]
      : [],
  );
  return [...builtIn, ...custom];
}

interface Described {
  name: string;
  description: string;
  schema: Record<string, unknown>;
}

function functionTool({ name, description, schema }: Described): FunctionTool {
  const properties =
    typeof schema.properties === 'object' && schema.properties !== null ? schema.properties : {};
  const required = Array.isArray(schema.required)
    ? schema.required.filter((key) => typeof key === 'string')
    : [];
  return {
    type: 'function',
    name,
    description,
    strict: false,
    parameters: { ...schema, type: 'object', properties, required, additionalProperties: true },
  };
}
