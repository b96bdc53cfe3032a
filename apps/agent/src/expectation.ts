// A session that is about to be created, and has something to do as soon as it is. Its object is told before its row is
// written, and looks for that by itself: whatever dies in between, a session that was created begins.
import type { SessionAddress } from '@capstan/session/address';
import type { Facts } from './facts.ts';

/** After so many milliseconds, one after the other; no row is written later than the last. */
const LOOKS_MS = [2_000, 30_000, 300_000] as const;

type KeptFacts = Pick<Facts, 'get' | 'set' | 'clear'>;

interface Expected {
  address: SessionAddress;
  /** Epoch ms, the next one first. */
  looks: number[];
}

export class Expectation {
  #facts: KeptFacts;

  constructor(facts: KeptFacts) {
    this.#facts = facts;
  }

  get address(): SessionAddress | null {
    return this.#read()?.address ?? null;
  }

  /** When to look for it first, epoch ms. */
  begin(address: SessionAddress, now: number): number {
    return this.#keep({ address, looks: LOOKS_MS.map((ms) => now + ms) }) ?? now;
  }

  /** It is not there yet: when to look next, epoch ms; null: it was never created. */
  missed(now: number): number | null {
    const { address, looks } = this.#read() ?? { address: null, looks: [] };
    return address && this.#keep({ address, looks: looks.filter((at) => at > now) });
  }

  /** It is there. */
  met(): void {
    this.#facts.clear('expected');
  }

  #keep(expected: Expected): number | null {
    this.#facts.set('expected', JSON.stringify(expected));
    return expected.looks[0] ?? null;
  }

  #read(): Expected | null {
    const stored = this.#facts.get('expected');
    return stored === null ? null : JSON.parse(stored);
  }
}
