// A message under way, as far as readers may be told: each reads on at its own pace, and one that comes late starts at the
// beginning.
import type { Previewable } from '@capstan/schema/events/previews';
import { Frame } from './frames.ts';

export interface Announcement {
  id: string;
  type: Previewable;
  /** The child thread whose message it is; null for the primary thread. */
  thread: string | null;
}

export class Underway {
  id: string;
  type: Previewable;
  thread: string | null;
  /** The last position of the log when it began: it is told after that event. */
  at: number;
  start: Frame;
  #pieces: string[] = [];
  /** What readers in step with each other ask for. */
  #latest: { from: number; frame: Frame } | null = null;

  constructor({ id, type, thread }: Announcement, at: number) {
    this.id = id;
    this.type = type;
    this.thread = thread;
    this.at = at;
    this.start = Frame.preview({ type: 'event_start', event: { type, id } });
  }

  get pieces(): number {
    return this.#pieces.length;
  }

  grow(text: string): void {
    this.#pieces.push(text);
    this.#latest = null;
  }

  /** All text after the first `from` pieces, as one delta. */
  since(from: number): Frame {
    if (this.#latest?.from !== from) {
      const text = this.#pieces.slice(from).join('');
      const delta = { type: 'content_delta' as const, index: 0, content: { type: 'text' as const, text } };
      this.#latest = { from, frame: Frame.preview({ type: 'event_delta', event_id: this.id, delta }) };
    }
    return this.#latest.frame;
  }
}
