// Events the agent makes (spec §6.3). Tool results point at the event id of their use.
import { z } from 'zod';
import { agentContent, threadContent, toolResultContent } from '../content.ts';
import { idSchema } from '../ids.ts';
import { routedThreadId, serverEvent } from './persisted-event.ts';

const toolInput = z.record(z.string(), z.unknown());
const evaluation = z.object({
  evaluated_permission: z.enum(['allow', 'ask', 'deny']).optional(),
  evaluation: z
    .discriminatedUnion('type', [
      z.object({ type: z.literal('always_allow') }),
      z.object({ type: z.literal('always_ask') }),
      z.object({
        type: z.literal('auto'),
        evaluated_permission: z.discriminatedUnion('type', [
          z.object({ type: z.literal('allow') }),
          z.object({ type: z.literal('ask'), reason_code: z.literal('indeterminate') }),
          z.object({ type: z.literal('deny'), reason_code: z.enum(['high_risk', 'indeterminate']) }),
        ]),
      }),
    ])
    .optional(),
}).shape;
/**
 * Our extension. Of a call that somebody is asked about: the SHA-256 of its input's canonical JSON, hex, that an approval may
 * name to be for exactly this input. Of a call under the policy `auto`: why it was judged so, in a sentence.
 */
const approvable = z
  .object({ input_sha256: z.string().optional(), judgement: z.string().optional() })
  .optional();
const result = { content: z.array(toolResultContent).optional(), is_error: z.boolean().nullish() };

export const agentEvents = [
  serverEvent('agent.message', { content: z.array(agentContent) }),
  serverEvent('agent.thinking', {}),
  serverEvent('agent.tool_use', {
    name: z.string(),
    input: toolInput,
    ...evaluation,
    ...routedThreadId,
    capstan: approvable,
  }),
  serverEvent('agent.tool_result', { tool_use_id: idSchema('event'), ...result }),
  serverEvent('agent.mcp_tool_use', {
    mcp_server_name: z.string(),
    name: z.string(),
    input: toolInput,
    ...evaluation,
    ...routedThreadId,
    capstan: approvable,
  }),
  serverEvent('agent.mcp_tool_result', { mcp_tool_use_id: idSchema('event'), ...result }),
  serverEvent('agent.custom_tool_use', { name: z.string(), input: toolInput, ...routedThreadId }),
  serverEvent('agent.thread_context_compacted', {}),
  serverEvent('agent.thread_message_received', {
    from_session_thread_id: idSchema('thread'),
    from_agent_name: z.string().nullish(),
    content: z.array(threadContent),
  }),
  serverEvent('agent.thread_message_sent', {
    to_session_thread_id: idSchema('thread'),
    to_agent_name: z.string().nullish(),
    content: z.array(threadContent),
  }),
] as const;
