import { silentLogger } from '@capstan/shared/logger';
import { describe, expect, it } from 'vitest';
import { Hub } from './hub.ts';
import type { Draft } from './ports.ts';
import { Previews } from './previews.ts';
import { FrameReader, previewedTexts } from './sse-testing.ts';
import { ManualPulse, quiesce, until, World } from './testing.ts';

/** A model call whose drafts become durable when the test says so. */
function desk() {
  const { log } = new World();
  const hub = new Hub(log, new ManualPulse(), 0);
  const writes: (Draft & { done: () => void; fail: (error: Error) => void })[] = [];
  let ids = 0;
  const previews = new Previews(
    {
      hub,
      log: {
        draft: (piece) =>
          new Promise<void>((done, fail) => {
            writes.push({ ...piece, done, fail });
          }),
      },
      logger: silentLogger,
      newEventId: () => `sevt_${++ids}`,
    },
    null,
  );
  const read = () => {
    const reader = new FrameReader(hub.open({ deltas: ['agent.message', 'agent.thinking'] }));
    void reader.follow();
    return reader;
  };
  return { hub, previews, writes, read };
}

describe('previews', () => {
  it('are told once they are kept, and gather while one is being kept', async () => {
    const { previews, writes, read } = desk();
    const reader = read();
    for (const text of ['a', 'b', 'c']) previews.text(0, text);
    await quiesce();
    expect(writes.map(({ text }) => text)).toEqual(['a']);
    expect(reader.frames).toEqual([]);
    writes[0]?.done();
    await until(() => writes.length === 2);
    expect(writes[1]).toMatchObject({ thread: null, eventId: 'sevt_1', text: 'bc' });
    expect(previewedTexts(reader.frames).get('sevt_1')).toBe('a');
    expect(previews.kept()).toEqual([{ id: 'sevt_1', text: 'a' }]);
    writes[1]?.done();
    await previews.settled();
    await until(() => reader.frames.length === 3);
    expect(previews.kept()).toEqual([{ id: 'sevt_1', text: 'abc' }]);
  });

  it('that nobody wants are not written; a reader that comes then gets all of it, without another word of the model', async () => {
    const { previews, writes, read } = desk();
    previews.text(0, 'Once upon ');
    previews.text(0, 'a time');
    await previews.settled();
    expect(writes).toEqual([]);
    expect(previews.kept()).toEqual([]);
    const reader = read();
    await until(() => writes.length === 1);
    writes[0]?.done();
    await until(() => reader.frames.length === 2);
    expect(previewedTexts(reader.frames).get('sevt_1')).toBe('Once upon a time');
  });

  it('settle when what came last is told', async () => {
    const { previews, writes, read } = desk();
    read();
    previews.text(0, 'a');
    previews.text(0, 'b');
    let settled = false;
    const settling = previews.settled().then(() => {
      settled = true;
    });
    writes[0]?.done();
    await until(() => writes.length === 2);
    expect(settled).toBe(false);
    writes[1]?.done();
    await settling;
    expect(previews.kept()).toEqual([{ id: 'sevt_1', text: 'ab' }]);
  });

  it('go on when text comes in the very tick a write ends in', async () => {
    for (let ticks = 0; ticks < 16; ticks++) {
      const { previews, writes, read } = desk();
      const reader = read();
      previews.text(0, 'a');
      writes[0]?.done();
      for (let tick = 0; tick < ticks; tick++) await Promise.resolve();
      previews.text(0, 'b');
      await until(() => {
        for (const write of writes) write.done();
        return previewedTexts(reader.frames).get('sevt_1') === 'ab';
      });
    }
  });

  it('of several outputs are told apart, thinking by its start alone', async () => {
    const { previews, writes, read } = desk();
    const reader = read();
    previews.start(0, 'agent.thinking');
    previews.start(0, 'agent.thinking');
    previews.text(1, 'first');
    previews.text(2, 'second');
    await until(() => {
      for (const write of writes) write.done();
      return reader.frames.length === 5;
    });
    expect([...previewedTexts(reader.frames).values()]).toEqual(['', 'first', 'second']);
    expect(previews.kept().map(({ text }) => text)).toEqual(['first', 'second']);
    expect(previews.idOf(0)).toBe(reader.frames[0]?.data.event && 'sevt_1');
  });

  it('are neither written nor told once the call is closed', async () => {
    const { hub, previews, writes, read } = desk();
    const reader = read();
    previews.text(0, 'told');
    writes[0]?.done();
    await until(() => reader.frames.length === 2);
    previews.text(0, ' late');
    previews.close();
    writes[1]?.done();
    previews.text(0, ' later');
    await quiesce();
    expect(writes).toHaveLength(2);
    expect(reader.frames).toHaveLength(2);
    const another = new FrameReader(hub.open({ deltas: ['agent.message'] }));
    void another.follow();
    await quiesce();
    expect(another.frames).toEqual([]);
  });

  it('end where the log keeps no more: what was told stays a prefix', async () => {
    const { previews, writes, read } = desk();
    const reader = read();
    previews.text(0, 'kept');
    writes[0]?.done();
    await until(() => reader.frames.length === 2);
    previews.text(0, ' lost');
    writes[1]?.fail(new Error('disk full'));
    await previews.settled();
    previews.text(0, ' and on');
    await quiesce();
    expect(writes).toHaveLength(2);
    expect(previews.kept()).toEqual([{ id: 'sevt_1', text: 'kept' }]);
    expect(previewedTexts(reader.frames).get('sevt_1')).toBe('kept');
  });

  it('of a message over the limit stop there', async () => {
    const { previews, writes, read } = desk();
    read();
    previews.text(0, 'x'.repeat(999_999));
    writes[0]?.done();
    await previews.settled();
    previews.text(0, 'yz');
    previews.text(1, 'another');
    expect(writes.map(({ text }) => text.length)).toEqual([999_999, 7]);
  });
});
