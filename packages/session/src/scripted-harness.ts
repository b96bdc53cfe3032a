// A harness whose model and tools do what a test says, when it says it. Stands in the world: it outlives runtimes.

import type { SandboxReplacement } from '@capstan/schema/events/sandbox-events';
import type { SandboxNews } from '@capstan/schema/sandbox-news';
import type {
  ContextItem,
  Exposed,
  Harness,
  LentSnapshot,
  ModelCall,
  ModelChoice,
  ModelOutput,
  ModelPart,
  ModelWanted,
  Rest,
  ToolCall,
  ToolOutcome,
} from './harness.ts';

export const USAGE = {
  input_tokens: 10,
  output_tokens: 2,
  cache_creation_input_tokens: 0,
  cache_read_input_tokens: 0,
};

export const PRICE = { input: 3_000, output: 15_000, cacheRead: 300, cacheWrite: 3_750, asOf: '2026-01-01' };

const CHOICE = {
  provider: 'dev' as const,
  contextWindow: 200_000,
  maxOutputTokens: 8_000,
  price: PRICE,
};

/** A sandbox is looked after when its session has rested for this long. */
export const CARE_MS = 20_000;

/** A model call or tool call that waits for the test. */
export class Pending<In, Out> {
  input: In;
  signal: AbortSignal;
  result: Promise<Out>;
  settle: (value: Out) => void = () => {};
  fail: (error: unknown) => void = () => {};
  done = false;

  constructor(input: In, signal: AbortSignal) {
    this.input = input;
    this.signal = signal;
    this.result = new Promise<Out>((resolve, reject) => {
      this.settle = (value) => {
        this.done = true;
        resolve(value);
      };
      this.fail = (error) => {
        this.done = true;
        reject(error);
      };
    });
    this.result.catch(() => undefined);
  }
}

export type Reply = ModelOutput[] | Extract<ModelPart, { type: 'end' }>;

/** Its input is the context. */
export class PendingModel extends Pending<readonly ContextItem[], Reply> {
  call: ModelCall;

  constructor(call: ModelCall, signal: AbortSignal) {
    super(call.context, signal);
    this.call = call;
  }
}

export class ScriptedHarness implements Harness {
  models: PendingModel[] = [];
  tools: Pending<ToolCall, ToolOutcome>[] = [];
  /** Effect ids in the order they were begun, recovered and cancelled. */
  performed: string[] = [];
  recovered: string[] = [];
  cancelled: string[] = [];
  prepared: string[] = [];
  /** A sandbox, so to speak. */
  held = false;
  releaseFails = false;
  /** What was done in it is on no snapshot. */
  changed = false;
  careFails = false;
  /** How often it was looked after. */
  cared = 0;
  warmed = 0;
  rest: Rest = { since: null, upTo: null };
  newest: LentSnapshot | null = null;
  untold: readonly SandboxNews[] = [];
  /** Of the process that looks after it. */
  notify: () => void = () => {};
  cancelFails = false;
  /** What recover finds for an effect; nothing by default. */
  outcomes = new Map<string, ToolOutcome>();
  /** Streamed before each reply, as deltas of output 0. */
  deltas: string[] = [];
  /** What is known of every model, where it is not as usual. */
  choice: Partial<ModelChoice> = {};

  get waitingModels() {
    return this.models.filter((call) => !call.done && !call.signal.aborted);
  }

  get waitingTools() {
    return this.tools.filter((call) => !call.done && !call.signal.aborted);
  }

  async ready(): Promise<void> {}

  settling(): null {
    return null;
  }

  choose({ id }: ModelWanted): ModelChoice {
    return { ...CHOICE, model: id, ...this.choice };
  }

  async *call(call: ModelCall, signal: AbortSignal): AsyncGenerator<ModelPart> {
    const pending = new PendingModel(call, signal);
    this.models.push(pending);
    for (const text of this.deltas) yield { type: 'text', output: 0, text };
    const reply = await pending.result;
    if (!Array.isArray(reply)) return yield reply;
    for (const output of reply)
      if (output.type === 'tool_call') yield { type: 'tool_call', name: output.name };
    yield { type: 'end', outputs: reply, usage: USAGE, refusal: null };
  }

  prepare(toolName: string): void {
    this.prepared.push(toolName);
  }

  perform(call: ToolCall, signal: AbortSignal): Promise<ToolOutcome> {
    this.performed.push(call.effectId);
    this.changed = this.held;
    const pending = new Pending<ToolCall, ToolOutcome>(call, signal);
    this.tools.push(pending);
    return pending.result;
  }

  async recover(call: ToolCall): Promise<ToolOutcome | null> {
    this.recovered.push(call.effectId);
    return this.outcomes.get(call.effectId) ?? null;
  }

  async cancel(call: Pick<ToolCall, 'effectId'>): Promise<void> {
    if (this.cancelFails) throw new Error('the sandboxes are away');
    this.cancelled.push(call.effectId);
  }

  holds(): boolean {
    return this.held;
  }

  async release(): Promise<void> {
    if (this.releaseFails) throw new Error('the sandboxes are away');
    this.held = false;
    this.changed = false;
  }

  refresh(): void {}

  prewarm(): void {
    this.warmed += 1;
  }

  async expose(port: number): Promise<Exposed | null> {
    return this.held ? { url: `http://sandbox.test:${port}`, headers: {} } : null;
  }

  async place(): Promise<string | null> {
    return this.held ? 'sb-scripted' : null;
  }

  work<T>(job: (sandboxId: string) => Promise<T>): Promise<T> {
    this.held = true;
    return job('sb-scripted');
  }

  follow(rest: Rest): void {
    this.rest = rest;
  }

  careAt(): number | null {
    return this.changed && this.rest.since !== null ? this.rest.since + CARE_MS : null;
  }

  async care(): Promise<void> {
    if (this.careFails) throw new Error('the sandboxes are away');
    const snapshotId = `snap_${++this.cared}`;
    const { upTo } = this.rest;
    this.changed = false;
    this.newest = {
      imageId: `im_${snapshotId}`,
      snapshotId,
      takenAt: this.rest.since ?? 0,
      upTo,
      marked: true,
    };
  }

  news(): readonly SandboxNews[] {
    return this.untold;
  }

  told(newsId: string): void {
    const at = this.untold.findIndex(({ id }) => id === newsId);
    this.untold = this.untold.slice(at + 1);
  }

  watch(changed: () => void): void {
    this.notify = changed;
  }

  snapshot(): LentSnapshot | null {
    return this.newest;
  }

  async lend(): Promise<LentSnapshot | null> {
    return this.newest;
  }

  /** Its sandbox is replaced, so to speak. */
  replace(id: string, replacement: SandboxReplacement): void {
    this.untold = [...this.untold, { id, kind: 'replaced', replacement }];
    this.notify();
  }
}

export function say(text: string): ModelOutput {
  return { type: 'message', text };
}

export function use(name: string, input: Record<string, unknown> = {}): ModelOutput {
  return { type: 'tool_call', name, input };
}

export function outcome(text: string): ToolOutcome {
  return { content: [{ type: 'text', text }], isError: false };
}
