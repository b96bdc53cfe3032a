// Server-sent events, decoded as the WHATWG standard says: any line end, any chunk boundary, several data lines.
export interface Frame {
  /** The `event:` field; `message` when there was none. */
  event: string;
  data: string;
  /** The last `id:` seen so far on this stream. Null: none yet. */
  id: string | null;
}

export class SseParser {
  /** The server's wish for the pause before a reconnect, ms. */
  retryMs: number | null = null;
  #pending = '';
  #started = false;
  #event = '';
  #data: string[] = [];
  #id: string | null = null;

  /** Takes text as it comes; gives the frames it completed. A frame is complete at its blank line, not before. */
  push(text: string): Frame[] {
    let input = this.#pending + text;
    if (!this.#started && input !== '') {
      this.#started = true;
      if (input.startsWith('\uFEFF')) input = input.slice(1);
    }
    const frames: Frame[] = [];
    for (;;) {
      const end = /\r\n|\n|\r/.exec(input);
      // A carriage return at the very end may be half of a pair.
      if (end === null || (end[0] === '\r' && end.index === input.length - 1)) break;
      const frame = this.#line(input.slice(0, end.index));
      if (frame) frames.push(frame);
      input = input.slice(end.index + end[0].length);
    }
    this.#pending = input;
    return frames;
  }

  #line(line: string): Frame | null {
    if (line === '') return this.#dispatch();
    const colon = line.indexOf(':');
    if (colon === 0) return null;
    const name = colon === -1 ? line : line.slice(0, colon);
    const rest = colon === -1 ? '' : line.slice(colon + 1);
    const value = rest.startsWith(' ') ? rest.slice(1) : rest;
    if (name === 'event') this.#event = value;
    else if (name === 'data') this.#data.push(value);
    else if (name === 'id' && !value.includes('\0')) this.#id = value;
    else if (name === 'retry' && /^\d+$/.test(value)) this.retryMs = Number(value);
    return null;
  }

  #dispatch(): Frame | null {
    const frame = { event: this.#event || 'message', data: this.#data.join('\n'), id: this.#id };
    const complete = this.#data.length > 0;
    this.#event = '';
    this.#data = [];
    return complete ? frame : null;
  }
}

/** Frames of a response body, in order. Leaving the loop cancels the body. */
export async function* readFrames(
  body: ReadableStream<Uint8Array>,
  parser = new SseParser(),
): AsyncGenerator<Frame, void, undefined> {
  const decoder = new TextDecoder();
  const reader = body.getReader();
  try {
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return;
      yield* parser.push(decoder.decode(value, { stream: true }));
    }
  } finally {
    await reader.cancel().catch(() => undefined);
  }
}
