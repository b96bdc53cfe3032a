import { Stream } from '@anthropic-ai/sdk/core/streaming';
import { accumulateManagedAgentsEvent } from '@anthropic-ai/sdk/lib/sessions/accumulate';
import type { BetaManagedAgentsStreamSessionEvents } from '@anthropic-ai/sdk/resources/beta/sessions/events';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type LoggedEntry, made, type Note } from './entry.ts';
import { Hub } from './hub.ts';
import { FrameReader, previewedTexts } from './sse-testing.ts';
import { ManualPulse, quiesce, until, World } from './testing.ts';

/** A log with `count` events, and a way to write more and publish them. */
async function logged(count: number) {
  const { log } = new World();
  let seq = 0;
  const write = async (entries: Omit<LoggedEntry, 'seq'>[]): Promise<void> => {
    const numbered = entries.map((entry, index) => ({ ...entry, seq: seq + index + 1 }));
    await log.append(seq, entries);
    seq += entries.length;
    hub.publish(numbered);
  };
  const some = (howMany: number, note?: Note) =>
    Array.from({ length: howMany }, (_, index) => ({
      ...made({ now: 0, newId: () => `sevt_${seq + index + 1}` }, 'session.status_running', {}),
      ...(note && { note }),
    }));
  await log.append(0, some(count));
  seq = count;
  const pulse = new ManualPulse();
  const hub = new Hub(log, pulse, count);
  const message = (id: string, text: string) =>
    made({ now: 0, newId: () => id }, 'agent.message', { id, content: [{ type: 'text', text }] });
  return {
    hub,
    pulse,
    log,
    write,
    more: (howMany: number, note?: Note) => write(some(howMany, note)),
    say: (id: string, text: string) => write([message(id, text)]),
  };
}

const range = (from: number, to: number) => Array.from({ length: to - from + 1 }, (_, index) => from + index);

describe('a stream', () => {
  it('without a cursor carries only what happens from now on', async () => {
    const { hub, more } = await logged(3);
    const reader = new FrameReader(hub.open({}));
    void reader.follow();
    await more(2);
    await until(() => reader.ids.length === 2);
    expect(reader.ids).toEqual([4, 5]);
  });

  it('delivers the log from its cursor exactly once and in order, however the two interleave', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.nat(700),
        fc.nat(700),
        fc.array(fc.tuple(fc.integer({ min: 1, max: 300 }), fc.nat(8)), { maxLength: 8 }),
        async (count, cursor, writes) => {
          const { hub, more } = await logged(count);
          const after = Math.min(cursor, count);
          const reader = new FrameReader(hub.open({ after }));
          void reader.follow();
          let total = count;
          for (const [howMany, ticks] of writes) {
            await more(howMany);
            total += howMany;
            // Lands between the microtasks of a reader that is about to wait.
            for (let tick = 0; tick < ticks; tick++) await Promise.resolve();
          }
          await until(() => reader.ids.length >= total - after);
          expect(reader.ids).toEqual(range(after + 1, total));
        },
      ),
      { numRuns: 40 },
    );
  });

  it('shows its view and nothing else: the session with what is shared, or one child thread', async () => {
    const notes: (Note | undefined)[] = [
      undefined,
      { thread: 'a' },
      { thread: 'a', shared: true },
      { thread: 'b' },
    ];
    const views = [undefined, 'a', 'b'];
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.tuple(fc.nat(3), fc.integer({ min: 1, max: 250 }), fc.boolean()), { maxLength: 12 }),
        fc.nat(300),
        async (writes, cursor) => {
          const { hub, more } = await logged(300);
          const expected = new Map(views.map((view) => [view, view ? [] : range(cursor + 1, 300)]));
          const readers = views.map((thread) => ({
            thread,
            reader: new FrameReader(hub.open({ after: cursor, ...(thread && { thread }) })),
          }));
          let seq = 300;
          for (const [which, howMany, reads] of writes) {
            const note = notes[which];
            await more(howMany, note);
            const rows = range(seq + 1, seq + howMany);
            seq += howMany;
            if (note?.thread === undefined || note.shared) expected.get(undefined)?.push(...rows);
            if (note?.thread !== undefined) expected.get(note.thread)?.push(...rows);
            if (reads) for (const { reader } of readers) void reader.follow().catch(() => undefined);
          }
          for (const { reader } of readers) void reader.follow().catch(() => undefined);
          for (const { thread, reader } of readers) {
            const wanted = expected.get(thread) ?? [];
            await until(() => reader.ids.length >= wanted.length);
            await quiesce();
            expect(reader.ids).toEqual(wanted);
          }
        },
      ),
      { numRuns: 25 },
    );
  });

  it('tells many readers in waves, and hears its host between two; those who leave meanwhile are not waited for', async () => {
    const { hub, pulse, more } = await logged(0);
    const readers = Array.from({ length: 300 }, () => new FrameReader(hub.open({})));
    for (const reader of readers) void reader.follow();
    await quiesce();
    const waves: (() => void)[] = [];
    pulse.later = (work) => waves.push(work);
    await more(1);
    await quiesce();
    const told = () => readers.filter(({ ids }) => ids.length > 0).length;
    expect(told()).toBe(16);
    await more(1);
    for (const reader of readers.slice(0, 100)) await reader.cancel();
    while (waves.length > 0) {
      waves.shift()?.();
      await quiesce();
    }
    expect(readers.slice(100).map(({ ids }) => ids)).toEqual(readers.slice(100).map(() => [1, 2]));
  });

  it('lets a reader that lags behind the tail read on from the log', async () => {
    const { hub, more } = await logged(0);
    const slow = hub.open({});
    for (let round = 0; round < 10; round++) await more(100);
    const reader = new FrameReader(slow);
    void reader.follow();
    await until(() => reader.ids.length === 1_000);
    expect(reader.ids).toEqual(range(1, 1_000));
  });

  it('keeps a few megabytes for readers that lag, not more: they read on from the log', async () => {
    const { hub, log, say } = await logged(0);
    const slow = hub.open({});
    for (let seq = 1; seq <= 12; seq++) await say(`sevt_${seq}`, 'x'.repeat(200_000));
    let batches = 0;
    const lines = log.lines.bind(log);
    log.lines = (...query) => {
      batches += 1;
      return lines(...query);
    };
    const reader = new FrameReader(slow);
    void reader.follow();
    await until(() => reader.ids.length === 12);
    expect(reader.ids).toEqual(range(1, 12));
    expect(batches).toBeGreaterThan(0);
  });

  it('refuses a position beyond the end of the log, and names the end', async () => {
    const { hub, pulse } = await logged(3);
    expect(() => hub.open({ after: 4 })).toThrow(
      expect.objectContaining({
        code: 'invalid_request',
        message: expect.stringMatching(/^after .*: 4 .* 3;/),
      }),
    );
    expect(pulse.beat).toBeNull();
  });

  it('is forgotten when the log cannot be read, and tells its client', async () => {
    const { hub, pulse, log } = await logged(3);
    log.lines = () => Promise.reject(new Error('disk gone'));
    const reader = new FrameReader(hub.open({ after: 0 }));
    await expect(reader.follow()).rejects.toThrow('disk gone');
    expect(pulse.beat).toBeNull();
  });
});

describe('a stream that is kept open', () => {
  it('opens with its position and stays alive with comments that end no event', async () => {
    const { hub, pulse } = await logged(7);
    const reader = hub.open({ after: 7 }).getReader();
    const opening = new TextDecoder().decode((await reader.read()).value);
    pulse.beat?.();
    const beat = new TextDecoder().decode((await reader.read()).value);
    expect(opening).toBe(': stream open at 7\nid: 7\n');
    expect(beat).toMatch(/^:[^\n]*\n$/);
  });

  it('gives the official SDK events alone, in whatever pieces it arrives', async () => {
    const { hub, pulse, more } = await logged(2);
    const stream = hub.open({ after: 1 });
    const seen: unknown[] = [];
    const client = Stream.fromSSEResponse<{ id: string }>(new Response(stream), new AbortController());
    const reading = (async () => {
      for await (const event of client) seen.push(event.id);
    })();
    await until(() => seen.length === 1);
    pulse.beat?.();
    await more(1);
    await until(() => seen.length === 2);
    hub.close();
    await reading;
    expect(seen).toEqual(['sevt_2', 'sevt_3']);
  });

  it('beats while somebody listens, not after the last has gone', async () => {
    const { hub, pulse } = await logged(0);
    const leaving = new FrameReader(hub.open({}));
    void leaving.follow();
    expect(pulse.beat).not.toBeNull();
    await leaving.cancel();
    expect(pulse.beat).toBeNull();
  });

  it('is let go when its reader takes nothing for many beats: what it had is whole, and it is told to resume', async () => {
    const { hub, pulse, more } = await logged(5);
    const reader = new FrameReader(hub.open({ after: 0 }));
    const stuck = new FrameReader(hub.open({ after: 2 }));
    await more(5);
    void reader.follow();
    await until(() => reader.ids.length === 10);
    for (let beat = 0; beat < 25; beat++) {
      pulse.beat?.();
      await quiesce();
    }
    await stuck.follow();
    expect(stuck.ids).toEqual([]);
    expect(stuck.comments).toEqual(['stream open at 2', 'not over, resume with Last-Event-ID: 2']);
    expect(stuck.lastId).toBe(2);
    expect(pulse.beat).not.toBeNull();
    await reader.cancel();
    expect(pulse.beat).toBeNull();
  });
});

describe('the end of a stream', () => {
  it('of a runtime that closes is told, with where to resume', async () => {
    const { hub, more } = await logged(0);
    const reader = new FrameReader(hub.open({}));
    const following = reader.follow();
    await more(3);
    await until(() => reader.ids.length === 3);
    hub.close();
    await following;
    expect(reader.comments.at(-1)).toBe('not over, resume with Last-Event-ID: 3');
  });

  it('comes after the event that ends the session, for every view; a thread ends its own', async () => {
    const { hub, write, more } = await logged(0);
    const stamp = { now: 0, newId: () => 'sevt_end' };
    const open = (thread?: string) => {
      const reader = new FrameReader(hub.open({ ...(thread && { thread }) }));
      return { reader, ended: reader.follow() };
    };
    const child = open('a');
    const other = open('b');
    const session = open();
    const gone = made(stamp, 'session.thread_status_terminated', {
      session_thread_id: 'a',
      agent_name: 'helper',
    });
    await write([{ ...gone, note: { thread: 'a', shared: true } }]);
    await child.ended;
    expect(child.reader.ids).toEqual([1]);
    await more(1);
    await write([made(stamp, 'session.status_terminated', {})]);
    await Promise.all([other.ended, session.ended]);
    expect(session.reader.ids).toEqual([1, 2, 3]);
    expect(other.reader.comments).toEqual(['stream open at 0']);
  });

  it('of a session that ended before is told at once, from wherever the client resumes', async () => {
    const { hub, write } = await logged(300);
    const stamp = { now: 0, newId: () => 'sevt_end' };
    await write([made(stamp, 'session.status_terminated', {})]);
    await write([made(stamp, 'session.updated', { title: 'over' })]);
    const plain = new FrameReader(hub.open({ ended: true }));
    await plain.follow();
    expect(plain.frames.map(({ event }) => event)).toEqual(['session.status_terminated', 'session.updated']);
    expect(plain.comments).toEqual(['stream open at 300']);
    const behind = new FrameReader(hub.open({ after: 290, ended: true }));
    await behind.follow();
    expect(behind.ids).toEqual(range(291, 302));
    const knowing = new FrameReader(hub.open({ after: 302, ended: true }));
    await knowing.follow();
    expect(knowing.ids).toEqual([]);
  });
});

describe('previews', () => {
  const deltas = ['agent.message' as const];
  const begin = (hub: Hub, id: string, thread: string | null = null) =>
    hub.begin({ type: 'agent.message', id, thread });

  it('come after the events they were made after, to readers that asked for them', async () => {
    const { hub, more } = await logged(0);
    const asking = new FrameReader(hub.open({ deltas }));
    const plain = new FrameReader(hub.open({}));
    await more(1);
    begin(hub, 'sevt_m');
    hub.grow('sevt_m', 'he');
    hub.grow('sevt_m', 'llo');
    await more(1);
    void asking.follow();
    void plain.follow();
    await until(() => asking.ids.length === 2 && plain.ids.length === 2);
    expect(asking.frames.map((frame) => frame.event)).toEqual([
      'session.status_running',
      'event_start',
      'event_delta',
      'session.status_running',
    ]);
    expect(plain.frames.every((frame) => frame.id !== null)).toBe(true);
  });

  it('of a child thread reach its readers alone', async () => {
    const { hub } = await logged(0);
    const readers = [undefined, 'a', 'b'].map(
      (thread) => new FrameReader(hub.open({ deltas, ...(thread && { thread }) })),
    );
    for (const reader of readers) void reader.follow();
    begin(hub, 'sevt_a', 'a');
    hub.grow('sevt_a', 'mine');
    begin(hub, 'sevt_p');
    hub.grow('sevt_p', 'ours');
    await until(() => readers[0]?.frames.length === 2 && readers[1]?.frames.length === 2);
    expect(readers.map(({ frames }) => [...previewedTexts(frames)])).toEqual([
      [['sevt_p', 'ours']],
      [['sevt_a', 'mine']],
      [],
    ]);
  });

  it('give one that comes in the midst all text so far, in one piece, and then go on', async () => {
    const { hub, say } = await logged(3);
    begin(hub, 'sevt_m');
    for (const piece of ['He', 'll', 'o ']) hub.grow('sevt_m', piece);
    const late = new FrameReader(hub.open({ deltas, after: 3 }));
    void late.follow();
    await until(() => late.frames.length === 2);
    hub.grow('sevt_m', 'you');
    await until(() => late.frames.length === 3);
    await say('sevt_m', 'Hello you');
    await until(() => late.ids.length === 1);
    expect(late.frames.map(({ event }) => event)).toEqual([
      'event_start',
      'event_delta',
      'event_delta',
      'agent.message',
    ]);
    expect(previewedTexts(late.frames).get('sevt_m')).toBe('Hello you');
  });

  it('are over with their event: who comes later is told of it no more', async () => {
    const { hub, say } = await logged(0);
    begin(hub, 'sevt_m');
    hub.grow('sevt_m', 'said');
    await say('sevt_m', 'said');
    hub.grow('sevt_m', ' again');
    const late = new FrameReader(hub.open({ deltas, after: 0 }));
    void late.follow();
    await until(() => late.ids.length === 1);
    await quiesce();
    expect(late.frames.map(({ event }) => event)).toEqual(['agent.message']);
  });

  it('that are abandoned are told no more, and not to those who come later', async () => {
    const { hub, more } = await logged(0);
    const reader = new FrameReader(hub.open({ deltas }));
    void reader.follow();
    begin(hub, 'sevt_m');
    hub.grow('sevt_m', 'never');
    await until(() => reader.frames.length === 2);
    hub.abandon('sevt_m');
    hub.grow('sevt_m', ' said');
    const late = new FrameReader(hub.open({ deltas }));
    void late.follow();
    await more(1);
    await until(() => reader.ids.length === 1 && late.ids.length === 1);
    expect(previewedTexts(reader.frames).get('sevt_m')).toBe('never');
    expect(previewedTexts(late.frames).size).toBe(0);
  });

  it('are a prefix of the text whoever reads how slowly, wherever a reader comes in', async () => {
    const action = fc.oneof(
      fc.record({ do: fc.constant('grow' as const), message: fc.nat(2) }),
      fc.record({ do: fc.constant('say' as const), message: fc.nat(2) }),
      fc.record({ do: fc.constant('more' as const), message: fc.nat(2) }),
      fc.record({ do: fc.constant('open' as const), message: fc.nat(20) }),
      fc.record({ do: fc.constant('read' as const), message: fc.nat(20) }),
    );
    await fc.assert(
      fc.asyncProperty(fc.array(action, { maxLength: 80 }), async (actions) => {
        const { hub, more, say } = await logged(5);
        const texts = new Map<string, string>();
        const spoken = new Map<string, string>();
        const readers: FrameReader[] = [];
        let total = 5;
        let round = 0;
        for (const act of actions) {
          const id = `sevt_m${act.message}_${spoken.size}`;
          if (act.do === 'grow') {
            if (!texts.has(id)) begin(hub, id);
            const piece = `<${round++}>`;
            texts.set(id, (texts.get(id) ?? '') + piece);
            hub.grow(id, piece);
          } else if (act.do === 'say') {
            spoken.set(id, texts.get(id) ?? 'unannounced');
            await say(id, spoken.get(id) ?? '');
            total += 1;
          } else if (act.do === 'more') {
            await more(act.message + 1);
            total += act.message + 1;
          } else if (act.do === 'open') {
            readers.push(new FrameReader(hub.open({ deltas, after: Math.min(act.message, total) })));
          } else {
            const reader = readers[act.message % (readers.length || 1)];
            void reader?.follow().catch(() => undefined);
            for (let tick = 0; tick < act.message; tick++) await Promise.resolve();
          }
        }
        for (const reader of readers) void reader.follow().catch(() => undefined);
        await until(() => readers.every((reader) => (reader.ids.at(-1) ?? total) === total));
        await quiesce();
        for (const reader of readers)
          for (const [id, text] of previewedTexts(reader.frames))
            expect(spoken.get(id) ?? texts.get(id)).toMatch(new RegExp(`^${text}`));
      }),
      { numRuns: 150 },
    );
  });

  it('let the official SDK join a message over a broken line', async () => {
    const { hub, say } = await logged(4);
    begin(hub, 'sevt_m');
    hub.grow('sevt_m', 'Once ');
    type Event = BetaManagedAgentsStreamSessionEvents;
    let message: ReturnType<typeof accumulateManagedAgentsEvent>;
    const read = async (after: number, until: (event: Event) => boolean) => {
      const stream = hub.open({ deltas, after });
      for await (const event of Stream.fromSSEResponse<Event>(new Response(stream), new AbortController())) {
        message = accumulateManagedAgentsEvent(message, event);
        if (until(event)) return;
      }
    };
    await read(4, (event) => event.type === 'event_delta');
    expect(message?.content).toEqual([{ type: 'text', text: 'Once ' }]);
    hub.grow('sevt_m', 'upon ');
    hub.grow('sevt_m', 'a time');
    await read(4, (event) => event.type === 'event_delta');
    expect(message?.content).toEqual([{ type: 'text', text: 'Once upon a time' }]);
    await say('sevt_m', 'Once upon a time.');
    await read(4, (event) => event.type === 'agent.message');
    expect(message?.content).toEqual([{ type: 'text', text: 'Once upon a time.' }]);
  });
});
