// The previews of one model call: what its readers are told of events that do not exist yet.
import type { Previewable } from '@capstan/schema/events/previews';
import type { Desk } from './turn.ts';

/** Announces an event before it exists: its id is made with its first delta. */
export class Previews {
  #desk: Desk;
  #ids = new Map<number, string>();
  /** Outputs whose start was announced: a message nobody asked to see from its start is shown when it is whole. */
  #shown = new Set<number>();
  #seen = new Set<number>();

  constructor(desk: Desk) {
    this.#desk = desk;
  }

  idOf(output: number): string {
    const known = this.#ids.get(output);
    if (known !== undefined) return known;
    const id = this.#desk.newEventId();
    this.#ids.set(output, id);
    return id;
  }

  start(output: number, type: Previewable): void {
    if (this.#seen.has(output)) return;
    this.#seen.add(output);
    if (!this.#desk.hub.wantsPreviews(type)) return;
    this.#shown.add(output);
    this.#desk.hub.preview({ type: 'event_start', event: { type, id: this.idOf(output) } });
  }

  text(output: number, text: string): void {
    this.start(output, 'agent.message');
    if (!this.#shown.has(output) || text === '') return;
    this.#desk.hub.preview({
      type: 'event_delta',
      event_id: this.idOf(output),
      delta: { type: 'content_delta', index: 0, content: { type: 'text', text } },
    });
  }
}
