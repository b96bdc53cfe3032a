// Tools as clients write them to tools as agents keep them: toolsets with every setting filled, and custom tools.
// What does not fit together is refused by name, never dropped in silence.
import { MAX_TOOLS } from '@capstan/schema/agents';
import { ApiError } from '@capstan/schema/error';
import {
  type AgentToolset,
  BUILT_IN_TOOLS,
  type BuiltInTool,
  builtInSettings,
  type CustomTool,
  type McpToolset,
  type PermissionPolicy,
  type Tool,
  type ToolConfig,
  type ToolConfigParam,
  type ToolParam,
} from '@capstan/schema/tools';
import { requireUrlSources, toWebSettings } from './web-tools.ts';

type ToolsetParam = Extract<ToolParam, { type: 'agent_toolset_20260401' }>;
type McpToolsetParam = Extract<ToolParam, { type: 'mcp_toolset' }>;
type Shorthand = Extract<ToolParam, { type: BuiltInTool }>;
type Settings = AgentToolset['default_config'];

interface Given {
  enabled?: boolean | null | undefined;
  permission_policy?: PermissionPolicy | null | undefined;
}

const FULL: Settings = { enabled: true, permission_policy: { type: 'always_allow' } };
/** Tools that somebody else's server brings are asked about. */
const FULL_BUT_ASKED: Settings = { enabled: true, permission_policy: { type: 'always_ask' } };
const NOTHING_ELSE: Settings = { enabled: false, permission_policy: { type: 'always_allow' } };
/** Levels a schema may be nested: what checks and stores it calls itself at each. */
const DEEPEST = 64;

/** Refuses (`invalid_request`, naming the entry) duplicates, too many, and what is not supported; `at`: where they are given. */
export function fillTools(params: readonly ToolParam[], at = 'tools'): Tool[] {
  const tools = filled(params, at);
  const count = tools.reduce((sum, tool) => sum + countOf(tool), 0);
  if (count > MAX_TOOLS) throw refusal(at, `are ${count} tools together; at most ${MAX_TOOLS} are allowed`);
  return tools;
}

/** Tools that a model is told of. Those of an MCP server are known once it is asked. */
function countOf(tool: Tool): number {
  if (tool.type !== 'agent_toolset_20260401') return tool.type === 'custom' ? 1 : 0;
  return BUILT_IN_TOOLS.filter((name) => builtInSettings([tool], name) !== null).length;
}

function filled(params: readonly ToolParam[], at: string): Tool[] {
  const tools: Tool[] = [];
  const custom = new Set<string>();
  const shorthands: { param: Shorthand; path: string }[] = [];
  let toolsetAt: string | null = null;
  let shorthandSlot = 0;
  for (const [index, param] of params.entries()) {
    const path = `${at}.${index}`;
    switch (param.type) {
      case 'mcp_toolset':
        tools.push(fillMcpToolset(param, path));
        break;
      case 'custom':
        tools.push(checkCustom(param, custom, path));
        break;
      case 'agent_toolset_20260401':
        if (toolsetAt !== null) throw refusal(path, `the toolset is given already, at ${toolsetAt}`);
        toolsetAt = path;
        tools.push(fillToolset(param, path));
        break;
      default:
        if (shorthands.length === 0) shorthandSlot = tools.length;
        shorthands.push({ param, path });
    }
  }
  const [first] = shorthands;
  if (first === undefined) {
    requireUrlSources(tools);
    return tools;
  }
  if (toolsetAt !== null) {
    throw refusal(first.path, `${toolsetAt} has ${first.param.type} already: set it in ${toolsetAt}.configs`);
  }
  return tools.toSpliced(shorthandSlot, 0, fromShorthands(shorthands));
}

function fillToolset(param: ToolsetParam, path: string): AgentToolset {
  const defaults = fill(param.default_config ?? {}, FULL);
  const configs: ToolConfig[] = [];
  for (const [index, given] of param.configs.entries()) {
    const at = `${path}.configs.${index}`;
    if (given.type !== undefined && given.type !== given.name)
      throw refusal(`${at}.type`, `must be ${given.name}, like the name; or leave it out`);
    requireNew(given.name, configs, `${at}.name`);
    configs.push(toConfig(given, fill(given, defaults)));
  }
  return { type: param.type, default_config: defaults, configs };
}

function fillMcpToolset(param: McpToolsetParam, path: string): McpToolset {
  const { type, mcp_server_name } = param;
  const defaults = fill(param.default_config ?? {}, FULL_BUT_ASKED);
  const configs: McpToolset['configs'] = [];
  for (const [index, given] of param.configs.entries()) {
    const at = `${path}.configs.${index}`;
    requireNew(given.name, configs, `${at}.name`);
    configs.push({ name: given.name, ...fill(given, defaults) });
  }
  return { type, mcp_server_name, default_config: defaults, configs };
}

function fromShorthands(shorthands: readonly { param: Shorthand; path: string }[]): AgentToolset {
  const configs: ToolConfig[] = [];
  for (const { param, path } of shorthands) {
    requireNew(param.type, configs, `${path}.type`);
    configs.push(toConfig({ name: param.type }, fill(param, FULL)));
  }
  return { type: 'agent_toolset_20260401', default_config: NOTHING_ELSE, configs };
}

function requireNew(name: string, taken: readonly { name: string }[], path: string): void {
  if (taken.some((config) => config.name === name))
    throw refusal(path, `${name} is configured already; give each tool once`);
}

function toConfig(given: ToolConfigParam, settings: Settings): ToolConfig {
  switch (given.name) {
    case 'web_fetch':
    case 'web_search':
      return toWebSettings(given, settings);
    default:
      return { type: given.name, name: given.name, ...settings };
  }
}

function fill({ enabled, permission_policy }: Given, defaults: Settings): Settings {
  return {
    enabled: enabled ?? defaults.enabled,
    permission_policy: permission_policy ?? defaults.permission_policy,
  };
}

function checkCustom(param: CustomTool, taken: Set<string>, path: string): CustomTool {
  if (taken.has(param.name)) throw refusal(`${path}.name`, `a tool named ${param.name} is given already`);
  if (BUILT_IN_TOOLS.some((name) => name === param.name)) {
    throw refusal(`${path}.name`, `${param.name} is a built-in tool; choose another name`);
  }
  const keyword = ['oneOf', 'anyOf', 'allOf'].find((name) => name in param.input_schema);
  if (keyword) throw refusal(`${path}.input_schema.${keyword}`, 'not allowed at the top level of a schema');
  const reference = findReference(param.input_schema, `${path}.input_schema`, DEEPEST);
  if (reference) throw refusal(reference, 'references are not allowed; write the schema out');
  taken.add(param.name);
  const { name, description, input_schema } = param;
  return { type: 'custom', name, description, input_schema };
}

/** The path of a `$ref`, if there is one; refuses what is nested more than `levels` deep. */
function findReference(schema: unknown, path: string, levels: number): string | null {
  if (typeof schema !== 'object' || schema === null) return null;
  if (levels === 0) throw refusal(path, `nested too deep; a schema may have ${DEEPEST} levels`);
  for (const [key, value] of Object.entries(schema)) {
    if (key === '$ref') return `${path}.$ref`;
    const inner = findReference(value, `${path}.${key}`, levels - 1);
    if (inner !== null) return inner;
  }
  return null;
}

function refusal(path: string, message: string): ApiError {
  return new ApiError('invalid_request', `${path}: ${message}`);
}
