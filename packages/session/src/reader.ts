// One reader of a session's events: waits until its feed has something due, and is told when to leave.
import type { Feed } from './feed.ts';
import type { Frame } from './frames.ts';

/** `over`: it was told all there is. `away`: there is more, elsewhere or later. `gone`: it left by itself, or broke. */
export type Ending = 'over' | 'away' | 'gone';

interface ReaderOptions {
  feed: Feed;
  /** Where it starts, when that has to be looked up first. */
  seek?: (() => Promise<number>) | undefined;
  left(reader: Reader): void;
}

export class Reader {
  feed: Feed;
  #seek: (() => Promise<number>) | undefined;
  #left: (reader: Reader) => void;
  #wake: (() => void) | null = null;
  /** Something came while it was looking elsewhere. */
  #stirred = false;
  #finishing = false;
  #ending: Ending | null = null;

  constructor({ feed, seek, left }: ReaderOptions) {
    this.feed = feed;
    this.#seek = seek;
    this.#left = left;
  }

  get ending(): Ending | null {
    return this.#ending;
  }

  /** From then on it knows where it starts. */
  async begin(): Promise<void> {
    if (this.#seek) this.feed.cursor = await this.#seek();
  }

  wake(): void {
    this.#stirred = true;
    this.#wake?.();
    this.#wake = null;
  }

  /** Ends once it was told all there is. */
  finish(): void {
    this.#finishing = true;
    this.wake();
  }

  end(ending: Ending): void {
    if (this.#ending !== null) return;
    this.#ending = ending;
    this.#left(this);
    this.wake();
  }

  /** The frames that are due. None: it has caught up, or has ended. */
  async next(): Promise<Frame[]> {
    while (this.#ending === null) {
      this.#stirred = false;
      const frames = await this.feed.take();
      if (this.#ending !== null) break;
      if (frames.length > 0) return frames;
      if (!this.feed.caughtUp) continue;
      if (!this.#finishing) break;
      this.end('over');
    }
    return [];
  }

  /** Until something happens; at once when something has since `next`. */
  async rest(): Promise<void> {
    if (this.#stirred || this.#ending !== null) return;
    await new Promise<void>((resolve) => {
      this.#wake = resolve;
    });
  }
}
