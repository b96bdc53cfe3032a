// A harness that answers with what a recording has, when the replay says so. Nothing of it reaches a network.
import type { SandboxNews } from '@capstan/schema/sandbox-news';
import type {
  Harness,
  ModelCall,
  ModelChoice,
  ModelFailure,
  ModelPart,
  ModelWanted,
  ToolCall,
  ToolOutcome,
} from '../harness.ts';

/** How a model call ends: whole, or with what was told of it before it failed. */
export type Answer =
  | { end: Extract<ModelPart, { type: 'end' }> }
  | { failure: ModelFailure; texts: readonly string[]; told(): Promise<void> };

interface Waiting<T> {
  settle(value: T): void;
}

export class RecordedHarness implements Harness {
  #choose: (model: ModelWanted) => ModelChoice;
  #models = new Map<string, Waiting<Answer>>();
  #tools = new Map<string, Waiting<ToolOutcome>>();
  #news: readonly SandboxNews[] = [];
  #changed: () => void = () => {};

  constructor(choose: (model: ModelWanted) => ModelChoice) {
    this.#choose = choose;
  }

  /** Whether a model call of the thread waits for its answer. */
  asks(threadId: string): boolean {
    return this.#models.has(threadId);
  }

  runs(effectId: string): boolean {
    return this.#tools.has(effectId);
  }

  answer(threadId: string, answer: Answer): void {
    this.#models.get(threadId)?.settle(answer);
    this.#models.delete(threadId);
  }

  finish(effectId: string, outcome: ToolOutcome): void {
    this.#tools.get(effectId)?.settle(outcome);
    this.#tools.delete(effectId);
  }

  async ready(): Promise<void> {}

  settling(): null {
    return null;
  }

  choose(model: ModelWanted): ModelChoice {
    return this.#choose(model);
  }

  async *call({ threadId }: ModelCall, signal: AbortSignal): AsyncGenerator<ModelPart> {
    const waits = new Promise<Answer>((settle) => this.#models.set(threadId, { settle }));
    const answer = await unlessAborted(waits, signal, () => this.#models.delete(threadId));
    if ('end' in answer) return yield answer.end;
    for (const [output, text] of answer.texts.entries()) yield { type: 'text', output, text };
    await answer.told();
    throw answer.failure;
  }

  perform(call: ToolCall, signal: AbortSignal): Promise<ToolOutcome> {
    const waits = new Promise<ToolOutcome>((settle) => this.#tools.set(call.effectId, { settle }));
    return unlessAborted(waits, signal, () => this.#tools.delete(call.effectId));
  }

  recover(call: ToolCall, signal: AbortSignal): Promise<ToolOutcome> {
    return this.perform(call, signal);
  }

  prepare(): void {}

  async cancel(): Promise<void> {}

  holds(): boolean {
    return false;
  }

  async release(): Promise<void> {}

  prewarm(): void {}

  refresh(): void {}

  async expose(): Promise<null> {
    return null;
  }

  work(): Promise<never> {
    return Promise.reject(new Error('A replay has no sandbox to work in.'));
  }

  async place(): Promise<null> {
    return null;
  }

  follow(): void {}

  careAt(): null {
    return null;
  }

  async care(): Promise<void> {}

  news(): readonly SandboxNews[] {
    return this.#news;
  }

  told(newsId: string): void {
    const at = this.#news.findIndex(({ id }) => id === newsId);
    this.#news = this.#news.slice(at + 1);
  }

  watch(changed: () => void): void {
    this.#changed = changed;
  }

  snapshot(): null {
    return null;
  }

  async lend(): Promise<null> {
    return null;
  }

  /** What became of a sandbox. */
  announce(news: SandboxNews): void {
    this.#news = [...this.#news, news];
    this.#changed();
  }
}

function unlessAborted<T>(work: Promise<T>, signal: AbortSignal, forget: () => void): Promise<T> {
  return new Promise((resolve, reject) => {
    const stop = () => {
      forget();
      reject(new Error('stopped'));
    };
    if (signal.aborted) stop();
    signal.addEventListener('abort', stop, { once: true });
    work.then(resolve, reject);
  });
}
