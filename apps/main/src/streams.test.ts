// Streams over real connections to sessions as they are deployed: cut, resumed, joined.
import Anthropic from '@anthropic-ai/sdk';
import { accumulateManagedAgentsEvent } from '@anthropic-ai/sdk/lib/sessions/accumulate';
import type { BetaManagedAgentsStreamSessionEvents } from '@anthropic-ai/sdk/resources/beta/sessions/events';
import type { SessionEvent } from '@capstan/schema/events';
import { FrameReader, previewedTexts } from '@capstan/session/sse-testing';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openTalker, type Talker } from './testing/talker.ts';
import { openWorld, type World } from './testing/world.ts';

let talker: Talker;
let world: World;
let client: Anthropic;
let agent: string;

beforeAll(async () => {
  talker = await openTalker();
  world = await openWorld({ modelUrl: talker.url });
  client = new Anthropic({ apiKey: world.key, baseURL: world.url, maxRetries: 0 });
  agent = (await client.beta.agents.create({ name: 'Talker', model: 'some-model' })).id;
});
afterAll(async () => {
  await world.close();
  talker.close();
});

const auth = () => ({ 'x-api-key': world.key });

async function newSession(): Promise<string> {
  const init = { method: 'POST', headers: auth(), body: JSON.stringify({ agent }) };
  const session: { id: string } = await (await world.fetch('/v1/sessions', init)).json();
  return session.id;
}

const ask = (session: string, words: number) =>
  client.beta.sessions.events.send(session, {
    events: [{ type: 'user.message', content: [{ type: 'text', text: `say words: ${words}` }] }],
  });
const idle = (session: string) =>
  expect
    .poll(async () => (await client.beta.sessions.retrieve(session)).status, { timeout: 20_000 })
    .toBe('idle');

/** The list, each event as its bytes were sent. */
async function listed(session: string): Promise<string[]> {
  const response = await world.fetch(`/v1/sessions/${session}/events?limit=1000`, { headers: auth() });
  const { data }: { data: SessionEvent[] } = await response.json();
  return data.map((event) => JSON.stringify(event));
}

const deltas = ['agent.message' as const];

/** One line, which breaks after so many bytes: what came over it whole. */
class BreakingLine {
  reader: FrameReader;
  #ended: Promise<void>;

  private constructor(reader: FrameReader, stop: AbortController) {
    this.reader = reader;
    this.#ended = reader.follow().finally(() => stop.abort());
  }

  static async open(session: string, after: number, bytes: number): Promise<BreakingLine> {
    const stop = new AbortController();
    const path = `/v1/sessions/${session}/events/stream?event_deltas[]=agent.message`;
    const headers = { ...auth(), 'last-event-id': String(after) };
    const { body, status } = await world.fetch(path, { headers, signal: stop.signal });
    if (status !== 200 || body === null) throw new Error(`the stream was answered ${status}`);
    let left = bytes;
    const cut = new TransformStream<Uint8Array, Uint8Array>({
      transform(chunk, controller) {
        controller.enqueue(chunk.subarray(0, left));
        left -= chunk.length;
        if (left <= 0) controller.terminate();
      },
    });
    return new BreakingLine(new FrameReader(body.pipeThrough(cut)), stop);
  }

  async ended(): Promise<void> {
    await this.#ended;
  }
}

/** A reader as an application has it: resumes where it was, and joins what its lines brought. */
class Follower {
  rows: string[] = [];
  previewed = new Map<string, string>();
  drops = 0;
  #session: string;
  #last = 0;

  constructor(session: string) {
    this.#session = session;
  }

  /** Until it is over, over lines that break after so many bytes. */
  async follow(bytes: () => number, over: AbortSignal): Promise<void> {
    const ending = new Promise((resolve) => over.addEventListener('abort', resolve));
    for (; !over.aborted; this.drops++) {
      const line = await BreakingLine.open(this.#session, this.#last, bytes());
      await Promise.race([line.ended(), ending]);
      await line.reader.cancel();
      this.#take(line.reader);
    }
  }

  /** Over one last line, which holds. */
  async catchUp(eventId: string): Promise<void> {
    const line = await BreakingLine.open(this.#session, this.#last, Number.POSITIVE_INFINITY);
    const has = () => [...this.rows, ...line.reader.frames.map(({ data }) => JSON.stringify(data))];
    await expect.poll(() => has().some((row) => row.includes(eventId))).toBe(true);
    await line.reader.cancel();
    this.#take(line.reader);
  }

  #take({ frames }: FrameReader): void {
    for (const { id, data } of frames) {
      if (id === null) continue;
      expect(id).toBe(this.#last + 1);
      this.#last = id;
      this.rows.push(JSON.stringify(data));
    }
    for (const [id, text] of previewedTexts(frames)) this.previewed.set(id, text);
  }
}

/** Numbers below a bound that a seed decides. */
function chance(seed: number): (below: number) => number {
  let state = seed;
  return (below) => {
    state = (state * 1_103_515_245 + 12_345) % 2_147_483_648;
    return Math.floor((state / 2_147_483_648) * below);
  };
}

describe('readers whose lines break', () => {
  it('hundreds of times during turns join what the list has, byte for byte', async () => {
    const session = await newSession();
    const random = chance(7);
    const over = new AbortController();
    const followers = Array.from({ length: 6 }, () => new Follower(session));
    const following = followers.map((follower) => follower.follow(() => 30 + random(900), over.signal));
    const drops = () => followers.reduce((sum, follower) => sum + follower.drops, 0);
    for (let turn = 0; drops() < 300; turn++) {
      await ask(session, 50 + turn);
      await idle(session);
    }
    over.abort();
    await Promise.all(following);
    const list = await listed(session);
    const { id }: { id: string } = JSON.parse(list.at(-1) ?? '');
    for (const follower of followers) {
      await follower.catchUp(id);
      expect(follower.rows).toEqual(list);
      for (const [event, text] of follower.previewed) {
        const said = list.find((row) => row.includes(event));
        expect(said).toContain(text);
      }
    }
  }, 300_000);

  it('in the middle of a message get what they missed of it, through the official SDK', async () => {
    const session = await newSession();
    type Event = BetaManagedAgentsStreamSessionEvents;
    let message: ReturnType<typeof accumulateManagedAgentsEvent>;
    let seen = 0;
    const read = async (until: (event: Event) => boolean) => {
      const headers = { 'last-event-id': String(seen) };
      const events = await client.beta.sessions.events.stream(session, { event_deltas: deltas }, { headers });
      for await (const event of events) {
        message = accumulateManagedAgentsEvent(message, event);
        if ('id' in event) seen += 1;
        if (until(event)) return;
      }
    };
    const text = () => message?.content.map((block) => ('text' in block ? block.text : '')).join('');
    talker.holdAfter(20);
    await ask(session, 30);
    await read((event) => event.type === 'event_start');
    await read(() => text()?.includes('wörd20 ') ?? false);
    const held = text();
    expect(held).toMatch(/^wörd1 wörd2 .*wörd20 $/);
    message = undefined;
    await read(() => message !== undefined && message.content.length > 0);
    expect(text()).toBe(held);
    talker.letGo();
    await read((event) => event.type === 'agent.message');
    expect(text()).toMatch(/^wörd1 .*wörd30 $/);
  }, 120_000);

  it('are refused beyond the end, and in words that name the field', async () => {
    const session = await newSession();
    const response = await world.fetch(`/v1/sessions/${session}/events/stream`, {
      headers: { ...auth(), 'last-event-id': '12' },
    });
    expect(response.status).toBe(400);
    expect(await response.text()).toContain("12 is beyond the end of this session's log");
  });
});
