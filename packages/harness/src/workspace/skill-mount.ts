// The skills of a session in its sandbox: all of them in one archive, unpacked by one call, before the first tool call there.
//   K1 A skill is in its place whole or not at all; mounting again puts it there as it was.
//   K2 Another sandbox gets all of them, also one that was brought back from a snapshot: what was changed in one is gone.
//   K3 A skill that cannot be mounted is told once, by name, and fails no tool call.
import { isSandboxError } from '@capstan/sandbox/error';
import { MAX_CHUNK_BYTES, type Sandboxes, SKILLS } from '@capstan/sandbox/port';
import { chunksOf, inPieces } from '@capstan/shared/chunks';
import type { Logger } from '@capstan/shared/logger';
import { putPiece, runScript } from './file-mount.ts';
import { MENDABLE } from './mounts.ts';
import type { WorkspaceRecord } from './session-files.ts';
import { placesOf, type SessionSkill, type SessionSkills } from './session-skills.ts';
import { DamagedArchive, storedEntries } from './stored-zip.ts';
import { tarEnd, tarFile } from './tar-stream.ts';

export interface SkillMountDeps {
  sandboxes: () => Sandboxes;
  /** Absent: the session has none. */
  skills?: SessionSkills;
  record: WorkspaceRecord;
  logger: Logger;
}

const STAGE = `${SKILLS}/.new`;
const PART = `${SKILLS}/.part`;
/** Unpacks beside their places, then puts each in its own. */
const UNPACK = `set -e; umask 022; rm -rf -- "$2"; mkdir -p -- "$2"; tar -xof "$3" -C "$2"; d=$1 s=$2 part=$3; shift 3
for name; do rm -rf -- "$d/$name"; mv -fT -- "$s/$name" "$d/$name"; done; rm -rf -- "$s"; [[ $part == - ]] || rm -f -- "$part"`;
const READABLE = 0o444;
const RUNNABLE = 0o555;

export class SkillMounts {
  #deps: SkillMountDeps;
  /** The sandbox that has them; undefined: not looked up yet. */
  #here: string | null | undefined;
  #working: Promise<void> | null = null;
  #notes: string[] = [];

  constructor(deps: SkillMountDeps) {
    this.#deps = deps;
  }

  /** Resolves when every skill that can be mounted is. Rejects only when the sandbox itself fails, with SandboxError. */
  ready(sandboxId: string): Promise<void> {
    this.#here ??= this.#deps.record.load('skills');
    if (this.#here === sandboxId || this.#deps.skills === undefined) return Promise.resolve();
    this.#working ??= this.#mount(sandboxId, this.#deps.skills).finally(() => {
      this.#working = null;
    });
    return this.#working;
  }

  /** What the model has to be told, once. */
  takeNotes(): string[] {
    return this.#notes.splice(0);
  }

  async #mount(sandboxId: string, skills: SessionSkills): Promise<void> {
    const all = await skills.all().catch((error: unknown) => {
      this.#deps.logger.error('skills.unknown', {}, error);
      this.#notes.push('Note: the skills of this session could not be looked up; they may be missing.');
      return null;
    });
    if (all === null) return;
    await this.#putAll(sandboxId, skills, all);
    this.#here = sandboxId;
    this.#deps.record.save('skills', sandboxId);
  }

  /** One whose archive is broken is left out, and the others are sent again. */
  async #putAll(sandboxId: string, skills: SessionSkills, all: readonly SessionSkill[]): Promise<void> {
    const places = placesOf(all);
    const target = { sandboxes: this.#deps.sandboxes(), sandboxId, path: SKILLS };
    for (let left = all; left.length > 0; ) {
      const names = left.map(({ id }) => (places.get(id) ?? '').slice(SKILLS.length + 1));
      try {
        return await put(target, { packed: pack(left, names, skills), names });
      } catch (error) {
        if (error instanceof BrokenSkill) {
          this.#fail([error.skill], error.message, error);
          left = left.filter((skill) => skill !== error.skill);
        } else if (isSandboxError(error) && MENDABLE.has(error.code)) {
          return this.#fail(left, error.message, error);
        } else throw error;
      }
    }
  }

  #fail(skills: readonly SessionSkill[], why: string, error: unknown): void {
    const names = skills.map(({ name }) => name).join(', ');
    this.#deps.logger.error('skills.not_mounted', { count: skills.length }, error);
    this.#notes.push(`Note: The skills ${names} could not be mounted at ${SKILLS}: ${why}.`);
  }
}

class BrokenSkill extends Error {
  override name = 'BrokenSkill';
  skill: SessionSkill;

  constructor(skill: SessionSkill, cause: unknown) {
    super(cause instanceof DamagedArchive ? cause.message : 'its content cannot be read', { cause });
    this.skill = skill;
  }
}

async function* pack(
  skills: readonly SessionSkill[],
  names: readonly string[],
  from: SessionSkills,
): AsyncGenerator<Uint8Array> {
  for (const [index, skill] of skills.entries()) {
    try {
      yield* tarOf(await from.open(skill.id), names[index] ?? skill.name);
    } catch (error) {
      throw new BrokenSkill(skill, error);
    }
  }
  yield tarEnd();
}

async function* tarOf(archive: ReadableStream<Uint8Array> | null, name: string): AsyncGenerator<Uint8Array> {
  if (archive === null) throw new DamagedArchive('its content is gone');
  for await (const { path, begin, ...entry } of storedEntries(chunksOf(archive))) {
    const place = `${name}${path.slice(path.indexOf('/'))}`;
    yield* tarFile({ ...entry, path: place, mode: modeOf(begin), begin });
  }
}

/** What begins as programs do can be run. */
function modeOf([a, b, c, d]: Uint8Array): number {
  const runs = (a === 0x23 && b === 0x21) || (a === 0x7f && b === 0x45 && c === 0x4c && d === 0x46);
  return runs ? RUNNABLE : READABLE;
}

/** One call when it fits into one, as most do. */
async function put(
  target: { sandboxes: Sandboxes; sandboxId: string; path: string },
  { packed, names }: { packed: AsyncIterable<Uint8Array>; names: readonly string[] },
): Promise<void> {
  let offset = 0;
  let waiting: Uint8Array | null = null;
  for await (const piece of inPieces(packed, MAX_CHUNK_BYTES)) {
    if (waiting !== null) {
      await putPiece(target, { path: PART, offset, piece: waiting });
      offset += waiting.length;
    }
    waiting = piece;
  }
  const last = waiting ?? new Uint8Array();
  const unpack = (from: string) => ({ script: UNPACK, args: [SKILLS, STAGE, from, ...names] });
  if (offset === 0) return runScript(target, { ...unpack('-'), stdin: last });
  await putPiece(target, { path: PART, offset, piece: last });
  await runScript(target, unpack(PART));
}
