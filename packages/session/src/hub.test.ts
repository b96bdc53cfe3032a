import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type LoggedEntry, made } from './entry.ts';
import { Hub } from './hub.ts';
import { FrameReader } from './sse-testing.ts';
import { ManualPulse, quiesce, until, World } from './testing.ts';

/** A log with `count` events, and a way to write more and publish them. */
async function logged(count: number) {
  const { log } = new World();
  let seq = 0;
  const write = async (howMany: number): Promise<LoggedEntry[]> => {
    const entries = Array.from({ length: howMany }, (_, index) => ({
      ...made({ now: 0, newId: () => `sevt_${seq + index + 1}` }, 'session.status_running', {}),
      seq: seq + index + 1,
    }));
    await log.append(seq, entries);
    seq += howMany;
    return entries;
  };
  await write(count);
  const pulse = new ManualPulse();
  const hub = new Hub(log, pulse, count);
  return { hub, pulse, log, more: async (howMany: number) => hub.publish(await write(howMany)) };
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
    const { log } = new World();
    const hub = new Hub(log, new ManualPulse(), 0);
    const slow = hub.open({});
    for (let seq = 1; seq <= 12; seq++) {
      const content = [{ type: 'text' as const, text: 'x'.repeat(900_000) }];
      const entry = made({ now: 0, newId: () => `sevt_${seq}` }, 'agent.message', { content });
      await log.append(seq - 1, [entry]);
      hub.publish([{ ...entry, seq }]);
    }
    let batches = 0;
    const lines = log.lines.bind(log);
    log.lines = (after, limit) => {
      batches += 1;
      return lines(after, limit);
    };
    const reader = new FrameReader(slow);
    void reader.follow();
    await until(() => reader.ids.length === 12);
    expect(reader.ids).toEqual(range(1, 12));
    expect(batches).toBeGreaterThan(0);
  });

  it('beats while somebody listens: not after the last cancels, or took nothing for many beats', async () => {
    const { hub, pulse } = await logged(0);
    const leaving = new FrameReader(hub.open({}));
    void leaving.follow();
    expect(pulse.beat).not.toBeNull();
    await leaving.cancel();
    expect(pulse.beat).toBeNull();
    hub.open({});
    for (let beat = 0; beat < 25; beat++) pulse.beat?.();
    expect(pulse.beat).toBeNull();
  });

  it('is forgotten when the log cannot be read, and tells its client', async () => {
    const { hub, pulse, log } = await logged(3);
    log.lines = () => Promise.reject(new Error('disk gone'));
    const reader = new FrameReader(hub.open({ after: 0 }));
    await expect(reader.follow()).rejects.toThrow('disk gone');
    expect(pulse.beat).toBeNull();
  });

  it('opens and stays alive with comments that end no event', async () => {
    const { hub, pulse } = await logged(0);
    const reader = hub.open({}).getReader();
    const opening = new TextDecoder().decode((await reader.read()).value);
    pulse.beat?.();
    const beat = new TextDecoder().decode((await reader.read()).value);
    for (const text of [opening, beat]) expect(text).toMatch(/^:[^\n]*\n$/);
  });

  it('ends when the hub closes', async () => {
    const { hub } = await logged(0);
    const reader = new FrameReader(hub.open({}));
    const following = reader.follow();
    await quiesce();
    hub.close();
    await following;
  });
});

describe('previews', () => {
  const start = { type: 'event_start' as const, event: { type: 'agent.message' as const, id: 'sevt_m' } };
  const delta = (text: string) => ({
    type: 'event_delta' as const,
    event_id: 'sevt_m',
    delta: { type: 'content_delta' as const, index: 0, content: { type: 'text' as const, text } },
  });

  it('come between the events they were made between, to readers that asked for them', async () => {
    const { hub, more } = await logged(0);
    const asking = new FrameReader(hub.open({ deltas: ['agent.message'] }));
    const plain = new FrameReader(hub.open({}));
    await more(1);
    hub.preview(start);
    hub.preview(delta('he'));
    hub.preview(delta('llo'));
    await more(1);
    void asking.follow();
    void plain.follow();
    await until(() => asking.ids.length === 2 && plain.ids.length === 2);
    expect(asking.frames.map((frame) => frame.event)).toEqual([
      'session.status_running',
      'event_start',
      'event_delta',
      'event_delta',
      'session.status_running',
    ]);
    expect(plain.frames.every((frame) => frame.id !== null)).toBe(true);
  });

  it('of a message that began before the reader came are kept from it', async () => {
    const { hub } = await logged(0);
    hub.preview(start);
    const late = new FrameReader(hub.open({ deltas: ['agent.message'] }));
    void late.follow();
    hub.preview(delta('lo'));
    await quiesce();
    expect(late.frames).toEqual([]);
  });

  it('are shed whole when a reader lags: never a gap within a message', async () => {
    const { hub, more } = await logged(0);
    const lagging = new FrameReader(hub.open({ deltas: ['agent.message'] }));
    hub.preview(start);
    for (let word = 0; word < 2_000; word++) hub.preview(delta('x'));
    await more(1);
    void lagging.follow();
    await until(() => lagging.ids.length === 1);
    expect(lagging.frames.filter((frame) => frame.id === null)).toEqual([]);
  });
});
