// From what is asked to a call of a tool that is offered, with the property names its schema gives.
import type { OfferedTool } from './conversation.ts';
import type { Intent } from './intent.ts';
import { isObject, type JsonObject, stringOf } from './json.ts';

export interface PlannedCall {
  name: string;
  input: JsonObject;
}

/** The names a tool of each kind goes by, likeliest first, and those of its properties. */
const TOOL_NAMES = {
  bash: ['bash', 'shell', 'exec', 'exec_command', 'run_command', 'terminal'],
  read: ['read', 'read_file', 'file_read'],
  write: ['write', 'write_file', 'file_write'],
  edit: ['edit', 'edit_file', 'str_replace'],
  glob: ['glob', 'list_files', 'ls'],
  grep: ['grep', 'search_files', 'search'],
};
const PROPERTY_NAMES: Record<string, string[]> = {
  command: ['command', 'cmd', 'script', 'code', 'input'],
  file_path: ['file_path', 'path', 'filename', 'file'],
  content: ['content', 'contents', 'text', 'file_text'],
  old_string: ['old_string', 'old_str', 'old', 'search'],
  new_string: ['new_string', 'new_str', 'new', 'replace'],
  pattern: ['pattern', 'query', 'regex', 'glob'],
  path: ['path', 'directory', 'dir', 'cwd'],
};

type Kind = keyof typeof TOOL_NAMES;

export function findTool(tools: OfferedTool[], kind: Kind): OfferedTool | null {
  for (const name of TOOL_NAMES[kind]) {
    const tool = tools.find((offered) => offered.name.toLowerCase() === name);
    if (tool !== undefined) return tool;
  }
  return null;
}

/** What kind of tool a name stands for, or null for a tool the development model does not know. */
export function kindOfTool(name: string): Kind | null {
  const lower = name.toLowerCase();
  if (TOOL_NAMES.bash.includes(lower)) return 'bash';
  if (TOOL_NAMES.read.includes(lower)) return 'read';
  if (TOOL_NAMES.write.includes(lower)) return 'write';
  if (TOOL_NAMES.edit.includes(lower)) return 'edit';
  if (TOOL_NAMES.glob.includes(lower)) return 'glob';
  return TOOL_NAMES.grep.includes(lower) ? 'grep' : null;
}

/** A call that does what is asked with the tools offered; the shell stands in for a missing file tool. */
export function callFor(intent: Intent, tools: OfferedTool[]): PlannedCall | null {
  for (const [kind, input] of waysTo(intent)) {
    const tool = findTool(tools, kind);
    if (tool !== null) return { name: tool.name, input: fitInput(tool, input) };
  }
  return null;
}

type Way = [Kind, Record<string, string>];

function waysTo(intent: Intent): Way[] {
  switch (intent.kind) {
    case 'run':
      return [['bash', { command: intent.command }]];
    case 'read':
      return [
        ['read', { file_path: intent.path }],
        ['bash', { command: `cat -- ${quote(intent.path)}` }],
      ];
    case 'write':
      return [
        ['write', { file_path: intent.path, content: intent.content }],
        ['bash', { command: `printf %s ${quote(intent.content)} > ${quote(intent.path)}` }],
      ];
    case 'edit':
      return [['edit', { file_path: intent.path, old_string: intent.from, new_string: intent.to }]];
    case 'list':
      return [
        ['glob', { pattern: '**/*', ...(intent.path === null ? {} : { path: intent.path }) }],
        ['bash', { command: `ls -la -- ${quote(intent.path ?? '.')}` }],
      ];
    case 'search':
      return [
        ['grep', { pattern: intent.pattern, ...(intent.path === null ? {} : { path: intent.path }) }],
        ['bash', { command: `grep -rn -- ${quote(intent.pattern)} ${quote(intent.path ?? '.')}` }],
      ];
    case 'greet':
    case 'say':
      return [];
  }
}

/** A word the shell takes literally. */
function quote(word: string): string {
  return /^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`;
}

/** Renames the members to what the tool's schema calls them and fills in whatever else it requires. */
export function fitInput(tool: OfferedTool, wanted: Record<string, string>): JsonObject {
  const properties = isObject(tool.schema.properties) ? tool.schema.properties : {};
  const input: JsonObject = {};
  for (const [member, value] of Object.entries(wanted)) {
    const known = PROPERTY_NAMES[member]?.find((name) => name in properties && !(name in input));
    const name = known ?? member;
    const property = properties[name];
    input[name] = isObject(property) && property.type === 'array' ? [value] : value;
  }
  return { ...sampleObject(tool.schema, 0), ...input };
}

const MAX_DEPTH = 8;

/** The smallest input a schema's required members allow, to call a tool nothing is known of. */
export function sampleObject(schema: JsonObject, depth: number): JsonObject {
  const properties = isObject(schema.properties) ? schema.properties : {};
  const required = Array.isArray(schema.required) ? schema.required.map(stringOf) : [];
  return Object.fromEntries(required.map((name) => [name, sampleValue(properties[name], depth + 1)]));
}

function sampleValue(schema: unknown, depth: number): unknown {
  if (!isObject(schema) || depth > MAX_DEPTH) return null;
  if ('const' in schema) return schema.const;
  if ('default' in schema) return schema.default;
  if (Array.isArray(schema.enum) && schema.enum.length > 0) return schema.enum[0];
  const alternatives = schema.anyOf ?? schema.oneOf;
  if (Array.isArray(alternatives)) return sampleValue(alternatives[0], depth + 1);
  switch (Array.isArray(schema.type) ? schema.type[0] : schema.type) {
    case 'string':
      return 'example';
    case 'integer':
    case 'number':
      return typeof schema.minimum === 'number' ? schema.minimum : 1;
    case 'boolean':
      return false;
    case 'array':
      return typeof schema.minItems === 'number' && schema.minItems > 0
        ? [sampleValue(schema.items, depth + 1)]
        : [];
    case 'object':
      return sampleObject(schema, depth);
    default:
      return null;
  }
}
