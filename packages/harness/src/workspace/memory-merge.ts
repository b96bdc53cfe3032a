// What has to be done so that a directory and the memory store it shows are the same again: a three-way merge, path by path.
// Pure. `base` is what both had when they were last the same.
//   G1 What only one side has changed, the other side gets.
//   G2 What both have changed the store decides; what the agent had written is kept aside, where it can see it.
//   G3 A memory that is deleted in the store and changed by the agent stays, as the agent has it: nothing else has that text.
import { ancestorsOf } from '@capstan/schema/memory-path';

/** Digests by path. What cannot be a memory has one that no memory has. */
export type Side = ReadonlyMap<string, string>;

export interface Sides {
  base: Side;
  /** The directory. */
  local: Side;
  /** The store. */
  remote: Side;
  /** What the agent does there is not taken over. */
  readOnly: boolean;
}

export type Step =
  /** In the directory; `from` is what is there, null: nothing. */
  | { do: 'pull'; path: string; from: string | null }
  | { do: 'drop'; path: string; from: string }
  | { do: 'aside'; path: string; why: 'conflict' | 'read_only' }
  /** In the store. */
  | { do: 'create'; path: string }
  | { do: 'update'; path: string }
  | { do: 'move'; path: string; from: string }
  | { do: 'delete'; path: string };

export function merge(sides: Sides): Step[] {
  const { base, local, remote } = sides;
  const paths = new Set([...base.keys(), ...local.keys(), ...remote.keys()]);
  const steps = [...paths].toSorted().flatMap((path) => stepsFor(path, sides));
  return ordered(withMoves(withoutOverlaps(steps, sides), sides));
}

function stepsFor(path: string, { base, local, remote, readOnly }: Sides): Step[] {
  const [was, here, there] = [base.get(path), local.get(path), remote.get(path)];
  if (here === there) return [];
  const untouched = here === was;
  if (untouched || here === undefined) {
    if (there === undefined) return here === undefined ? [] : [{ do: 'drop', path, from: here }];
    if (!untouched && there === was && !readOnly) return [{ do: 'delete', path }];
    return [{ do: 'pull', path, from: here ?? null }];
  }
  if (readOnly) return [{ do: 'aside', path, why: 'read_only' }, ...again(path, there)];
  if (there === undefined) return [{ do: 'create', path }];
  if (there === was) return [{ do: 'update', path }];
  return [{ do: 'aside', path, why: 'conflict' }, ...again(path, there)];
}

function again(path: string, there: string | undefined): Step[] {
  return there === undefined ? [] : [{ do: 'pull', path, from: null }];
}

/** A path of the agent's that overlaps one of the store's cannot be a memory: it makes way. */
function withoutOverlaps(steps: Step[], { local, base }: Sides): Step[] {
  const gone = new Set(steps.flatMap((step) => (step.do === 'delete' ? [step.path] : [])));
  const comes = new Set(
    steps.flatMap((step) => (step.do === 'pull' && !gone.has(step.path) ? [step.path] : [])),
  );
  const above = new Set([...comes].flatMap(ancestorsOf));
  return steps.map((step) => {
    if (step.do !== 'create') return step;
    const overlaps = above.has(step.path) || ancestorsOf(step.path).some((path) => comes.has(path));
    const mine = local.get(step.path) !== base.get(step.path);
    return overlaps && mine ? { do: 'aside', path: step.path, why: 'conflict' } : step;
  });
}

/** What is gone from one path and is to be created at another with the same text has moved. */
function withMoves(steps: Step[], { local, remote }: Sides): Step[] {
  const gone = new Map<string, string[]>();
  for (const step of steps) {
    if (step.do !== 'delete') continue;
    const digest = remote.get(step.path) ?? '';
    gone.set(digest, [...(gone.get(digest) ?? []), step.path]);
  }
  const moved = new Set<string>();
  const named = steps.map((step): Step => {
    if (step.do !== 'create') return step;
    const from = gone.get(local.get(step.path) ?? '')?.shift();
    if (from === undefined) return step;
    moved.add(from);
    return { do: 'move', path: step.path, from };
  });
  return named.filter((step) => step.do !== 'delete' || !moved.has(step.path));
}

/** First what makes room. */
const ORDER: readonly Step['do'][] = ['aside', 'drop', 'pull', 'delete', 'move', 'update', 'create'];

function ordered(steps: Step[]): Step[] {
  return steps.toSorted((one, other) => ORDER.indexOf(one.do) - ORDER.indexOf(other.do));
}

/** Without what the store has no room for: `room` memories more, and one for each that it loses. */
export function withinRoom(steps: readonly Step[], room: number): Step[] {
  let left = room + steps.filter((step) => step.do === 'delete').length;
  return steps.filter((step) => step.do !== 'create' || left-- > 0);
}

/** What both have now: the base of the next merge. What differs stays as it was when they last agreed. */
export function agreed({ base, local, remote }: Omit<Sides, 'readOnly'>): Map<string, string> {
  const next = new Map<string, string>();
  for (const path of new Set([...base.keys(), ...local.keys(), ...remote.keys()])) {
    const [here, there] = [local.get(path), remote.get(path)];
    const digest = here === there ? here : base.get(path);
    if (digest !== undefined) next.set(path, digest);
  }
  return next;
}
