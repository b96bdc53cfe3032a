// What tests of a session's turns have in common: a runtime in a world, and the calls it waits for.
import type { Budget } from '@capstan/schema/budgets';
import type { SessionEvent } from '@capstan/schema/events';
import type { EventParam } from '@capstan/schema/events/user-events';
import type { ModelUsage } from '@capstan/schema/usage';
import type { SessionRuntime } from '../runtime.ts';
import type { PendingModel, Reply } from '../scripted-harness.ts';
import { until, World } from '../testing.ts';

export class Stage {
  world: World;
  runtime: SessionRuntime;

  constructor(world: World, runtime: SessionRuntime) {
    this.world = world;
    this.runtime = runtime;
  }

  static async open(budget: Budget | null = null): Promise<Stage> {
    const world = new World();
    world.spec = { ...world.spec, budget };
    return new Stage(world, await world.open());
  }

  /** A new process; calls of the old one are answered no more. */
  async restart(): Promise<void> {
    for (const call of this.world.harness.models) call.done = true;
    for (const call of this.world.harness.tools) call.done = true;
    this.runtime = await this.world.open();
  }

  /** Has the process die, and goes to the moment its turn is taken up again. */
  async recover(): Promise<void> {
    await this.restart();
    while (this.status === 'rescheduling') await this.world.ring(this.runtime);
  }

  send(...events: EventParam[]) {
    return this.runtime.send(events);
  }

  get status(): string {
    return this.runtime.view.status;
  }

  async model(): Promise<PendingModel> {
    await until(() => this.world.harness.waitingModels.length > 0);
    const [call] = this.world.harness.waitingModels;
    if (call === undefined) throw new Error('no model call');
    return call;
  }

  async replies(reply: Reply): Promise<void> {
    (await this.model()).settle(reply);
  }

  async tool() {
    await until(() => this.world.harness.waitingTools.length > 0);
    const [call] = this.world.harness.waitingTools;
    if (call === undefined) throw new Error('no tool call');
    return call;
  }

  async rests(): Promise<void> {
    await until(() => this.status === 'idle');
  }

  events(): Promise<SessionEvent[]> {
    return this.world.events();
  }

  async of<T extends SessionEvent['type']>(type: T): Promise<Extract<SessionEvent, { type: T }>[]> {
    return (await this.events()).filter((event) => event.type === type) as Extract<
      SessionEvent,
      { type: T }
    >[];
  }

  /** How the session came to rest, each time. */
  async stops(): Promise<string[]> {
    return (await this.of('session.status_idle')).map(({ stop_reason }) => stop_reason.type);
  }

  /** The types of the events after the one of that id. */
  async typesAfter(id: string | undefined): Promise<string[]> {
    const events = await this.events();
    return events.slice(events.findIndex((event) => event.id === id) + 1).map(({ type }) => type);
  }

  async lastId(): Promise<string | undefined> {
    return (await this.events()).at(-1)?.id;
  }
}

export const hello: EventParam = { type: 'user.message', content: [{ type: 'text', text: 'hello' }] };
export const interrupt: EventParam = { type: 'user.interrupt' };

export function limit(limits: Omit<Budget, 'type'>): Budget {
  return { type: 'limit', ...limits };
}

export function cents(amount: number) {
  return { max_list_cost: { amount: String(amount), currency: 'USD' as const } };
}

/** A reply that took so many tokens. */
export function took(
  outputs: Extract<Reply, { type: 'end' }>['outputs'],
  usage: Partial<ModelUsage>,
): Extract<Reply, { type: 'end' }> {
  const none = {
    input_tokens: 0,
    output_tokens: 0,
    cache_creation_input_tokens: 0,
    cache_read_input_tokens: 0,
  };
  return { type: 'end', outputs, usage: { ...none, ...usage }, refusal: null };
}
