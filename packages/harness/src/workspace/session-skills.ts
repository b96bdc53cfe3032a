// The skills of a session: what a host has of them, and where each of them lies in its sandbox.
import { SKILLS } from '@capstan/sandbox/port';

/** Where a worker of the user's own puts them, below the directory that it works in. */
export const WORKER_SKILLS = 'skills';

export interface SessionSkill {
  /** Of the version: agents name it. */
  id: string;
  name: string;
  description: string;
}

/** They are the same for as long as the session lives. */
export interface SessionSkills {
  /** Of all agents of the session, by name. */
  all(): Promise<readonly SessionSkill[]>;
  /** The archive of a version, as the platform writes it. Null: it is gone. */
  open(id: string): Promise<ReadableStream<Uint8Array> | null>;
}

/** The directory of each version. Of several with one name, the first one has it for its own. */
export function placesOf(skills: readonly SessionSkill[], root = SKILLS): Map<string, string> {
  const taken = new Set<string>();
  const places = new Map<string, string>();
  for (const { id, name } of skills) {
    // No name has a dot.
    places.set(id, `${root}/${taken.has(name) ? `${name}.${id}` : name}`);
    taken.add(name);
  }
  return places;
}
