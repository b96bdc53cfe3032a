// The orders given to one attendant, as the SDK streams them into it: a stream that breaks goes on from the byte it had come to.
export class Orders {
  readonly #given: Uint8Array[] = [];
  #sizeBytes = 0;
  #ended = false;
  readonly #waiting = new Set<() => void>();

  /** Of all of them: they are kept until the last is given. */
  get sizeBytes(): number {
    return this.#sizeBytes;
  }

  add(order: Uint8Array): void {
    this.#given.push(order);
    this.#sizeBytes += order.length;
    this.#wake();
  }

  end(): void {
    this.#ended = true;
    this.#wake();
  }

  /** What was and will be given, from `offset` on. */
  async *readFrom(offset: number): AsyncGenerator<Uint8Array, void> {
    let skipped = offset;
    for (let index = 0; ; index++) {
      while (index === this.#given.length && !this.#ended)
        await new Promise<void>((resolve) => this.#waiting.add(resolve));
      const order = this.#given[index];
      if (order === undefined) return;
      if (skipped < order.length) yield order.subarray(skipped);
      skipped = Math.max(0, skipped - order.length);
    }
  }

  #wake(): void {
    for (const resume of this.#waiting) resume();
    this.#waiting.clear();
  }
}
