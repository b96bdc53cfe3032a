// What a model is told of its agent's skills: their names, what they are for and where their SKILL.md lies. What is in them
// it reads itself, when it needs it.
import { builtInSettings } from '@capstan/schema/tools';
import type { ModelCall } from '@capstan/session/harness';
import { placesOf, type SessionSkill, type SessionSkills } from '../workspace/session-skills.ts';
import { defused } from './system-notice.ts';

const INTRODUCTION =
  'You have skills: directories with instructions, scripts and other files for particular kinds of work. Before you do ' +
  'work that a skill is for, read its SKILL.md with the read tool, and follow it; what it mentions by a relative path lies ' +
  'beside it. They are copies: changing them changes no skill.';

interface Disclosure {
  /** Absent: the session has none. */
  skills: SessionSkills | undefined;
  /** The directory that theirs lie in. */
  root: string;
}

/** The same call, its agent told of the skills it has. An agent that cannot read is told of none. */
export async function withSkills(call: ModelCall, { skills, root }: Disclosure): Promise<ModelCall> {
  const { agent, builtIn } = call;
  if (skills === undefined || !builtIn || agent.skills.length === 0) return call;
  if (builtInSettings(agent.tools, 'read') === null) return call;
  const all = await skills.all();
  const places = placesOf(all, root);
  const known = new Map(all.map((skill) => [skill.id, skill]));
  const lines = agent.skills.flatMap(({ version }) => {
    const skill = known.get(version);
    return skill === undefined ? [] : [lineOf(skill, places.get(version) ?? '')];
  });
  if (lines.length === 0) return call;
  const notice = `${INTRODUCTION}\n\n${lines.join('\n')}`;
  const system = agent.system ? `${agent.system}\n\n${notice}` : notice;
  return { ...call, agent: { ...agent, system } };
}

/** One line, whatever the description is. */
function lineOf({ name, description }: SessionSkill, place: string): string {
  return `- ${name} (${place}/SKILL.md): ${defused(description.replaceAll(/\s+/g, ' '))}`;
}
