// A stream of bytes in chunks of a good size. Hosts give bodies in 4 or 8 KiB at a time: to fill a chunk before it is handed
// over costs a third of what it costs to hand them over one by one.
const CHUNK_BYTES = 256 * 1024;

/** Hosts differ in what they say of it, not in what it does. */
interface Filling {
  read(
    view: Uint8Array<ArrayBuffer>,
    options: { min: number },
  ): Promise<{ done: boolean; value?: Uint8Array<ArrayBuffer> | undefined }>;
  releaseLock(): void;
}

/** The stream must be one of bytes; the last chunk is shorter. Whoever stops early leaves the stream where it is. */
export function chunksOf(stream: ReadableStream<Uint8Array>): AsyncGenerator<Uint8Array, undefined> {
  return filled(stream, () => new ArrayBuffer(CHUNK_BYTES));
}

/** The same, each chunk in the memory of the one before: it is gone once the next one is asked for. */
export function passingChunksOf(stream: ReadableStream<Uint8Array>): AsyncGenerator<Uint8Array, undefined> {
  return filled(stream, (before) => before ?? new ArrayBuffer(CHUNK_BYTES));
}

async function* filled(
  stream: ReadableStream<Uint8Array>,
  memory: (before: ArrayBuffer | null) => ArrayBuffer,
): AsyncGenerator<Uint8Array, undefined> {
  const reader: Filling = stream.getReader({ mode: 'byob' });
  let before: ArrayBuffer | null = null;
  try {
    for (;;) {
      const view = new Uint8Array(memory(before));
      const { done, value } = await reader.read(view, { min: CHUNK_BYTES });
      if (value !== undefined && value.length > 0) yield value;
      if (done || value === undefined) return;
      before = value.buffer;
    }
  } finally {
    reader.releaseLock();
  }
}

/** The same stream in pieces of `bytes`, the last one shorter; none of an empty stream. A piece is never written to again. */
export function piecesOf(
  stream: ReadableStream<Uint8Array>,
  bytes: number,
): AsyncGenerator<Uint8Array, undefined> {
  return inPieces(chunksOf(stream), bytes);
}

/** What comes in chunks of any size, in pieces of `bytes` likewise. */
export async function* inPieces(
  chunks: AsyncIterable<Uint8Array>,
  bytes: number,
): AsyncGenerator<Uint8Array, undefined> {
  let piece = new Uint8Array(bytes);
  let filled = 0;
  for await (const chunk of chunks) {
    for (let at = 0; at < chunk.length; ) {
      const taken = chunk.subarray(at, at + bytes - filled);
      piece.set(taken, filled);
      filled += taken.length;
      at += taken.length;
      if (filled < bytes) continue;
      yield piece;
      piece = new Uint8Array(bytes);
      filled = 0;
    }
  }
  if (filled > 0) yield piece.subarray(0, filled);
}
