import type { EventParam } from '@capstan/schema/events/user-events';
import { describe, expect, it } from 'vitest';
import { accept } from './accept.ts';
import type { Entry } from './entry.ts';
import { evolveAll } from './evolve.ts';
import { foldOf } from './fold.ts';
import type { Context } from './frame.ts';
import { type Command, decide } from './machine.ts';
import { USAGE } from './scripted-harness.ts';
import type { SessionSpec } from './spec.ts';
import type { ThreadState } from './state.ts';
import { World } from './testing.ts';
import type { TurnStep } from './turn-commands.ts';

/** The machine alone: what it is told to do, it decides and lives on with. */
class Machine {
  spec: SessionSpec;
  now = 0;
  #state: Context['state'];
  #ids = 0;

  constructor(change: Partial<SessionSpec> = {}) {
    this.spec = { ...new World().spec, ...change };
    this.#state = foldOf(this.spec).initial;
  }

  get thread(): ThreadState {
    const [primary] = this.#state.threads;
    if (primary === undefined) throw new Error('there is a primary thread');
    return primary;
  }

  send(...params: EventParam[]): Entry[] {
    return this.#live(accept(params, this.#context()).entries);
  }

  do(command: Command): Entry[] {
    return this.#live(decide(command, this.#context()));
  }

  step(step: TurnStep): Entry[] {
    return this.do({ ...step, turnId: this.thread.turnId ?? '' });
  }

  #context(): Context {
    const newId = () => `sevt_${++this.#ids}`;
    return { state: this.#state, spec: this.spec, stamp: { now: this.now, newId } };
  }

  #live(entries: Entry[]): Entry[] {
    this.#state = evolveAll(this.#state, entries);
    return entries;
  }
}

const hello: EventParam = { type: 'user.message', content: [{ type: 'text', text: 'hello' }] };
const choice = {
  provider: 'openai' as const,
  model: 'real',
  contextWindow: 9_000,
  maxOutputTokens: 1_000,
  price: null,
};
const begin = { kind: 'begin_model' as const, estimate: { choice, inputTokens: 100 } };
const types = (entries: readonly Entry[]) => entries.map(({ event }) => event.type);

function running(change: Partial<SessionSpec> = {}): Machine {
  const machine = new Machine(change);
  machine.send(hello);
  return machine;
}

describe('beginning a model call', () => {
  it('names who answers, and so does the bill', () => {
    const machine = running();
    const [start] = machine.step({ ...begin, purpose: 'reply' });
    expect(start?.event).toMatchObject({ capstan: { provider: 'openai', model: 'real' } });
    const entries = machine.step({
      kind: 'reply',
      outputs: [{ type: 'message', id: 'sevt_m', text: 'hi' }],
      usage: USAGE,
      refusal: null,
    });
    const bill = { kind: 'model', provider: 'openai', model: 'real', usage: USAGE, nanoUsd: null };
    expect(entries[1]).toMatchObject({ event: { type: 'span.model_request_end' }, note: { bill } });
  });

  it('that has begun already begins nothing', () => {
    const machine = running();
    machine.step({ ...begin, purpose: 'reply' });
    expect(machine.step({ ...begin, purpose: 'reply' })).toEqual([]);
    expect(machine.step({ ...begin, purpose: 'compaction' })).toEqual([]);
  });

  it('takes what waits, in the order it came', () => {
    const machine = running();
    machine.step({ ...begin, purpose: 'reply' });
    machine.send(hello);
    machine.step({
      kind: 'reply',
      outputs: [{ type: 'tool_call', id: 'sevt_c', name: 'bash', input: {} }],
      usage: USAGE,
      refusal: null,
    });
    const outcome = { content: [], isError: false };
    expect(machine.step({ kind: 'tool_result', callId: 'sevt_other', outcome })).toEqual([]);
    expect(types(machine.step({ kind: 'tool_result', callId: 'sevt_c', outcome }))).toEqual([
      'agent.tool_result',
    ]);
    expect(machine.thread.queue).toHaveLength(1);
    // A compaction reads what was there, and leaves the rest to the reply.
    expect(types(machine.step({ ...begin, purpose: 'compaction' }))).toEqual(['span.model_request_start']);
    expect(machine.thread.queue).toHaveLength(1);
    const carried = { rules: [], outcome: null };
    machine.step({ kind: 'compacted', summary: 'so far', carried, upTo: 3, usage: USAGE });
    expect(types(machine.step({ ...begin, purpose: 'reply' }))).toEqual([
      'user.message',
      'span.model_request_start',
    ]);
  });

  it('for which there is no room pauses, and takes nothing', () => {
    const budget = { type: 'limit' as const, max_model_calls: 1 };
    const machine = running({ budget });
    machine.step({ ...begin, purpose: 'reply' });
    machine.send(hello);
    machine.step({
      kind: 'reply',
      outputs: [{ type: 'tool_call', id: 'sevt_c', name: 'bash', input: {} }],
      usage: USAGE,
      refusal: null,
    });
    machine.step({ kind: 'tool_result', callId: 'sevt_c', outcome: { content: [], isError: false } });
    expect(types(machine.step({ ...begin, purpose: 'reply' }))).toEqual([
      'session.thread_status_idle',
      'session.usage',
      'session.status_idle',
    ]);
    expect(machine.thread.queue).toHaveLength(1);
  });
});
