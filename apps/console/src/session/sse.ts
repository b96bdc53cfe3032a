// Server-sent events from a byte stream. Invariant: how the bytes are cut into chunks changes nothing.

export interface Frame {
  id: string | null;
  data: string;
}

/** Yields frames with data; comment lines and unknown fields are skipped, an unfinished last frame is dropped. */
export async function* readFrames(body: ReadableStream<Uint8Array>): AsyncGenerator<Frame | 'comment'> {
  const lines = readLines(body);
  let id: string | null = null;
  let data: string[] = [];
  for await (const line of lines) {
    if (line === '') {
      if (data.length > 0) yield { id, data: data.join('\n') };
      data = [];
      id = null;
    } else if (line.startsWith(':')) yield 'comment';
    else if (field(line, 'data') !== null) data.push(field(line, 'data') ?? '');
    else if (field(line, 'id') !== null) id = field(line, 'id');
  }
}

function field(line: string, name: string): string | null {
  if (!line.startsWith(`${name}:`)) return null;
  const value = line.slice(name.length + 1);
  return value.startsWith(' ') ? value.slice(1) : value;
}

async function* readLines(body: ReadableStream<Uint8Array>): AsyncGenerator<string> {
  const reader = body.getReader();
  const decoder = new TextDecoder();
  let rest = '';
  try {
    for (;;) {
      const { done, value } = await reader.read();
      rest += decoder.decode(value, { stream: !done });
      // A lone \r at the end may be half of \r\n: it waits for the next chunk.
      const end = done ? rest.length : rest.length - (rest.endsWith('\r') ? 1 : 0);
      const lines = rest.slice(0, end).split(/\r\n|\r|\n/);
      rest = (lines.pop() ?? '') + rest.slice(end);
      yield* lines;
      if (done) return;
    }
  } finally {
    await reader.cancel().catch(() => undefined);
  }
}
