import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { made } from './entry.ts';
import { Hub, type Opening } from './hub.ts';
import type { Socket } from './socket-reader.ts';
import { ManualPulse, quiesce, until, World } from './testing.ts';

/** A client's end of a socket, and what stays of the server's end when a process dies. */
class Line implements Socket {
  messages: { id?: number; event: { type: string } }[] = [];
  kept = 0;
  closed: { code: number; reason: string } | null = null;
  pingedAt: number | null = null;
  broken = false;

  send(text: string): void {
    if (this.broken) throw new Error('the socket is closed');
    this.messages.push(JSON.parse(text));
  }

  keep(position: number): void {
    this.kept = position;
  }

  close(code: number, reason: string): void {
    this.closed = { code, reason };
  }

  heardAt(): number | null {
    return this.pingedAt;
  }

  get ids(): number[] {
    return this.messages.flatMap(({ id }) => (id === undefined ? [] : [id]));
  }
}

function session() {
  const { log } = new World();
  const pulse = new ManualPulse();
  let seq = 0;
  let hub = new Hub(log, pulse, 0);
  const write = async (entries: ReturnType<typeof made>[], tell = true): Promise<void> => {
    await log.append(seq, entries);
    const numbered = entries.map((entry, index) => ({ ...entry, seq: seq + index + 1 }));
    seq += entries.length;
    if (tell) hub.publish(numbered);
  };
  return {
    pulse,
    hub: () => hub,
    write,
    more: (howMany: number, tell = true) =>
      write(
        Array.from({ length: howMany }, (_, index) =>
          made({ now: 0, newId: () => `sevt_${seq + index + 1}` }, 'session.status_running', {}),
        ),
        tell,
      ),
    /** Another process opens the session; the one before ends. */
    reopen: () => {
      hub.close();
      hub = new Hub(log, pulse, seq);
    },
  };
}

const range = (from: number, to: number) => Array.from({ length: to - from + 1 }, (_, index) => from + index);

describe('a socket', () => {
  it('is sent each event with its id, and previews without; the host may sleep meanwhile', async () => {
    const { hub, more, pulse } = session();
    const line = new Line();
    void hub()
      .attach(line, { deltas: ['agent.message'] })
      .run();
    await more(1);
    hub().begin({ type: 'agent.message', id: 'sevt_m', thread: null });
    await until(() => line.messages.length === 2);
    expect(line.messages).toMatchObject([
      { id: 1, event: { type: 'session.status_running', id: 'sevt_1' } },
      { event: { type: 'event_start', event: { id: 'sevt_m' } } },
    ]);
    expect(line.messages[1]).not.toHaveProperty('id');
    expect(pulse.beat).toBeNull();
  });

  it('goes on in other processes without a gap or a repetition, whatever dies between append and telling', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.tuple(fc.integer({ min: 1, max: 400 }), fc.boolean(), fc.nat(6)), { maxLength: 10 }),
        async (writes) => {
          const { hub, more, reopen } = session();
          const line = new Line();
          void hub().attach(line, {}).run();
          let total = 0;
          for (const [howMany, tell, ticks] of writes) {
            await more(howMany, tell);
            total += howMany;
            for (let tick = 0; tick < ticks; tick++) await Promise.resolve();
            if (tell) continue;
            reopen();
            void hub().attach(line, { after: line.kept }).run();
          }
          await until(() => line.kept === total);
          expect(line.ids).toEqual(range(1, total));
          expect(line.closed).toBeNull();
        },
      ),
      { numRuns: 60 },
    );
  });

  it('closes when the session is over, and at once when it was over before', async () => {
    const { hub, write, more } = session();
    await more(2);
    const lines = [new Line(), new Line()];
    const first = hub()
      .attach(lines[0] ?? new Line(), { after: 0 })
      .run();
    await write([made({ now: 0, newId: () => 'sevt_end' }, 'session.status_terminated', {})]);
    await first;
    await hub()
      .attach(lines[1] ?? new Line(), { ended: true })
      .run();
    expect(lines.map(({ ids }) => ids)).toEqual([[1, 2, 3], [3]]);
    expect(lines.map(({ closed }) => closed?.code)).toEqual([1000, 1000]);
  });

  it('that shows no life is closed after a few megabytes, with where to resume, and resumes there', async () => {
    const { hub, write } = session();
    const big = (index: number) =>
      made({ now: 0, newId: () => `sevt_${index}` }, 'agent.message', {
        content: [{ type: 'text', text: 'x'.repeat(240_000) }],
      });
    for (let index = 1; index <= 50; index++) await write([big(index)]);
    const ids: number[] = [];
    for (let connections = 0; ids.length < 50; connections++) {
      const line = new Line();
      const query: Opening = { after: ids.at(-1) ?? 0 };
      void hub().attach(line, query).run();
      await until(() => line.closed !== null || ids.length + line.ids.length === 50);
      ids.push(...line.ids);
      if (line.closed) {
        expect(line.closed).toEqual({ code: 1013, reason: `resume with after=${ids.at(-1)}` });
        expect(line.ids.length * 240_000).toBeLessThanOrEqual(8_000_000);
      }
      expect(connections).toBeLessThan(5);
    }
    expect(ids).toEqual(range(1, 50));
  });

  it('that pings is sent any amount', async () => {
    const { hub, write } = session();
    const line = new Line();
    void hub().attach(line, {}).run();
    for (let index = 1; index <= 50; index++) {
      line.pingedAt = index;
      const content = [{ type: 'text' as const, text: 'x'.repeat(240_000) }];
      await write([made({ now: 0, newId: () => `sevt_${index}` }, 'agent.message', { content })]);
      await until(() => line.ids.length === index);
    }
    expect(line.closed).toBeNull();
  });

  it('that breaks is let go with the last id it was sent whole', async () => {
    const { hub, more } = session();
    const line = new Line();
    const running = hub().attach(line, {}).run();
    await more(2);
    await until(() => line.ids.length === 2);
    line.broken = true;
    await more(1);
    await expect(running).rejects.toThrow('the socket is closed');
    expect(line.closed).toEqual({ code: 1013, reason: 'resume with after=2' });
    expect(line.kept).toBe(2);
  });

  it('that its client closes is sent nothing more', async () => {
    const { hub, more } = session();
    const line = new Line();
    const reader = hub().attach(line, {});
    const running = reader.run();
    await more(1);
    await until(() => line.ids.length === 1);
    reader.leave();
    await running;
    await more(1);
    await quiesce();
    expect(line.ids).toEqual([1]);
    expect(line.closed).toBeNull();
  });
});
