// A model's reply as it streams: the readers of the three protocols note what they see here, and the end is made of it.
//   An output's number is given when its first piece is seen and never changes, so that previews name the right event.
//   A reply that never ends is given up: no model says so much, and the process serves others too.

import type { StopDetails } from '@capstan/schema/events/session-events';
import type { ModelUsage } from '@capstan/schema/usage';
import { ModelFailure, type ModelOutput, type ModelPart } from '@capstan/session/harness';
import type { AgentOutputItem } from '@openai/agents-core';
import { toOutput } from './output-items.ts';
import type { ModelRoute } from './route.ts';
import { toUsage } from './usage.ts';
import { text } from './values.ts';

/** Of the words of one reply. */
const MAX_CHARS = 8 * 1024 * 1024;

/** Why a reply ended: `cut` when the stream stopped without saying. */
export type Stop = 'done' | 'limit' | 'refused' | 'cut';

interface Slot {
  output: number;
  kind: 'message' | 'thinking';
  text: string;
}

interface Done {
  items: { key: string; item: AgentOutputItem }[];
  usage: unknown;
}

type Refusal = NonNullable<StopDetails>;

export class Reply {
  #route: ModelRoute;
  #speed: ModelUsage['speed'];
  #slots = new Map<string, Slot>();
  #called = new Set<string>();
  #chars = 0;
  #done: Done | null = null;
  stop: Stop = 'cut';
  refusal: Refusal = { type: 'refusal', category: null, explanation: null };

  /** `speed`: what the provider was asked for. */
  constructor(route: ModelRoute, speed?: ModelUsage['speed']) {
    this.#route = route;
    this.#speed = speed;
  }

  /** Throws ModelFailure when there is more of it than there can be. */
  text(key: string, delta: string): ModelPart {
    this.#chars += delta.length;
    if (this.#chars > MAX_CHARS) throw endless();
    const slot = this.#slot(key, 'message');
    slot.text += delta;
    return { type: 'text', output: slot.output, text: delta };
  }

  thinking(key: string): ModelPart {
    return { type: 'thinking', output: this.#slot(key, 'thinking').output };
  }

  /** A call the model has begun to write: told once. */
  *toolCall(key: string, name: unknown): Generator<ModelPart> {
    if (text(name) === undefined || this.#called.has(key)) return;
    this.#called.add(key);
    yield { type: 'tool_call', name: String(name) };
  }

  done(items: Done['items'], usage: unknown): void {
    this.#done = { items, usage };
  }

  /** The part that ends the call. Throws ModelFailure when the reply is cut or empty. */
  end(): ModelPart {
    if (this.stop === 'cut') throw cut();
    const outputs = this.#outputs();
    const refused = this.stop === 'refused';
    const speed = this.#speed === undefined ? {} : { speed: this.#speed };
    const usage = { ...toUsage(this.#done?.usage), ...speed };
    // What a refused reply meant to call is not performed.
    const kept = refused ? outputs.filter((output) => output.type !== 'tool_call') : outputs;
    if (!refused && !kept.some((output) => output.type !== 'thinking')) throw empty(this.stop, usage);
    return { type: 'end', outputs: kept, usage, refusal: refused ? this.refusal : null };
  }

  #slot(key: string, kind: Slot['kind']): Slot {
    const known = this.#slots.get(key);
    if (known !== undefined) return known;
    const slot = { output: this.#slots.size, kind, text: '' };
    this.#slots.set(key, slot);
    return slot;
  }

  /** Announced outputs at their numbers, the others behind them. */
  #outputs(): ModelOutput[] {
    const announced: ModelOutput[] = [...this.#slots.values()].map((slot) =>
      slot.kind === 'message' ? { type: 'message', text: slot.text } : { type: 'thinking' },
    );
    const others: ModelOutput[] = [];
    for (const { key, item } of this.#done?.items ?? []) {
      const output = toOutput(item, this.#route, this.stop === 'limit');
      if (output === null) continue;
      const slot = this.#slots.get(key);
      if (slot === undefined || slot.kind !== output.type) others.push(output);
      else announced[slot.output] = output;
    }
    return [...announced, ...others];
  }
}

function cut(): ModelFailure {
  return new ModelFailure('model_request_failed_error', 'The model stopped in the middle of its reply.', {
    retryable: true,
  });
}

function endless(): ModelFailure {
  return new ModelFailure(
    'model_request_failed_error',
    `The model's reply went beyond ${MAX_CHARS} characters.`,
    {
      retryable: false,
    },
  );
}

function empty(stop: Stop, usage: ModelUsage): ModelFailure {
  const limit = stop === 'limit';
  const message = limit
    ? 'The model reached its output limit before it said anything. Lower the effort or shorten the conversation.'
    : 'The model gave an empty reply.';
  return new ModelFailure('model_request_failed_error', message, { retryable: !limit, usage });
}
