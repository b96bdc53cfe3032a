// The events of one session as this page knows them.
// L1 Each id is there once; a later copy replaces an earlier one, so a queued message becomes the processed one.
// L2 Order is the log's: earlier pages go before, live events after, and a message moves to where the agent took it.
// L3 A preview lives until its event or the end of its model request; it is never mistaken for the event.
import type { SessionEvent, StreamEvent } from '@capstan/schema/events';

export interface Preview {
  id: string;
  type: 'agent.message' | 'agent.thinking';
  text: string;
}

export interface Snapshot {
  events: readonly SessionEvent[];
  previews: readonly Preview[];
}

const ENDS_PREVIEWS: ReadonlySet<string> = new Set([
  'span.model_request_end',
  'session.status_idle',
  'session.status_rescheduled',
  'session.status_terminated',
]);

export class SessionLog {
  #events = new Map<string, SessionEvent>();
  #previews = new Map<string, Preview>();
  #snapshot: Snapshot = { events: [], previews: [] };
  #stale = false;

  has(id: string): boolean {
    return this.#events.has(id);
  }

  /** Takes one frame of the stream. */
  take(frame: StreamEvent): void {
    this.#stale = true;
    if (frame.type === 'event_start') {
      if (this.has(frame.event.id)) return;
      this.#previews.set(frame.event.id, { id: frame.event.id, type: frame.event.type, text: '' });
    } else if (frame.type === 'event_delta') {
      const preview = this.#previews.get(frame.event_id);
      if (preview === undefined) return;
      const text = preview.text + frame.delta.content.text;
      this.#previews.set(preview.id, { ...preview, text });
    } else this.#add(frame);
  }

  /** Puts a page of older events, oldest first, before what is known. */
  prepend(page: readonly SessionEvent[]): void {
    this.#stale = true;
    const known = this.#events;
    this.#events = new Map(page.filter((event) => !known.has(event.id)).map((event) => [event.id, event]));
    for (const [id, event] of known) this.#events.set(id, event);
  }

  /** A new connection previews nothing that began before it. */
  dropPreviews(): void {
    this.#stale = true;
    this.#previews.clear();
  }

  /** The same object until something changes. */
  snapshot(): Snapshot {
    if (this.#stale) {
      this.#snapshot = { events: [...this.#events.values()], previews: [...this.#previews.values()] };
      this.#stale = false;
    }
    return this.#snapshot;
  }

  #add(event: SessionEvent): void {
    const earlier = this.#events.get(event.id);
    // A reply to a send may arrive after the stream already showed the event as processed.
    if (earlier?.processed_at != null && event.processed_at === null) return;
    if (earlier?.processed_at === null && event.processed_at !== null) this.#events.delete(event.id);
    this.#events.set(event.id, event);
    this.#previews.delete(event.id);
    if (ENDS_PREVIEWS.has(event.type)) this.#previews.clear();
  }
}
