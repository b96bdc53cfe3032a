// The runs of one sandbox by the id their client gave them. A client reads a run's output soon or never, so what finished
// runs keep is bounded in number, memory, disk and age; the one that ended first makes room first. One that is running,
// or being read, stays.

export interface KeptRun {
  /** Resolves when it has ended. */
  readonly exited: Promise<unknown>;
  readonly memoryBytes: number;
  readonly diskBytes: number;
  readonly isRead: boolean;
  dispose(): void;
}

/** Memory is the emulator's own heap. On disk there is room for the largest output one run can have. */
export const keptLimits = (outputLimitBytes: number): KeptLimits => ({
  runs: 256,
  memoryBytes: 8 * 1024 * 1024,
  diskBytes: 2 * outputLimitBytes,
  ageMs: 10 * 60_000,
});

export interface KeptLimits {
  runs: number;
  memoryBytes: number;
  diskBytes: number;
  ageMs: number;
}

export class KeptRuns<Run extends KeptRun> {
  readonly #limits: KeptLimits;
  readonly #running = new Map<string, Run>();
  /** In the order they ended. */
  readonly #ended = new Map<string, { run: Run; endedAt: number }>();
  #disposed = false;

  constructor(limits: KeptLimits) {
    this.#limits = limits;
  }

  get isBusy(): boolean {
    return this.#running.size > 0;
  }

  running(): Iterable<Run> {
    return this.#running.values();
  }

  get(id: string): Run | undefined {
    return this.#running.get(id) ?? this.#ended.get(id)?.run;
  }

  /** `id` is one that `get` does not know. */
  add(id: string, run: Run): void {
    this.#running.set(id, run);
    run.exited.then(
      () => this.#end(id, run),
      () => this.#end(id, run),
    );
  }

  /** Lets go of what is too much, or too old at `now`, in ms of `performance.now()`. */
  trim(now = performance.now()): void {
    let runs = this.#ended.size;
    let memoryBytes = 0;
    let diskBytes = 0;
    for (const { run } of this.#ended.values()) {
      memoryBytes += run.memoryBytes;
      diskBytes += run.diskBytes;
    }
    const limits = this.#limits;
    for (const [id, { run, endedAt }] of this.#ended) {
      const tooMuch = runs > limits.runs || memoryBytes > limits.memoryBytes || diskBytes > limits.diskBytes;
      if (!tooMuch && now - endedAt <= limits.ageMs) return;
      if (run.isRead) continue;
      runs -= 1;
      memoryBytes -= run.memoryBytes;
      diskBytes -= run.diskBytes;
      this.#ended.delete(id);
      run.dispose();
    }
  }

  dispose(): void {
    this.#disposed = true;
    for (const run of this.#running.values()) run.dispose();
    for (const { run } of this.#ended.values()) run.dispose();
    this.#ended.clear();
  }

  #end(id: string, run: Run): void {
    this.#running.delete(id);
    if (this.#disposed) return;
    this.#ended.set(id, { run, endedAt: performance.now() });
    this.trim();
  }
}
