// A client on a stream in a play. Whatever becomes of its line, what it was told is the log of its view from its cursor.
import { shows } from '../../feed.ts';
import type { Line } from '../../line.ts';
import type { SessionRuntime } from '../../runtime.ts';
import { FrameReader, previewedTexts } from '../../sse-testing.ts';
import { holds, type LogWitness } from './log-witness.ts';

/** Input comes queued, and once more when it is taken. */
const TWICE = /^(user|system)\./;

export interface Place {
  after: number;
  /** The child thread it shows; absent: the session's own stream. */
  thread?: string;
}

export class PlayedReader {
  /** Null while the line is up. */
  end: 'over' | 'broken' | 'left' | null = null;
  slow: boolean;
  #runtime: SessionRuntime;
  #place: Place;
  #frames: FrameReader;
  /** Frames that were looked at, and the place of the row that is next. */
  #checked = 0;
  #at = 0;

  constructor(runtime: SessionRuntime, place: Place, slow: boolean) {
    this.#runtime = runtime;
    this.#place = place;
    this.slow = slow;
    this.#frames = new FrameReader(runtime.stream({ ...place, deltas: ['agent.message', 'agent.thinking'] }));
    if (!slow) this.read();
  }

  /** A slow one begins to read. */
  read(): void {
    this.slow = false;
    this.#frames.follow().then(
      () => {
        this.end ??= 'over';
      },
      () => {
        this.end ??= 'broken';
      },
    );
  }

  leave(): void {
    this.end ??= 'left';
    this.#frames.cancel().catch(() => undefined);
  }

  /** R5, R1. `live`: the runtime that speaks for the session. */
  check(witness: LogWitness, live: SessionRuntime | null): void {
    const { frames } = this.#frames;
    for (const { id, data } of frames.slice(this.#checked)) {
      this.#checked += 1;
      if (id === null) continue;
      const line = this.#next(witness);
      holds(line?.seq === id, `R5: a stream tells row ${line?.seq} next, not ${id}`);
      holds(JSON.stringify(data) === line?.data, `R1: what is told of row ${id} is what the log has`);
    }
    const current = this.#runtime === live && this.end === null && !this.slow;
    const left = current ? this.#peek(witness) : undefined;
    holds(left === undefined, `R5: a stream has not told row ${left?.seq}`);
  }

  #next(witness: LogWitness): Line | undefined {
    const line = this.#peek(witness);
    this.#at += 1;
    return line;
  }

  /** The row that is to be told next. */
  #peek({ lines, owners }: LogWitness): Line | undefined {
    const { after, thread } = this.#place;
    for (; this.#at < lines.length; this.#at++) {
      if (this.#at >= after && shows(owners[this.#at] ?? {}, thread)) return lines[this.#at];
    }
    return undefined;
  }

  /** Whether it still reads from that process. */
  reads(runtime: SessionRuntime | null): boolean {
    return this.end === null && !this.slow && this.#runtime === runtime;
  }

  /** F2, once all is told. */
  checkPreviews(witness: LogWitness): void {
    const said = this.#frames.frames.filter(({ event }) => !TWICE.test(event));
    for (const [id, text] of previewedTexts(said)) {
      const place = witness.places.get(id);
      if (text === '' || place?.taken == null) continue;
      const event = JSON.parse(witness.lines[place.taken - 1]?.data ?? '{}');
      const whole: string = event.content?.[0]?.text ?? '';
      holds(whole.startsWith(text), `F2: what was told of ${id} is the beginning of it`);
    }
  }
}
