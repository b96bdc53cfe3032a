// The machine alone: no runtime and no turns, and no time but what a test says.
import type { EventParam } from '@capstan/schema/events/user-events';
import { accept } from '../accept.ts';
import type { Entry } from '../entry.ts';
import { evolveAll } from '../evolve.ts';
import { foldOf } from '../fold.ts';
import type { Context } from '../frame.ts';
import { type Command, decide } from '../machine.ts';
import type { IdentifiedOutput } from '../reply.ts';
import { USAGE } from '../scripted-harness.ts';
import type { SessionSpec } from '../spec.ts';
import type { State, ThreadState } from '../state.ts';
import { World } from '../testing.ts';
import { primaryOf } from '../thread.ts';
import type { TurnStep } from '../turn-commands.ts';

/** A model whose calls a test begins. */
export const CHOICE = {
  provider: 'openai' as const,
  model: 'real',
  contextWindow: 9_000,
  maxOutputTokens: 1_000,
  price: null,
};

/** With an agent `scout` that the session's agent may call. */
export function coordinator(): Partial<SessionSpec> {
  const { agent } = new World().spec;
  const { multiagent: _none, ...own } = agent;
  const agents = [{ ...own, id: 'agent_scout', name: 'scout' }];
  return { agent: { ...agent, multiagent: { type: 'coordinator', agents } } };
}

/** What it is told to do, it decides and lives on with. */
export class Machine {
  spec: SessionSpec;
  now = 0;
  state: State;
  #ids = 0;

  constructor(change: Partial<SessionSpec> = {}) {
    this.spec = { ...new World().spec, ...change };
    this.state = foldOf(this.spec).initial;
  }

  get primary(): ThreadState {
    return primaryOf(this.state);
  }

  child(place = 0): ThreadState {
    const child = this.state.threads[place + 1];
    if (child === undefined) throw new Error(`there is no child thread ${place}`);
    return child;
  }

  send(...params: EventParam[]): Entry[] {
    return this.live(accept(params, this.context()).entries);
  }

  do(command: Command): Entry[] {
    return this.live(decide(command, this.context()));
  }

  /** A step of a thread's turn; of the primary one's when none is named. */
  step(step: TurnStep, thread = this.primary): Entry[] {
    return this.do({ ...step, turnId: thread.turnId ?? '' });
  }

  begins(thread = this.primary): Entry[] {
    const estimate = { choice: CHOICE, inputTokens: 100 };
    return this.step({ kind: 'begin_model', purpose: 'reply', estimate }, thread);
  }

  /** Begins a model call, which replies. */
  replies(outputs: IdentifiedOutput[], thread = this.primary, usage = USAGE): Entry[] {
    this.begins(thread);
    return this.step({ kind: 'reply', outputs, usage, refusal: null }, thread);
  }

  context(): Context {
    const newId = () => `sevt_${++this.#ids}`;
    return { state: this.state, spec: this.spec, stamp: { now: this.now, newId } };
  }

  live(entries: Entry[]): Entry[] {
    this.state = evolveAll(this.state, entries);
    return entries;
  }
}

export function typesOf(entries: readonly Entry[]): string[] {
  return entries.map(({ event }) => event.type);
}
