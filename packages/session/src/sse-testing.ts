// Reads a session stream as a client would: frames and comments out of bytes.
export interface Frame {
  id: number | null;
  event: string;
  data: { id?: string; [key: string]: unknown };
}

export class FrameReader {
  frames: Frame[] = [];
  /** What the server said beside events, e.g. where the stream opened. */
  comments: string[] = [];
  /** Where a client would resume from. */
  lastId: number | null = null;
  #reader: ReadableStreamDefaultReader<Uint8Array>;
  #rest = '';

  constructor(stream: ReadableStream<Uint8Array>) {
    this.#reader = stream.getReader();
  }

  /** Reads on in the background until the stream ends or is cancelled. */
  async follow(): Promise<void> {
    const decoder = new TextDecoder();
    for (;;) {
      const { done, value } = await this.#reader.read();
      if (done) return;
      const lines = (this.#rest + decoder.decode(value, { stream: true })).split('\n');
      this.#rest = lines.pop() ?? '';
      for (const line of lines) this.#take(line);
    }
  }

  get ids(): number[] {
    return this.frames.flatMap((frame) => (frame.id === null ? [] : [frame.id]));
  }

  cancel(): Promise<void> {
    return this.#reader.cancel();
  }

  #event = '';

  #take(line: string): void {
    const [, field, value = ''] = /^(\w*): (.*)$/s.exec(line) ?? [];
    if (field === '') this.comments.push(value);
    else if (field === 'id') this.lastId = Number(value);
    else if (field === 'event') this.#event = value;
    else if (field === 'data') this.#push(JSON.parse(value));
  }

  /** As clients tell them apart: a preview has no id of its own, and no position. */
  #push(data: Frame['data']): void {
    this.frames.push({ id: 'id' in data ? this.lastId : null, event: this.#event, data });
  }
}

/** What a reader was told of each message, its deltas joined; throws when it was told more, or otherwise, than it may be. */
export function previewedTexts(frames: readonly Frame[]): Map<string, string> {
  const texts = new Map<string, string>();
  const finished = new Set<string>();
  for (const { event, data } of frames) {
    const {
      event: announced,
      event_id,
      delta,
    } = data as {
      event?: { id: string };
      event_id?: string;
      delta?: { content: { text: string } };
    };
    const id = announced?.id ?? event_id ?? data.id ?? '';
    if (finished.has(id)) throw new Error(`${event} after the event ${id} itself`);
    if (event === 'event_start') {
      if (texts.has(id)) throw new Error(`a second start of ${id}`);
      texts.set(id, '');
    } else if (event === 'event_delta') {
      const text = texts.get(id);
      if (text === undefined) throw new Error(`a delta of ${id} before its start`);
      texts.set(id, text + delta?.content.text);
    } else finished.add(id);
  }
  return texts;
}
