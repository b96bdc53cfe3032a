// A stream of bytes in chunks of a good size. Hosts give bodies in 4 or 8 KiB at a time: to fill a chunk before it is handed
// over costs a third of what it costs to hand them over one by one.
const CHUNK_BYTES = 256 * 1024;

/** Hosts differ in what they say of it, not in what it does. */
interface Filling {
  read(
    view: Uint8Array<ArrayBuffer>,
    options: { min: number },
  ): Promise<{ done: boolean; value?: Uint8Array | undefined }>;
  releaseLock(): void;
}

/** The stream must be one of bytes; the last chunk is shorter. Whoever stops early leaves the stream where it is. */
export async function* chunksOf(stream: ReadableStream<Uint8Array>): AsyncGenerator<Uint8Array, undefined> {
  const reader: Filling = stream.getReader({ mode: 'byob' });
  try {
    for (;;) {
      const { done, value } = await reader.read(new Uint8Array(CHUNK_BYTES), { min: CHUNK_BYTES });
      if (value !== undefined && value.length > 0) yield value;
      if (done || value === undefined) return;
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
