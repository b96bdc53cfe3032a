// Report: each check printed as it ends, and the count at the end. The first failure of a group ends that group.
export type Check = <T>(name: string, work: () => Promise<T>) => Promise<T>;

export class Report {
  #passed = 0;
  #failed = 0;

  get failed(): number {
    return this.#failed;
  }

  get summary(): string {
    return `${this.#passed} passed, ${this.#failed} failed`;
  }

  /** Runs checks that build on each other; a failure is printed and the rest of the group is left out. */
  async group(name: string, work: (check: Check) => Promise<void>): Promise<void> {
    console.log(name);
    try {
      await work((fact, proof) => this.#check(fact, proof));
    } catch {
      // Printed and counted where it happened.
    }
  }

  async #check<T>(name: string, work: () => Promise<T>): Promise<T> {
    const startedAt = performance.now();
    try {
      const result = await work();
      this.#passed += 1;
      console.log(`  ✓ ${name} (${Math.round(performance.now() - startedAt)} ms)`);
      return result;
    } catch (error) {
      this.#failed += 1;
      console.log(`  ✗ ${name}: ${error instanceof Error ? error.message : error}`);
      throw error;
    }
  }
}

/** Throws an Error with `message` unless `fact` holds. */
export function expect(fact: boolean, message: string): void {
  if (!fact) throw new Error(message);
}
