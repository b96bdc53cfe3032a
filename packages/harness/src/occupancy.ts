// Who is in a session's sandbox: calls under way in it, and whoever waits for one to make a call in.

export class Occupancy {
  #clock: { now(): number };
  #users = 0;
  #usedAt = Number.NEGATIVE_INFINITY;
  #calls = 0;
  #waiting: (() => void)[] = [];

  constructor(clock: { now(): number }) {
    this.#clock = clock;
  }

  /** Calls, and who waits for a sandbox to make one in. */
  get users(): number {
    return this.#users;
  }

  /** When the last of them had done, epoch ms. */
  get usedAt(): number {
    return this.#usedAt;
  }

  /** Calls under way in it. */
  get calls(): number {
    return this.#calls;
  }

  async stay<T>(work: () => Promise<T>): Promise<T> {
    this.#users += 1;
    try {
      return await work();
    } finally {
      this.#users -= 1;
      if (this.#users === 0) this.#usedAt = this.#clock.now();
    }
  }

  async call<T>(work: () => Promise<T>): Promise<T> {
    this.#calls += 1;
    try {
      return await work();
    } finally {
      this.#calls -= 1;
      if (this.#calls === 0) for (const leave of this.#waiting.splice(0)) leave();
    }
  }

  /** Resolves once no call is under way. */
  async vacant(): Promise<void> {
    while (this.#calls > 0) await new Promise<void>((resolve) => this.#waiting.push(resolve));
  }
}
