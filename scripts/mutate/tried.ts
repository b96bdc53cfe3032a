// What is known of mutants, from one run to the next: a file with a line for each that was tried.
import { appendFileSync, existsSync, readFileSync, writeFileSync } from 'node:fs';
import type { Mutant } from './mutants.ts';
import type { Verdict } from './plan.ts';

interface Row {
  key: string;
  verdict: Verdict;
  by: string;
}

export class Tried {
  #path: string;
  #rows = new Map<string, Row>();

  constructor(path: string) {
    this.#path = path;
    const text = existsSync(path) ? readFileSync(path, 'utf8') : '';
    for (const line of text.split('\n').filter((one) => one !== '')) {
      const row: Row = JSON.parse(line);
      this.#rows.set(row.key, row);
    }
  }

  of({ key }: Mutant): Row | undefined {
    return this.#rows.get(key);
  }

  add({ key }: Mutant, how: Omit<Row, 'key'>): void {
    const row = { key, ...how };
    this.#rows.set(key, row);
    appendFileSync(this.#path, `${JSON.stringify(row)}\n`);
  }

  forget(mutants: readonly Mutant[]): void {
    for (const { key } of mutants) this.#rows.delete(key);
    writeFileSync(this.#path, [...this.#rows.values()].map((row) => `${JSON.stringify(row)}\n`).join(''));
  }
}
