// Models and tools that answer when the replay says so, with what was recorded.
import type { ModelCall, ModelChoice, ModelPart } from '../../packages/session/src/harness.ts';
import { ScriptedHarness } from '../../packages/session/src/scripted-harness.ts';

type Word = ModelPart | { type: 'fail'; error: Error };

/** A model call that waits to be told what it says. */
export class RecordedCall {
  call: ModelCall;
  signal: AbortSignal;
  over = false;
  #words: Word[] = [];
  #wake: () => void = () => {};

  constructor(call: ModelCall, signal: AbortSignal) {
    this.call = call;
    this.signal = signal;
    signal.addEventListener('abort', () => this.#wake(), { once: true });
  }

  tell(...words: Word[]): void {
    this.#words.push(...words);
    this.#wake();
  }

  async *parts(): AsyncGenerator<ModelPart> {
    while (!this.signal.aborted) {
      const word = this.#words.shift();
      if (word === undefined) {
        await new Promise<void>((resolve) => {
          this.#wake = resolve;
        });
        continue;
      }
      if (word.type === 'fail') throw word.error;
      yield word;
    }
  }
}

export class RecordedHarness extends ScriptedHarness {
  calls: RecordedCall[] = [];
  /** What is known of each model, by its id. */
  choices = new Map<string, Partial<ModelChoice>>();

  override choose(modelId: string): ModelChoice {
    // A recording says when a context was compacted: its size is not measured again.
    const boundless = { contextWindow: 1e12, maxOutputTokens: 1e6 };
    return { ...super.choose(modelId), ...boundless, ...this.choices.get(modelId), ...this.choice };
  }

  override async *call(call: ModelCall, signal: AbortSignal): AsyncGenerator<ModelPart> {
    const recorded = new RecordedCall(call, signal);
    this.calls.push(recorded);
    try {
      yield* recorded.parts();
    } finally {
      recorded.over = true;
    }
  }

  /** The call that a thread's turn waits for. */
  waitingCall(threadId: string): RecordedCall | undefined {
    return this.calls.findLast(({ call, signal, over }) => {
      return call.threadId === threadId && !signal.aborted && !over;
    });
  }
}
