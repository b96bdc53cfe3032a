// Whether two logs say the same: ids may differ, if they differ everywhere alike, and so may times.
import { ID_PREFIXES } from '@capstan/schema/ids';
import type { Entry } from '../entry.ts';

const KINDS = [
  ID_PREFIXES.event,
  ID_PREFIXES.thread,
  ID_PREFIXES.outcome,
  ID_PREFIXES.workflowRun,
  ID_PREFIXES.workflowRunPhase,
];
const ID = new RegExp(`\\b(${KINDS.join('|')})_[0-9A-Za-z]+`, 'g');

type Side = 'recorded' | 'replayed';

export class Likeness {
  #names = { recorded: new Map<string, string>(), replayed: new Map<string, string>() };
  #ids = { recorded: new Map<string, string>(), replayed: new Map<string, string>() };
  /** What an estimated call took depends on how long it was under way. */
  #estimated = false;
  /** Since the beginning of a trial. */
  #added: (() => void)[] | null = null;

  /** The rows as far as they can be compared, or null when they say the same. */
  difference(recorded: Entry, replayed: Entry): { recorded: string; replayed: string } | null {
    if (recorded.note?.bill?.estimated) this.#estimated = true;
    const [one, other] = [this.#plain('recorded', recorded), this.#plain('replayed', replayed)];
    return one === other ? null : { recorded: one, replayed: other };
  }

  /** Whether what might be appended says the same as the rows there are, from the first on. Leaves nothing behind. */
  begins(recorded: readonly Entry[], might: readonly Entry[]): boolean {
    this.#added = [];
    const alike = might.every((entry, index) => {
      const row = recorded[index];
      return row !== undefined && this.difference(without(row, entry), entry) === null;
    });
    for (const undo of this.#added) undo();
    this.#added = null;
    return alike;
  }

  /** The id that stands in the replayed log for one of the recorded. */
  replayedId(recorded: string): string {
    const name = this.#names.recorded.get(recorded);
    return (name === undefined ? undefined : this.#ids.replayed.get(name)) ?? recorded;
  }

  /** Undefined: it has not been compared yet. */
  recordedId(replayed: string): string | undefined {
    const name = this.#names.replayed.get(replayed);
    return name === undefined ? undefined : this.#ids.recorded.get(name);
  }

  /** What was said there, as it is said here: with the ids of here. */
  translated<T>(value: T): T {
    return JSON.parse(JSON.stringify(value).replace(ID, (id) => this.replayedId(id)));
  }

  #plain(side: Side, entry: Entry): string {
    return JSON.stringify(this.#value(side, timeless(entry, this.#estimated)));
  }

  /** Members in order of their names, as a row that went through a blob has them in another. */
  #value(side: Side, value: unknown): unknown {
    if (typeof value === 'string') return value.replace(ID, (id, kind) => this.#name(side, id, kind));
    if (Array.isArray(value)) return value.map((member) => this.#value(side, member));
    if (typeof value !== 'object' || value === null) return value;
    const members = Object.entries(value).filter(([, member]) => member !== undefined);
    members.sort(([one], [other]) => (one < other ? -1 : 1));
    return Object.fromEntries(members.map(([key, member]) => [key, this.#value(side, member)]));
  }

  /** The n-th id of its kind has the same name in both. */
  #name(side: Side, id: string, kind: string): string {
    const names = this.#names[side];
    const known = names.get(id);
    if (known !== undefined) return known;
    const name = `${kind}#${names.size + 1}`;
    names.set(id, name);
    this.#added?.push(() => names.delete(id));
    const ids = this.#ids[side];
    ids.set(name, id);
    this.#added?.push(() => ids.delete(name));
    return name;
  }
}

/** The row without what stands in blobs of the other: that is input taken again, and was compared when it came. */
function without(row: Entry, { event, note }: Entry): Entry {
  const places = (note?.spill ?? []).map(({ field }) => field);
  const taken = Object.entries(event).filter(([field]) => places.some((place) => place === field));
  return { ...row, event: Object.assign({ ...row.event }, Object.fromEntries(taken)) };
}

const SOME_TIME = 'some time';

/** Without instants, what is worked out from them, and what only says where the engine keeps something. */
function timeless({ event, note = {} }: Entry, estimated: boolean): unknown {
  const { spill: _place, approved, retry, badMedia, span, bill, ...rest } = note;
  // What a grader looks up is on no log, so neither is how long its conversation is; nor is a reply that its process died with
  // while it was judged.
  const unlogged = event.type === 'span.outcome_evaluation_ongoing' || span?.judges !== undefined;
  const reserved = unlogged ? {} : { reserved: span?.reserved };
  ID.lastIndex = 0;
  return {
    event: {
      ...event,
      processed_at: event.processed_at === null ? null : SOME_TIME,
      // Of an input that has ids in it, which differ.
      ...('capstan' in event && 'input' in event && ID.test(JSON.stringify(event.input))
        ? { capstan: null }
        : {}),
      ...(event.type === 'session.usage'
        ? { usage: estimated ? null : { ...event.usage, active_seconds: SOME_TIME } }
        : {}),
    },
    note: {
      ...rest,
      ...(approved ? { approved: 'the hash of its call' } : {}),
      ...(retry ? { retry: { ...retry, at: SOME_TIME } } : {}),
      ...(bill ? { bill: bill.estimated ? { ...bill, usage: null, nanoUsd: null } : bill } : {}),
      ...(badMedia ? { badMedia: SOME_TIME } : {}),
      ...(span
        ? { span: { price: span.price, limits: span.limits, judges: span.judges?.calls, ...reserved } }
        : {}),
    },
  };
}
