// What an agent is set to, and what an update makes of it: what that does not name stays as it was.
import type { AgentDefinition, Model, ThreadAgent } from '@capstan/schema/agents';
import { type Metadata, type MetadataPatch, patchMetadata } from '@capstan/schema/metadata';
import type { AgentReference, Multiagent, MultiagentParam, WorkersParam } from '@capstan/schema/multiagent';
import { type Workers, withCalled } from '@capstan/schema/roster';
import type { SkillParam } from '@capstan/schema/skills';

/** An agent's settings with every default filled in; its skills and the agents it may call are looked up when it is saved. */
export interface AgentSettings extends Omit<ThreadAgent, 'id' | 'type' | 'version' | 'skills'> {
  skills: SkillParam[];
  multiagent: MultiagentParam | null;
}

/** An absent effort is kept when the model stays the same one; null restores the model's own. */
export type ModelChange = Omit<Model, 'effort'> & { effort?: Model['effort'] | null };

/** `capstan` null clears it. */
export interface AgentChange extends Partial<Omit<AgentSettings, 'model' | 'capstan'>> {
  model?: ModelChange;
  capstan?: AgentSettings['capstan'] | null;
  metadata?: MetadataPatch;
}

export interface Revision {
  settings: AgentSettings;
  metadata: Metadata;
}

/** The settings after a change of `current`, whose metadata is `pairs`. */
export function revise(current: AgentDefinition, pairs: Metadata, change: AgentChange): Revision {
  const { id, type, version, capstan, ...settings } = current;
  const { model, metadata, capstan: options = capstan, multiagent, ...rest } = change;
  return {
    settings: {
      ...settings,
      ...rest,
      ...(model && { model: reviseModel(settings.model, model) }),
      ...(multiagent !== undefined && { multiagent: reviseMultiagent(current.multiagent, multiagent) }),
      ...(options && { capstan: options }),
    },
    metadata: metadata === undefined ? pairs : patchMetadata(pairs, metadata),
  };
}

/** Whether two values are the same as JSON, in whatever order their members stand. */
export function isSame(one: unknown, other: unknown): boolean {
  return JSON.stringify(one, sortMembers) === JSON.stringify(other, sortMembers);
}

/** A definition without what every new version changes: its number, also where its own roster names it. */
export function withoutVersion({ version, multiagent, ...rest }: AgentDefinition): object {
  const unversioned = (entry: AgentReference) =>
    entry.id === rest.id && entry.version === version ? { type: 'self' } : entry;
  return { ...rest, multiagent: multiagent && withCalled(multiagent, unversioned) };
}

function reviseModel(current: Model, { effort, ...model }: ModelChange): Model {
  const kept = model.id === current.id ? current.effort : undefined;
  const chosen = effort === undefined ? kept : effort;
  return { ...model, ...(chosen && { effort: chosen }) };
}

/** The newer form is merged level by level into one of its own; anything else replaces what there was. */
function reviseMultiagent(
  current: Multiagent | null,
  change: MultiagentParam | null,
): MultiagentParam | null {
  if (change?.type !== 'multiagent_20261001' || current?.type !== change.type) return change;
  const { type, advisor = current.advisor } = change;
  return {
    type,
    advisor,
    subagents: reviseWorkers(current.subagents, change.subagents),
    workflows: reviseWorkers(current.workflows, change.workflows),
  };
}

/** Null resets what it stands for to its default. */
function reviseWorkers(
  current: Workers<AgentReference>,
  change: WorkersParam | null | undefined,
): WorkersParam | null {
  if (change === undefined) return current;
  if (change?.type !== 'enabled' || current.type !== 'enabled') return change;
  const { type, inline_agents = current.inline_agents } = change;
  const { predefined_agents = current.predefined_agents } = change;
  return { type, inline_agents, predefined_agents };
}

function sortMembers(_: string, value: unknown): unknown {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return value;
  return Object.fromEntries(Object.entries(value).toSorted(([a], [b]) => (a < b ? -1 : 1)));
}
