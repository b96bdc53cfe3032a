// Threads go on by themselves at moments of their own: here each waits until the recording has its next row. What a thread
// is about to do it reads its context for, so that is where it is held. One whose model is about to be asked goes on at
// once: what came in later, that model has not read.

import type { Entry } from '../entry.ts';
import type { Line } from '../line.ts';
import type { Draft, EventLog, Extra, View } from '../ports.ts';
import type { EventQuery } from '../service.ts';

export class GatedLog implements EventLog {
  #log: EventLog;
  #free: (view: View, head: number) => boolean;
  /** Where the log ends, as far as it was written here. */
  #head = 0;
  /** Whose move it is: a thread's as in View, or nobody's. */
  #open: View | null = null;
  #waiting: { view: View; go(): void }[] = [];

  /** `free`: whether a thread is not held at all, while the log ends there. */
  constructor(log: EventLog, free: (view: View, head: number) => boolean) {
    this.#log = log;
    this.#free = free;
  }

  /** From now on that thread may go on, and no other. */
  open(view: View | null): void {
    this.#open = view;
    const going = this.#waiting.filter((held) => this.#may(held.view));
    this.#waiting = this.#waiting.filter((held) => !going.includes(held));
    for (const { go } of going) go();
  }

  async lines(after: number, limit: number, view?: View): Promise<Line[]> {
    if (view !== undefined && !this.#may(view)) {
      await new Promise<void>((go) => this.#waiting.push({ view, go }));
    }
    return this.#log.lines(after, limit, view);
  }

  #may(view: View): boolean {
    return this.#free(view, this.#head) || (this.#open !== null && nameOf(this.#open) === nameOf(view));
  }

  /** Each move is one append: what comes after it has a row of its own. */
  append(expected: number, entries: readonly Entry[], extra?: Extra) {
    this.#open = null;
    this.#head = expected + entries.length;
    return this.#log.append(expected, entries, extra);
  }

  answered(name: string, now: number) {
    return this.#log.answered(name, now);
  }

  page(query: EventQuery & { thread?: string }) {
    return this.#log.page(query);
  }

  snapshot() {
    return this.#log.snapshot();
  }

  draft(piece: Draft) {
    return this.#log.draft(piece);
  }

  drafts() {
    return this.#log.drafts();
  }

  position(eventId: string) {
    return this.#log.position(eventId);
  }
}

function nameOf(view: View): string {
  return view === 'session' ? '' : view.thread;
}
