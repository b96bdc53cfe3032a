// A coordinator and the agents it may call, in a world: what its threads ask of models and tools, by thread.
import type { AgentSnapshot, ThreadAgent } from '@capstan/schema/agents';
import type { SessionEvent } from '@capstan/schema/events';
import type { EventParam } from '@capstan/schema/events/user-events';
import type { ContextItem } from '../harness.ts';
import type { SessionRuntime } from '../runtime.ts';
import { type PendingModel, say, use } from '../scripted-harness.ts';
import { until, World } from '../testing.ts';

export const PRIMARY = 'sthr_test';

export class Crew {
  world: World;
  runtime: SessionRuntime;

  /** Model calls of processes that are gone. */
  #zombies = 0;

  protected constructor(world: World, runtime: SessionRuntime) {
    this.world = world;
    this.runtime = runtime;
  }

  /** Agents: `scout` and `scribe`, both with the coordinator's tools. */
  static async open(change: Partial<AgentSnapshot> = {}): Promise<Crew> {
    const world = new World();
    const { multiagent, ...own } = world.spec.agent;
    const agents = ['scout', 'scribe'].map((name): ThreadAgent => ({ ...own, id: `agent_${name}`, name }));
    world.spec = {
      ...world.spec,
      agent: { ...world.spec.agent, multiagent: { type: 'coordinator', agents }, ...change },
    };
    return new Crew(world, await world.open());
  }

  /** A new process; what the old one still does, it does as a zombie. */
  async restart(): Promise<void> {
    this.#zombies = this.world.harness.models.length;
    this.runtime = await this.world.open();
  }

  send(...events: EventParam[]) {
    return this.runtime.send(events);
  }

  /** Told to start, the coordinator hands each message to an agent, in one reply. The threads, in that order. */
  async delegated(...to: [agent: string, message: string][]): Promise<string[]> {
    await this.send(message('go'));
    return this.handsOn(...to);
  }

  /** Its next reply hands each message on. */
  async handsOn(...to: [agent: string, message: string][]): Promise<string[]> {
    const before = this.children().length;
    (await this.model(PRIMARY)).settle(to.map(([agent, words]) => delegate({ agent, message: words })));
    await until(() => this.children().length === before + to.length);
    return this.children().slice(before);
  }

  children(): string[] {
    return this.runtime.threads.flatMap(({ id, parentId }) => (parentId === null ? [] : [id]));
  }

  asks(thread: string): boolean {
    return this.#waiting(thread) !== undefined;
  }

  /** The model call a thread waits for. */
  async model(thread: string): Promise<PendingModel> {
    await until(() => this.asks(thread));
    const call = this.#waiting(thread);
    if (call === undefined) throw new Error(`no model call of ${thread}`);
    return call;
  }

  #waiting(thread: string): PendingModel | undefined {
    return this.waiting.find(({ call }) => call.threadId === thread);
  }

  /** Model calls of the process there is. */
  get waiting(): PendingModel[] {
    const { waitingModels, models } = this.world.harness;
    return waitingModels.filter((call) => models.indexOf(call) >= this.#zombies);
  }

  async says(thread: string, text: string): Promise<void> {
    (await this.model(thread)).settle([say(text)]);
  }

  /** Its model calls a tool: the id of the call. */
  async uses(thread: string, name: string, input: Record<string, unknown> = {}): Promise<string> {
    const calls = async () => {
      const events = await this.events(thread);
      return events.flatMap(({ id, type }) => (type.endsWith('tool_use') ? [id] : []));
    };
    const known = (await calls()).length;
    (await this.model(thread)).settle([use(name, input)]);
    await until(async () => (await calls()).length > known);
    return (await calls())[known] ?? '';
  }

  async tool(effectId: string) {
    const { harness } = this.world;
    await until(() => harness.waitingTools.some(({ input }) => input.effectId === effectId));
    const call = harness.waitingTools.find(({ input }) => input.effectId === effectId);
    if (call === undefined) throw new Error(`no tool call ${effectId}`);
    return call;
  }

  thread(id: string) {
    const view = this.runtime.threads.find((thread) => thread.id === id);
    if (view === undefined) throw new Error(`no thread ${id}`);
    return view;
  }

  status(thread: string): string {
    return this.thread(thread).status;
  }

  async rests(): Promise<void> {
    await until(() => this.runtime.view.status === 'idle');
  }

  /** All that is listed: what a thread shows, or what the session does. */
  async events(thread?: string): Promise<SessionEvent[]> {
    const query = { limit: 10_000, order: 'asc' as const };
    return (await this.runtime.events(thread === undefined ? query : { ...query, thread })).data;
  }

  async types(thread?: string): Promise<string[]> {
    return (await this.events(thread)).map(({ type }) => type);
  }

  /** How the session came to rest, each time. */
  async stops() {
    return (await this.events()).flatMap((event) =>
      event.type === 'session.status_idle' ? [event.stop_reason] : [],
    );
  }
}

export function message(text: string, to?: string): Extract<EventParam, { type: 'user.message' }> {
  const routed = to === undefined ? {} : { session_thread_id: to };
  return { type: 'user.message', content: [{ type: 'text', text }], ...routed };
}

export function delegate(input: { agent?: string; thread_id?: string; message?: string }) {
  return use('delegate', input);
}

/** What a model reads, as words: for asking whether something is in it. */
export function wordsOf(context: readonly ContextItem[]): string {
  return JSON.stringify(context);
}
