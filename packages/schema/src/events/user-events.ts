// Events a client sends (spec §6.2): once as it sends them, once as the log keeps them.
import { z } from 'zod';
import { textBlock, toolResultContent, userContent } from '../content.ts';
import { idSchema } from '../ids.ts';
import { MAX_RUBRIC_CHARS } from '../outcomes.ts';
import { clientEvent, documentName, routedThreadId, serverEvent } from './persisted-event.ts';

const rubric = z.discriminatedUnion('type', [
  z.object({ type: z.literal('text'), content: z.string().max(MAX_RUBRIC_CHARS) }),
  z.object({ type: z.literal('file'), file_id: z.string() }),
]);

const shapes = {
  /** Our extension: `session_thread_id` talks to a thread other than the primary one. */
  'user.message': { content: z.array(userContent).min(1), session_thread_id: idSchema('thread').nullish() },
  'user.interrupt': { session_thread_id: idSchema('thread').nullish() },
  'user.tool_confirmation': {
    tool_use_id: idSchema('event'),
    result: z.enum(['allow', 'deny']),
    deny_message: z.string().max(10_000).nullish(),
    /** Our extension: the decision holds for exactly this input, the SHA-256 of its canonical JSON. */
    input_sha256: z
      .string()
      .regex(/^[0-9a-f]{64}$/, 'expected a SHA-256 in lower-case hex')
      .nullish(),
  },
  'user.custom_tool_result': {
    custom_tool_use_id: idSchema('event'),
    content: z.array(toolResultContent).optional(),
    is_error: z.boolean().nullish(),
  },
  'user.tool_result': {
    tool_use_id: idSchema('event'),
    content: z.array(toolResultContent).optional(),
    is_error: z.boolean().nullish(),
  },
  'user.define_outcome': {
    description: z.string().min(1),
    rubric,
    max_iterations: z.int().min(1).max(20).nullish(),
  },
  'system.message': { content: z.array(textBlock).min(1).max(1000) },
} as const;

function param<const T extends keyof typeof shapes>(type: T) {
  return z.object({ type: z.literal(type), ...shapes[type] }).meta({ id: documentName(type, 'Param') });
}

const userMessage = param('user.message');
const defineOutcome = param('user.define_outcome');
const systemMessage = param('system.message');

export const eventParam = z
  .discriminatedUnion('type', [
    userMessage,
    param('user.interrupt'),
    param('user.tool_confirmation'),
    param('user.custom_tool_result'),
    param('user.tool_result'),
    defineOutcome,
    systemMessage,
  ])
  .meta({ id: 'EventParam' });
export type EventParam = z.infer<typeof eventParam>;

const MAX_INITIAL_EVENTS = 50;
const MAX_FILE_DOCUMENTS = 100;

/** What a session can be sent with its creation (spec §8.9). */
export const initialEvents = z
  .array(z.discriminatedUnion('type', [userMessage, defineOutcome]))
  .max(MAX_INITIAL_EVENTS)
  .superRefine(checkInitial);

/** What every session of a deployment is sent with its creation (spec §5.11). */
export const deploymentEvents = z
  .array(z.discriminatedUnion('type', [userMessage, defineOutcome, systemMessage]))
  .min(1)
  .max(MAX_INITIAL_EVENTS)
  .superRefine((events, context) => {
    checkInitial(events, context);
    for (const [index, { type }] of events.entries()) {
      if (type !== 'system.message') continue;
      const placed = index === events.length - 1 && events[index - 1]?.type === 'user.message';
      if (placed) continue;
      const message = 'a system.message has to be the last event, and to follow a user.message';
      context.addIssue({ code: 'custom', path: [index], message });
    }
  });
export type DeploymentEvent = z.infer<typeof deploymentEvents>[number];

function checkInitial(events: readonly DeploymentEvent[], context: z.RefinementCtx): void {
  const refuse = (path: PropertyKey[], message: string) =>
    context.addIssue({ code: 'custom', path, message });
  const [, second] = events.flatMap((event, index) => (event.type === 'user.define_outcome' ? [index] : []));
  if (second !== undefined) refuse([second], 'a session has one outcome at a time; define one');
  if (events.reduce((sum, event) => sum + fileDocuments(event), 0) > MAX_FILE_DOCUMENTS)
    refuse([], `more than ${MAX_FILE_DOCUMENTS} documents are files`);
  for (const [index, event] of events.entries()) {
    if (event.type === 'user.message' && event.session_thread_id)
      refuse([index, 'session_thread_id'], 'a new session has only its primary thread; leave it out');
  }
}

function fileDocuments(event: DeploymentEvent): number {
  if (event.type !== 'user.message') return 0;
  return event.content.filter((block) => block.type === 'document' && block.source.type === 'file').length;
}

export const userEvents = [
  clientEvent('user.message', shapes['user.message']),
  clientEvent('user.interrupt', shapes['user.interrupt']),
  clientEvent('user.tool_confirmation', { ...shapes['user.tool_confirmation'], ...routedThreadId }),
  clientEvent('user.custom_tool_result', { ...shapes['user.custom_tool_result'], ...routedThreadId }),
  clientEvent('user.tool_result', { ...shapes['user.tool_result'], ...routedThreadId }),
  serverEvent('user.define_outcome', {
    ...shapes['user.define_outcome'],
    outcome_id: z.string(),
    max_iterations: z.int().nullable(),
  }),
  clientEvent('system.message', shapes['system.message']),
] as const;
