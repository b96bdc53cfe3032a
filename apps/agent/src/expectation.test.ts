import { describe, expect, it } from 'vitest';
import { Expectation } from './expectation.ts';
import type { FactName } from './facts.ts';

const ADDRESS = { tenantId: 'tnt_1', sessionId: 'sesn_1' };

function facts() {
  const kept = new Map<FactName, string>();
  return {
    get: (name: FactName) => kept.get(name) ?? null,
    set: (name: FactName, value: string) => void kept.set(name, value),
    clear: (name: FactName) => void kept.delete(name),
  };
}

describe('a session that is about to be created', () => {
  it('is looked for three times, ever later, and then no more, whichever process looks', () => {
    const kept = facts();
    let at = new Expectation(kept).begin(ADDRESS, 1_000);
    const looked: number[] = [];
    for (let next: number | null = at; next !== null; next = new Expectation(kept).missed(at)) {
      at = next;
      looked.push(at);
      expect(new Expectation(kept).address).toEqual(ADDRESS);
    }
    expect(looked).toEqual([3_000, 31_000, 301_000]);
  });

  it('is expected no more once it is there, and was not before it was announced', () => {
    const kept = facts();
    const expectation = new Expectation(kept);
    expect(expectation.address).toBeNull();
    expect(expectation.missed(0)).toBeNull();
    expectation.begin(ADDRESS, 0);
    expectation.met();
    expect(expectation.address).toBeNull();
  });
});
