// The beat of a session's streams, by the object's own clock. An object with a running interval is not evicted.
import type { Pulse } from '@capstan/session/ports';

const BEAT_MS = 15_000;

export class IntervalPulse implements Pulse {
  #interval: ReturnType<typeof setInterval> | undefined;

  start(beat: () => void): void {
    this.stop();
    this.#interval = setInterval(beat, BEAT_MS);
  }

  stop(): void {
    clearInterval(this.#interval);
  }

  later(work: () => void): void {
    setTimeout(work, 0);
  }
}
