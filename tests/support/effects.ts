// What commands in sandboxes have done, counted where it cannot be forged: each appends its word to a file, which is read
// from this machine's disk, in sandboxes that live and, as they were then, in those that were lost.
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

/** Where a sandbox keeps what it writes: with layers, and where the machine has none. */
const ROOTS = ['upper/root', 'root'];

export class Effects {
  #sandboxes: string;
  #lines = new Map<string, string[]>();

  constructor(stateDir: string) {
    this.#sandboxes = join(stateDir, 'emulator/sandboxes');
  }

  /** A script that leaves the word behind, takes a moment and says so. */
  static script(word: string, seconds: number): string {
    return `echo ${word} >> /workspace/effects; sleep ${seconds}; echo did ${word}`;
  }

  /** Looks at all there are. To be called before any of them is removed. */
  look(): void {
    if (!existsSync(this.#sandboxes)) return;
    for (const sandbox of readdirSync(this.#sandboxes)) {
      const files = ROOTS.map((root) => join(this.#sandboxes, sandbox, root, 'workspace/effects'));
      const file = files.find((each) => existsSync(each));
      if (file !== undefined) this.#lines.set(sandbox, readFileSync(file, 'utf8').split('\n'));
    }
  }

  /** How often it happened, in whichever sandbox. */
  count(word: string): number {
    this.look();
    return [...this.#lines.values()].flat().filter((line) => line === word).length;
  }
}
