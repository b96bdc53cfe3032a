// The tools a model is told of: the agent's enabled built-in tools that this platform has, its custom tools, and those of
// the engine. The order depends on nothing but the agent and the engine's tools, or prompt caches would be lost.
import { builtInSettings } from '@capstan/schema/tools';
import type { ModelCall } from '@capstan/session/harness';
import type { ModelRequest } from '@openai/agents-core';
import { TOOL_DEFINITIONS } from '../tools/definitions.ts';

type FunctionTool = Extract<ModelRequest['tools'][number], { type: 'function' }>;

interface Described {
  name: string;
  description: string;
  schema: Record<string, unknown>;
}

export function toolSchemas({ agent, tools, builtIn }: Pick<ModelCall, 'agent' | 'tools' | 'builtIn'>) {
  const engine = tools.toSorted((a, b) => (a.name < b.name ? -1 : 1));
  return [...(builtIn ? ownTools(agent, engine) : []), ...engine].map(functionTool);
}

/** A name stands for one tool: the engine's before the platform's before the agent's own. */
function ownTools(agent: ModelCall['agent'], engine: readonly Described[]): Described[] {
  const platform = TOOL_DEFINITIONS.filter((tool) => builtInSettings(agent.tools, tool.name) !== null);
  const custom = agent.tools.flatMap((tool) =>
    tool.type === 'custom'
      ? [{ name: tool.name, description: tool.description, schema: tool.input_schema }]
      : [],
  );
  const taken = new Set(engine.map((tool) => tool.name));
  return [...platform, ...custom].filter(({ name }) => {
    const free = !taken.has(name);
    taken.add(name);
    return free;
  });
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
