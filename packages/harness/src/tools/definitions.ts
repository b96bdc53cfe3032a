// The built-in tools as the model is told of them: names and inputs are the Managed Agents API's.
import type { ThreadAgent } from '@capstan/schema/agents';
import { type BuiltInTool, builtInSettings } from '@capstan/schema/tools';
import type { ModelCall } from '@capstan/session/harness';

/** Built-in tools that work in a session's sandbox. */
export const SANDBOX_TOOLS = [
  'bash',
  'read',
  'write',
  'edit',
  'glob',
  'grep',
] as const satisfies BuiltInTool[];
export type SandboxTool = (typeof SANDBOX_TOOLS)[number];

/** Whether a model that works as this agent may call one of them. */
export function worksInSandbox({ tools }: Pick<ThreadAgent, 'tools'>): boolean {
  return SANDBOX_TOOLS.some((name) => builtInSettings(tools, name) !== null);
}

export interface ToolDefinition {
  name: SandboxTool;
  description: string;
  /** JSON Schema of the input. */
  schema: Record<string, unknown>;
}

type Param = Record<string, unknown>;

/** What is said of the machine that a tool works on. */
interface Place {
  /** Where relative paths, and a shell, begin. */
  start: string;
  shell: string;
  files: string;
}

const SANDBOX: Place = {
  start: '/workspace',
  shell: 'of the sandbox',
  files: 'Put files for the user in /mnt/session/outputs; files from the user are in /mnt/session/uploads. ',
};
const OWN_MACHINE: Place = {
  start: 'the working directory of the machine',
  shell: 'on the machine that works for this session',
  files: '',
};

function object(
  properties: Record<string, unknown>,
  required: readonly string[] = [],
): ToolDefinition['schema'] {
  return { type: 'object', properties, required, additionalProperties: false };
}

/** Those of a machine of the user's own that the model of a call may use, in the place of a sandbox's. */
export function onOwnMachine(call: ModelCall): ModelCall {
  if (!call.builtIn) return call;
  const own = defined(OWN_MACHINE).filter(({ name }) => builtInSettings(call.agent.tools, name) !== null);
  return { ...call, tools: [...call.tools, ...own] };
}

function defined(place: Place): ToolDefinition[] {
  const path = { type: 'string', description: `Absolute path; a relative one starts at ${place.start}.` };
  return [toBash(place), ...fileTools(path), ...searchTools(path, place)];
}

const toBash = (place: Place): ToolDefinition => ({
  name: 'bash',
  description:
    `Runs a bash script in a persistent shell ${place.shell} and returns its output (stdout and stderr in the order ` +
    'written) and exit code. The working directory and exported variables last from one call to the next; the first ' +
    `starts in ${place.start}. ${place.files}Commands get no terminal and no input. Start servers in the background ` +
    'with their output sent to a file.',
  schema: object({
    command: { type: 'string', description: 'The script to run. Required unless restart is true.' },
    restart: {
      type: 'boolean',
      description: 'Forgets the working directory and variables of the shell first.',
    },
    timeout_ms: {
      type: 'integer',
      description: 'Stops the command after this many milliseconds. Default 120000, at most 600000.',
    },
  }),
});

const fileTools = (path: Param): ToolDefinition[] => [
  {
    name: 'read',
    description:
      'Reads a text file with line numbers, or shows an image (PNG, JPEG, GIF, WebP). Long files are cut: read further ' +
      'with view_range.',
    schema: object(
      {
        file_path: path,
        view_range: {
          type: 'array',
          items: { type: 'integer' },
          minItems: 2,
          maxItems: 2,
          description: 'First and last line wanted, from 1; a last line of 0 or less means to the end.',
        },
      },
      ['file_path'],
    ),
  },
  {
    name: 'write',
    description: 'Writes a text file, replacing what was there, and makes the directories it needs.',
    schema: object({ file_path: path, content: { type: 'string' } }, ['file_path', 'content']),
  },
  {
    name: 'edit',
    description:
      'Replaces a piece of text in a file. old_string must be exactly what the file has, without line numbers, and be ' +
      'there once, unless replace_all is true.',
    schema: object(
      {
        file_path: path,
        old_string: { type: 'string' },
        new_string: { type: 'string' },
        replace_all: { type: 'boolean', description: 'Replaces every occurrence. Default false.' },
      },
      ['file_path', 'old_string', 'new_string'],
    ),
  },
];

const searchTools = (path: Param, place: Place): ToolDefinition[] => [
  {
    name: 'glob',
    description: 'Finds files by pattern, e.g. `src/**/*.{ts,tsx}`. Newest first.',
    schema: object(
      {
        pattern: { type: 'string' },
        path: { ...path, description: `Directory to search. Default ${place.start}.` },
      },
      ['pattern'],
    ),
  },
  {
    name: 'grep',
    description:
      'Searches file contents with a regular expression and returns matching lines as path:line:text. Binary files and ' +
      '.git are left out.',
    schema: object(
      {
        pattern: { type: 'string', description: 'An extended regular expression.' },
        path: { ...path, description: `File or directory to search. Default ${place.start}.` },
      },
      ['pattern'],
    ),
  },
];

export const TOOL_DEFINITIONS: readonly ToolDefinition[] = defined(SANDBOX);
