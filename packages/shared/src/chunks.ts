// A stream of bytes in chunks as large as it has them: read by default, some hosts give 4 KiB at a time and no more.
const CHUNK_BYTES = 256 * 1024;

/** The stream must be one of bytes. Whoever stops early leaves it where it is. */
export async function* chunksOf(stream: ReadableStream<Uint8Array>): AsyncGenerator<Uint8Array, undefined> {
  const reader = stream.getReader({ mode: 'byob' });
  try {
    for (;;) {
      const { done, value } = await reader.read(new Uint8Array(CHUNK_BYTES));
      if (done || value === undefined) return;
      yield value;
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
