// Plays a story in a session, through a platform that is killed again and again, and judges what became of it.
import { randomUUID } from 'node:crypto';
import Anthropic from '@anthropic-ai/sdk';
import { eventsOf, type SessionEvents } from './conversation.ts';
import type { Effects } from './effects.ts';
import type { FailpointServer } from './failpoint-server.ts';
import type { Said, Scene, Story, Wanted } from './story.ts';
import { type Fault, givenUp, judge } from './verdict.ts';

/** A session in which nothing happens for this long hangs, also where the platform takes half a minute to come back. */
const STUCK_MS = 240_000;
/** A session whose last word may have been cut off is looked at after this long. */
const UNHEARD_MS = 5_000;
const LOOK_EVERY_MS = 150;

export interface Stage {
  client: Anthropic;
  /** Agents that run commands, and that ask before they do. */
  agents: { free: string; asking: string };
  environment: string;
  server: FailpointServer;
  effects: Effects;
}

export interface Outcome {
  session: string;
  faults: Fault[];
  givenUp: number;
}

class Stuck extends Error {}

export async function setStage(client: Anthropic, parts: Pick<Stage, 'server' | 'effects'>): Promise<Stage> {
  const create = async (policy: 'always_allow' | 'always_ask') => {
    const toolset = {
      type: 'agent_toolset_20260401' as const,
      configs: [{ name: 'bash' as const, permission_policy: { type: policy } }],
    };
    const model = 'claude-sonnet-4-6';
    const scout = await client.beta.agents.create({ name: 'Scout', model, tools: [toolset] });
    return client.beta.agents.create({
      name: `Under test: ${policy}`,
      model,
      multiagent: { type: 'coordinator', agents: [scout.id] },
      tools: [
        toolset,
        {
          type: 'custom',
          name: 'ticket',
          description: 'Opens a ticket',
          input_schema: { type: 'object', properties: { title: { type: 'string' } } },
        },
      ],
    });
  };
  const [free, asking, environment] = await Promise.all([
    create('always_allow'),
    create('always_ask'),
    client.beta.environments.create({ name: 'Under test' }),
  ]);
  return { client, agents: { free: free.id, asking: asking.id }, environment: environment.id, ...parts };
}

/** `begun` is told the session before anything is said in it. */
export async function play(stage: Stage, story: Story, begun?: (session: string) => void): Promise<Outcome> {
  const { client, agents, environment } = stage;
  const agent = story.asks ? agents.asking : agents.free;
  const session = await insist((headers) =>
    client.beta.sessions.create({ agent, environment_id: environment }, { headers }),
  );
  begun?.(session.id);
  const player = new Player(stage, story, session.id);
  const left = new AbortController();
  if (story.watched) void watch(client, session.id, left.signal);
  try {
    return { session: session.id, ...(await player.play()) };
  } catch (error) {
    const stuck = error instanceof Stuck;
    const what = `${error instanceof Error ? error.message : error}`;
    return { session: session.id, faults: [{ kind: stuck ? 'stuck' : 'refused', what }], givenUp: 0 };
  } finally {
    left.abort();
  }
}

/** Asks the same until it is answered, for as long as the platform may need to come back. */
async function insist<T>(ask: (headers: Record<string, string>) => Promise<T>): Promise<T> {
  const headers = { 'idempotency-key': randomUUID() };
  for (const stop = performance.now() + STUCK_MS; ; ) {
    try {
      return await ask(headers);
    } catch (error) {
      const status = error instanceof Anthropic.APIError ? error.status : undefined;
      const again = status === undefined || status === 409 || status >= 500;
      if (!again || performance.now() > stop) throw error;
    }
    await new Promise((resolve) => setTimeout(resolve, LOOK_EVERY_MS));
  }
}

/** Reads the session's stream, and comes back whenever it ends. */
export async function watch(client: Anthropic, session: string, signal: AbortSignal): Promise<void> {
  const { events } = client.beta.sessions;
  while (!signal.aborted) {
    try {
      for await (const _ of await events.stream(session, undefined, { signal })) if (signal.aborted) return;
    } catch {
      // The platform is away.
    }
    await new Promise((resolve) => setTimeout(resolve, LOOK_EVERY_MS));
  }
}

class Player {
  #stage: Stage;
  #story: Story;
  #session: string;
  #accepted: string[] = [];
  #answered = new Set<string>();
  #faults: Fault[] = [];
  /** What the session begins with. */
  #copied: readonly string[] = [];

  constructor(stage: Stage, story: Story, session: string) {
    this.#stage = stage;
    this.#story = story;
    this.#session = session;
  }

  async play(): Promise<Omit<Outcome, 'session'>> {
    for (const scene of this.#story.scenes) await this.#playScene(scene);
    const events = await this.#settled();
    const { effects } = this.#stage;
    if (this.#copied.some((id, index) => events[index]?.id !== id))
      this.#faults.push({
        kind: 'lost',
        what: `the fork ${this.#session} does not begin with what it copied`,
      });
    const faults = judge({ story: this.#story, accepted: this.#accepted, events, effects });
    await this.#end();
    return { faults: [...this.#faults, ...faults], givenUp: givenUp(events) };
  }

  async #playScene({ messages, interrupt, outcome, budgeted, forked }: Scene): Promise<void> {
    const before = this.#stage.server.trace(this.#session).appends;
    if (budgeted) await this.#limit();
    if (outcome !== undefined) await this.#want(outcome);
    for (const message of messages) await this.#say(message);
    if (interrupt !== undefined) {
      const trace = this.#stage.server.trace(this.#session);
      const enough = () => trace.appends >= before + interrupt.appends || trace.resting || trace.ending;
      await this.#until('to be interrupted', async () => (enough() ? true : null));
      await new Promise((resolve) => setTimeout(resolve, interrupt.ms));
      await this.#send([{ type: 'user.interrupt' }]);
    }
    for (;;) {
      const events = await this.#settled();
      const open = openCalls(events).filter((call) => !this.#answered.has(call.id));
      for (const call of open) await this.#answer(call);
      if (open.length > 0) continue;
      // Also where nothing has stopped it: nothing of the budget is left for the next scene.
      if (budgeted && (await this.#raise())) continue;
      if (forked !== undefined) await this.#fork(forked, events);
      return;
    }
  }

  #want({ description, rubric }: Wanted): Promise<void> {
    const content = { type: 'text' as const, content: rubric };
    return this.#send([{ type: 'user.define_outcome', description, rubric: content }]);
  }

  /** A budget that has room for the first call, or for none. */
  async #limit(): Promise<void> {
    const { usage } = await insist((headers) =>
      this.#stage.client.beta.sessions.retrieve(this.#session, undefined, { headers }),
    );
    const { input_tokens = 0, output_tokens = 0, cache_read_input_tokens: cached = 0 } = usage;
    const used = (input_tokens ?? 0) + (output_tokens ?? 0) + (cached ?? 0);
    await this.#budget({ type: 'limit', max_tokens: used + 2_000 });
  }

  /** Whether the session goes on because of it. */
  async #raise(): Promise<boolean> {
    const paused = restOf(await this.#settled())?.stop_reason.type === 'budget_reached';
    const before = this.#stage.server.trace(this.#session).appends;
    await this.#budget(null);
    // Its own append, and the one that goes on.
    if (paused) await this.#until('to go on', async () => (this.#appended(before + 1) ? true : null));
    return paused;
  }

  #appended(count: number): boolean {
    return this.#stage.server.trace(this.#session).appends >= count;
  }

  async #budget(budget: { type: 'limit'; max_tokens: number } | null): Promise<void> {
    const path = `/v1/sessions/${this.#session}`;
    await insist((headers) => this.#stage.client.post(path, { body: { budget }, headers }));
  }

  /** A fork of all there is, in which something is said. */
  async #fork(said: Said, events: SessionEvents): Promise<void> {
    const at = events.at(-1)?.id;
    const path = `/v1/sessions/${this.#session}/fork`;
    const made = await insist((headers) =>
      this.#stage.client.post<{ id: string }>(path, { body: { at }, headers }),
    );
    const story = { ...this.#story, scenes: [{ messages: [said] }], end: 'delete' as const };
    const player = new Player(this.#stage, story, made.id);
    player.#copied = events.map(({ id }) => id);
    this.#faults.push(...(await player.play()).faults);
  }

  #say({ text }: Said): Promise<void> {
    return this.#send([{ type: 'user.message', content: [{ type: 'text', text }] }]);
  }

  async #answer(call: OpenCall): Promise<void> {
    this.#answered.add(call.id);
    const denied = this.#story.scenes.some(({ messages }) =>
      messages.some((said) => said.denied.some((effect) => call.input.includes(`echo ${effect} >>`))),
    );
    if (call.type === 'agent.custom_tool_use') {
      const content = [{ type: 'text' as const, text: 'Opened.' }];
      await this.#send([{ type: 'user.custom_tool_result', custom_tool_use_id: call.id, content }]);
    } else {
      const result = denied ? 'deny' : 'allow';
      await this.#send([{ type: 'user.tool_confirmation', tool_use_id: call.id, result }]);
    }
  }

  async #send(events: Anthropic.Beta.Sessions.EventSendParams['events']): Promise<void> {
    const { client } = this.#stage;
    const { data } = await insist((headers) =>
      client.beta.sessions.events.send(this.#session, { events }, { headers }),
    );
    this.#accepted.push(...(data ?? []).map((event) => event.id));
  }

  /** The events once the session rests and has taken all that was sent to it. */
  #settled(): Promise<SessionEvents> {
    return this.#until('to come to rest', async () => {
      const events = await this.#look();
      if (events === null || restOf(events) === null) return null;
      const taken = new Set(
        events.flatMap((event) => ('processed_at' in event && event.processed_at == null ? [] : [event.id])),
      );
      return this.#accepted.every((id) => taken.has(id)) ? events : null;
    });
  }

  #look(): Promise<SessionEvents | null> {
    return eventsOf(this.#stage.client.withOptions({ timeout: 5_000 }), this.#session).catch(() => null);
  }

  async #end(): Promise<void> {
    const { client, server } = this.#stage;
    const { sessions } = client.beta;
    if (this.#story.end === 'archive') {
      await insist((headers) => sessions.archive(this.#session, undefined, { headers }));
      return;
    }
    let erased = false;
    const stop = server.onReach(({ point, session }) => {
      erased ||= session === this.#session && point.startsWith('erase:');
    });
    await insist((headers) => sessions.delete(this.#session, undefined, { headers })).catch(
      (error: unknown) => {
        // The reply of an earlier try was lost.
        if (!(error instanceof Anthropic.NotFoundError)) throw error;
      },
    );
    await this.#until('to be erased', async () => (erased ? true : null)).finally(stop);
  }

  /** Asks after every append, and when nothing is under way that could bring one: asking would wake a session that sleeps. */
  async #until<T>(what: string, ask: () => Promise<T | null>): Promise<T> {
    const { server } = this.#stage;
    const trace = server.trace(this.#session);
    let seen = { appends: -1, at: performance.now() };
    for (;;) {
      const news = trace.appends !== seen.appends;
      if (news) seen = { appends: trace.appends, at: performance.now() };
      const quietMs = performance.now() - seen.at;
      const value = news || trace.resting || (trace.ending && quietMs > UNHEARD_MS) ? await ask() : null;
      if (value !== null) return value;
      if (quietMs > STUCK_MS) throw new Stuck(`did not get ${what}: ${await this.#lastWords()}`);
      if (trace.appends === seen.appends) await server.nextAppend(this.#session, LOOK_EVERY_MS);
    }
  }

  async #lastWords(): Promise<string> {
    const events = (await this.#look()) ?? [];
    return events
      .slice(-6)
      .map((event) => event.type)
      .join(', ');
  }
}

interface OpenCall {
  id: string;
  type: 'agent.tool_use' | 'agent.custom_tool_use';
  /** As JSON. */
  input: string;
}

/** What the session said last of its status, when that is that it rests. */
function restOf(events: SessionEvents) {
  const last = events.findLast((event) => event.type.startsWith('session.status_'));
  return last?.type === 'session.status_idle' ? last : null;
}

/** What the session waits for. */
function openCalls(events: SessionEvents): OpenCall[] {
  const reason = restOf(events)?.stop_reason;
  if (reason?.type !== 'requires_action') return [];
  const ids = new Set(reason.event_ids);
  return events.flatMap((event) =>
    (event.type === 'agent.tool_use' || event.type === 'agent.custom_tool_use') && ids.has(event.id)
      ? [{ id: event.id, type: event.type, input: JSON.stringify(event.input) }]
      : [],
  );
}
