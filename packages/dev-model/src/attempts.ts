// How often each scripted fault has struck, so that `[[failonce 500]]` fails once and then lets the reply through.
// The only thing the development model remembers; bounded, oldest conversations first to go.
import { type Conversation, conversationKey } from './conversation.ts';
import type { Fault } from './step.ts';

const MAX_REMEMBERED = 10_000;

export class Attempts {
  private readonly struck = new Map<string, number>();

  /** The faults that strike this attempt, counted as having struck. */
  due(conversation: Conversation, faults: Fault[]): Fault[] {
    if (faults.length === 0) return [];
    const key = conversationKey(conversation);
    const due = faults.find(
      (fault, index) => fault.times === null || this.count(`${key}:${index}`) < fault.times,
    );
    if (due === undefined) return [];
    const place = `${key}:${faults.indexOf(due)}`;
    const oldest = this.struck.keys().next();
    if (this.struck.size >= MAX_REMEMBERED && !oldest.done) this.struck.delete(oldest.value);
    this.struck.set(place, this.count(place) + 1);
    return [due];
  }

  forget(): void {
    this.struck.clear();
  }

  private count(place: string): number {
    return this.struck.get(place) ?? 0;
  }
}
