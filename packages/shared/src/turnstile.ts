// Lets a few through at a time, the others in the order in which they came. Nobody waits longer than is said: somebody who
// came through and died would otherwise hold the others up for good.
export class Turnstile {
  #places: number;
  #longestMs: number;
  #waiting: (() => void)[] = [];

  constructor({ places, longestMs }: { places: number; longestMs: number }) {
    this.#places = places;
    this.#longestMs = longestMs;
  }

  async pass<T>(work: () => Promise<T>): Promise<T> {
    if (this.#places <= 0) await this.#turn();
    this.#places -= 1;
    try {
      return await work();
    } finally {
      this.#places += 1;
      if (this.#places > 0) this.#waiting.shift()?.();
    }
  }

  #turn(): Promise<void> {
    return new Promise((resolve) => {
      const go = () => {
        clearTimeout(late);
        resolve();
      };
      const late = setTimeout(() => {
        this.#waiting = this.#waiting.filter((one) => one !== go);
        resolve();
      }, this.#longestMs);
      this.#waiting.push(go);
    });
  }
}
