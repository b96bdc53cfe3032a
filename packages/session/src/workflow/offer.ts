// How the tools for workflow runs are offered to a model: what they are for, and the form of a plan.
import type { ThreadAgent } from '@capstan/schema/agents';
import type { Workers } from '@capstan/schema/roster';
import { MAX_PHASES, MAX_RUN_THREADS } from '@capstan/schema/workflow-plans';
import type { EngineTool } from '../harness.ts';

export const START_WORKFLOW = 'start_workflow';
export const CHECK_WORKFLOW = 'check_workflow';
export const STOP_WORKFLOW = 'stop_workflow';

const text = (description: string) => ({ type: 'string', description });

const RUN_ID = text('The id that start_workflow answered.');

export const TOOLS: readonly EngineTool[] = [
  {
    name: CHECK_WORKFLOW,
    description: 'Says where a workflow run stands, or each of those that are open.',
    schema: {
      type: 'object',
      properties: { workflow_run_id: RUN_ID },
      additionalProperties: false,
    },
  },
  {
    name: STOP_WORKFLOW,
    description: 'Stops a workflow run and its threads, and answers what its steps have come to.',
    schema: {
      type: 'object',
      properties: { workflow_run_id: RUN_ID },
      required: ['workflow_run_id'],
      additionalProperties: false,
    },
  },
];

type Enabled = Extract<Workers<ThreadAgent>, { type: 'enabled' }>;

export function startTool({ inline_agents, predefined_agents: agents }: Enabled): EngineTool {
  const known = agents.length > 0 ? `\nAgents:\n${agents.map(describe).join('\n')}` : '';
  const inline = inline_agents.type === 'enabled';
  const step = {
    type: 'object',
    properties: {
      id: text('Names the step in this plan: letters, digits, "_" and "-".'),
      ...(agents.length > 0 && { agent: text('Name or id of an agent of the list.') }),
      ...(inline && { new_agent: NEW_AGENT }),
      message: text(
        'All that the agent needs to know. {{steps.ID}} is the result of a step of an earlier phase, {{item}} the item that ' +
          'the thread is for.',
      ),
      for_each: {
        type: 'array',
        items: { type: 'string' },
        description: 'One thread for each of these, with {{item}} in the message.',
      },
      for_each_of: text(
        'The same over the result of an earlier step: that one has to answer with a JSON list of strings and nothing else.',
      ),
    },
    required: ['id', 'message'],
    additionalProperties: false,
  };
  return {
    name: START_WORKFLOW,
    description:
      'Starts background work of many agents by a plan. The phases come one after the other, the steps of a phase run at ' +
      'the same time, each in a thread of its own that sees its message alone and shares the sandbox and its files. The ' +
      'last words of a thread are the result of its step. The call returns at once; when the run has ended, the results ' +
      `come as a message. At most ${MAX_RUN_THREADS} threads a run.${known}`,
    schema: {
      type: 'object',
      properties: {
        name: text('What the run is called: at most 64 characters.'),
        description: text('What it is for: at most 256 characters.'),
        phases: {
          type: 'array',
          minItems: 1,
          maxItems: MAX_PHASES,
          items: {
            type: 'object',
            properties: {
              name: text('At most 64 characters.'),
              description: text('At most 256 characters.'),
              steps: { type: 'array', minItems: 1, items: step },
            },
            required: ['name', 'steps'],
            additionalProperties: false,
          },
        },
      },
      required: ['phases'],
      additionalProperties: false,
    },
  };
}

const NEW_AGENT = {
  type: 'object',
  description: 'An agent for this step alone, with your model and tools.',
  properties: {
    name: text('What it is called.'),
    description: text('What it is for.'),
    system: text('Who it is and how it works: its system prompt.'),
  },
  required: ['name', 'system'],
  additionalProperties: false,
};

function describe({ name, id, description }: ThreadAgent): string {
  return `- ${name} (${id})${description ? `: ${description}` : ''}`;
}
