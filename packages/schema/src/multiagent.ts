// Whom an agent may call (spec §5.1.1): as clients write it, and with every version pinned. An older form lists agents, a
// newer one has a part for each way of calling.
import { z } from 'zod';
import { idSchema } from './ids.ts';

export const MAX_ROSTER = 20;
/** The thread of a consultation has this name, so no agent of a roster may. */
export const ADVISOR_NAME = 'anthropic.advisor';

const modelId = z.string().min(1).max(256);

/** An agent in the version named, or else in its current one. */
export const agentParam = z.object({
  type: z.literal('agent'),
  id: idSchema('agent'),
  version: z.int().min(1).optional(),
});
/** The agent that the roster belongs to. */
const self = z.object({ type: z.literal('self') });

/** A model that the primary thread may ask for advice. */
export const advisor = z.object({ type: z.literal('advisor'), model: modelId }).meta({ id: 'Advisor' });
export type Advisor = z.infer<typeof advisor>;

const rosterEntry = z.union([
  idSchema('agent'),
  z.discriminatedUnion('type', [agentParam, self, advisor], {
    error: 'expected "agent", "self" or "advisor"',
  }),
]);
const predefinedAgent = z.union([
  idSchema('agent'),
  z.discriminatedUnion('type', [agentParam, self], { error: 'expected "agent" or "self"' }),
]);
/** An agent that may be called; an advisor is none. */
export type RosterEntry = z.infer<typeof predefinedAgent>;

const enabled = z.object({ type: z.literal('enabled') });
const disabled = z.object({ type: z.literal('disabled') });
const onOrOff = z.discriminatedUnion('type', [enabled, disabled]);
const advising = z.discriminatedUnion('type', [enabled.extend({ model: modelId }), disabled]);

const coordinatorParam = z.object({
  type: z.literal('coordinator'),
  agents: z
    .array(rosterEntry)
    .min(1)
    .max(MAX_ROSTER)
    .superRefine((entries, context) => {
      const [, second] = entries.flatMap((entry, index) => (isAdvisor(entry) ? [index] : []));
      if (second === undefined) return;
      context.addIssue({ code: 'custom', path: [second], message: 'an agent has one advisor; name one' });
    }),
});

/** Agents to work with: those of a list of its own, and those that the agent writes itself. */
const workersParam = z.discriminatedUnion('type', [
  enabled.extend({
    /** Absent or null: enabled. */
    inline_agents: onOrOff.nullish(),
    predefined_agents: z.array(predefinedAgent).max(MAX_ROSTER).nullish(),
  }),
  disabled,
]);
export type WorkersParam = z.infer<typeof workersParam>;

const partsParam = z.object({
  type: z.literal('multiagent_20261001'),
  /** Absent or null: disabled. */
  advisor: advising.nullish(),
  /** Absent or null: enabled. */
  subagents: workersParam.nullish(),
  /** Absent or null: enabled. */
  workflows: workersParam.nullish(),
});

export const multiagentParam = z
  .discriminatedUnion('type', [coordinatorParam, partsParam], {
    error: 'expected "coordinator" or "multiagent_20261001"',
  })
  .meta({ id: 'MultiagentParam' });
export type MultiagentParam = z.infer<typeof multiagentParam>;

export const agentReference = z.object({
  type: z.literal('agent'),
  id: idSchema('agent'),
  version: z.int(),
});
export type AgentReference = z.infer<typeof agentReference>;

/** The two forms over what an entry of the roster is: a reference on agents, a whole definition on sessions. */
export function multiagentOf<T extends typeof agentReference | z.ZodObject<{ type: z.ZodLiteral<'agent'> }>>(
  entry: T,
) {
  const workers = z.discriminatedUnion('type', [
    enabled.extend({ inline_agents: onOrOff, predefined_agents: z.array(entry) }),
    disabled,
  ]);
  return z.discriminatedUnion('type', [
    z.object({
      type: z.literal('coordinator'),
      /** The advisor, if there is one, comes last. */
      agents: z.array(z.union([entry, advisor])),
    }),
    z.object({
      type: z.literal('multiagent_20261001'),
      advisor: advising,
      subagents: workers,
      workflows: workers,
    }),
  ]);
}

export const multiagent = multiagentOf(agentReference).meta({ id: 'Multiagent' });
export type Multiagent = z.infer<typeof multiagent>;

/** Of an entry as clients write it. */
export function isAdvisor(entry: z.infer<typeof rosterEntry>): entry is Advisor {
  return typeof entry !== 'string' && entry.type === 'advisor';
}
