// Reads a session stream as a client would: frames out of bytes.
export interface Frame {
  id: number | null;
  event: string;
  data: { id?: string; [key: string]: unknown };
}

export class FrameReader {
  frames: Frame[] = [];
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
      this.#rest += decoder.decode(value, { stream: true });
      const blocks = this.#rest.split('\n\n');
      this.#rest = blocks.pop() ?? '';
      for (const block of blocks) this.frames.push(parse(block));
    }
  }

  get ids(): number[] {
    return this.frames.flatMap((frame) => (frame.id === null ? [] : [frame.id]));
  }

  cancel(): Promise<void> {
    return this.#reader.cancel();
  }
}

function parse(block: string): Frame {
  const fields = new Map(
    block.split('\n').map((line) => {
      const at = line.indexOf(': ');
      return [line.slice(0, at), line.slice(at + 2)] as const;
    }),
  );
  const id = fields.get('id');
  return {
    id: id === undefined ? null : Number(id),
    event: fields.get('event') ?? '',
    data: JSON.parse(fields.get('data') ?? 'null'),
  };
}
