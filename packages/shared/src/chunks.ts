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
