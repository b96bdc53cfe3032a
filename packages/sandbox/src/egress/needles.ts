// Needles: many byte strings looked for in one pass, across the borders of chunks (Aho and Corasick's automaton).
// After each byte it knows the longest needle that ends there, and the longest start of a needle that could go on.

export interface Needles {
  /** The state after `byte`; 0 is the first. */
  step(state: number, byte: number): number;
  /** Length of the longest needle that ends in this state; 0 when none does. */
  ending(state: number): number;
  /** How many of the last bytes may be the start of a needle. */
  pending(state: number): number;
}

export function createNeedles(needles: readonly Buffer[]): Needles {
  const { classes, count } = classesOf(needles);
  const trie = new Trie(count);
  for (const needle of needles) trie.add(needle, classes);
  trie.link();
  const [next, ending, depth] = [trie.next, trie.ending, trie.depth].map((list) => Int32Array.from(list));
  return {
    step: (state, byte) => next?.[state * count + (classes[byte] ?? 0)] ?? 0,
    ending: (state) => ending?.[state] ?? 0,
    pending: (state) => depth?.[state] ?? 0,
  };
}

/** Bytes that occur in no needle are all alike, class 0: the table has a column for each of the others. */
function classesOf(needles: readonly Buffer[]): { classes: Uint8Array; count: number } {
  const classes = new Uint16Array(256);
  let count = 1;
  for (const needle of needles) for (const byte of needle) if (classes[byte] === 0) classes[byte] = count++;
  // All 256 bytes in use make 257 classes, one too many for a byte: the last shares class 0 with nothing.
  if (count <= 256) return { classes: Uint8Array.from(classes), count };
  return { classes: Uint8Array.from(classes, (value) => value - 1), count: 256 };
}

class Trie {
  readonly #columns: number;
  readonly next: number[];
  readonly depth = [0];
  readonly ending = [0];

  constructor(columns: number) {
    this.#columns = columns;
    this.next = Array<number>(columns).fill(0);
  }

  add(needle: Buffer, classes: Uint8Array): void {
    let state = 0;
    for (const byte of needle) {
      const slot = state * this.#columns + (classes[byte] ?? 0);
      const known = this.next[slot] ?? 0;
      state = known === 0 ? this.#grow(slot, (this.depth[state] ?? 0) + 1) : known;
    }
    this.ending[state] = this.depth[state] ?? 0;
  }

  /** Completes the table, breadth first: where a needle cannot go on, the longest of its ends that can does. */
  link(): void {
    const fallback = Array<number>(this.depth.length).fill(0);
    const queue = this.#children(0);
    for (const state of queue) {
      const back = fallback[state] ?? 0;
      this.ending[state] = Math.max(this.ending[state] ?? 0, this.ending[back] ?? 0);
      for (let column = 0; column < this.#columns; column++) {
        const slot = state * this.#columns + column;
        const child = this.next[slot] ?? 0;
        const other = this.next[back * this.#columns + column] ?? 0;
        if (child === 0) this.next[slot] = other;
        else {
          fallback[child] = other;
          queue.push(child);
        }
      }
    }
  }

  #children(state: number): number[] {
    const from = state * this.#columns;
    return this.next.slice(from, from + this.#columns).filter((child) => child !== 0);
  }

  #grow(slot: number, depth: number): number {
    const state = this.depth.length;
    this.next[slot] = state;
    for (let column = 0; column < this.#columns; column++) this.next.push(0);
    this.depth.push(depth);
    this.ending.push(0);
    return state;
  }
}
