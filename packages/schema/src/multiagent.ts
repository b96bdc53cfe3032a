// Which agents an agent may start as threads of its sessions (spec §5.1.1): as clients write it, and with every version pinned.
import { z } from 'zod';
import { idSchema } from './ids.ts';

export const MAX_ROSTER = 20;

/** An agent in the version named, or else in its current one. */
export const agentParam = z.object({
  type: z.literal('agent'),
  id: idSchema('agent'),
  version: z.int().min(1).optional(),
});
/** The agent that the roster belongs to. */
const self = z.object({ type: z.literal('self') });

const rosterEntry = z.union([
  idSchema('agent'),
  z.discriminatedUnion('type', [agentParam, self], {
    error: 'expected "agent" or "self"; "advisor" is not supported by this server yet',
  }),
]);
export type RosterEntry = z.infer<typeof rosterEntry>;

const coordinator = z.object({
  type: z.literal('coordinator'),
  agents: z.array(rosterEntry).min(1).max(MAX_ROSTER),
});

export const multiagentParam = z
  .discriminatedUnion('type', [coordinator], {
    error: 'expected "coordinator"; "multiagent_20261001" is not supported by this server yet',
  })
  .meta({ id: 'MultiagentParam' });
export type MultiagentParam = z.infer<typeof multiagentParam>;

export const agentReference = z.object({
  type: z.literal('agent'),
  id: idSchema('agent'),
  version: z.int(),
});
export type AgentReference = z.infer<typeof agentReference>;

export const multiagent = z
  .object({ type: z.literal('coordinator'), agents: z.array(agentReference) })
  .meta({ id: 'Multiagent' });
export type Multiagent = z.infer<typeof multiagent>;
