// One session in a world and the process that has it: says things, waits for what is asked of models and tools.
import type { SessionEvent } from '@capstan/schema/events';
import type { EventParam } from '@capstan/schema/events/user-events';
import type { SessionRuntime } from '../runtime.ts';
import { until, World } from '../testing.ts';

export class Player {
  world: World;
  runtime: SessionRuntime;

  constructor(world: World, runtime: SessionRuntime) {
    this.world = world;
    this.runtime = runtime;
  }

  static async open(world = new World()): Promise<Player> {
    return new Player(world, await world.open());
  }

  static message(text: string): Extract<EventParam, { type: 'user.message' }> {
    return { type: 'user.message', content: [{ type: 'text', text }] };
  }

  /** The process dies, and with it what it had asked for; another opens the session. */
  async restart(): Promise<void> {
    this.world.harness.models = [];
    this.world.harness.tools = [];
    this.runtime = await this.world.open();
  }

  /** Lets the time pass until what is to be tried again is tried. */
  async retries(): Promise<void> {
    while (this.runtime.view.status === 'rescheduling') await this.world.ring(this.runtime);
  }

  send(...events: EventParam[]) {
    return this.runtime.send(events);
  }

  model() {
    return first(() => this.world.harness.waitingModels);
  }

  tool() {
    return first(() => this.world.harness.waitingTools);
  }

  async rests(): Promise<void> {
    await until(() => this.runtime.view.status === 'idle');
  }

  /** Calls of tools, in the order they were made. */
  async uses() {
    return this.all('agent.tool_use', 'agent.custom_tool_use');
  }

  async all<T extends SessionEvent['type']>(...types: T[]): Promise<Extract<SessionEvent, { type: T }>[]> {
    const wanted = (event: SessionEvent): event is Extract<SessionEvent, { type: T }> =>
      types.some((type) => type === event.type);
    return (await this.world.events()).filter(wanted);
  }

  async count(type: SessionEvent['type']): Promise<number> {
    return (await this.all(type)).length;
  }

  async stops(): Promise<string[]> {
    return (await this.all('session.status_idle')).map(({ stop_reason }) => stop_reason.type);
  }
}

async function first<P>(waiting: () => P[]): Promise<P> {
  await until(() => waiting().length > 0);
  const [call] = waiting();
  if (call === undefined) throw new Error('nothing is asked for');
  return call;
}
