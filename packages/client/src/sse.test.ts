import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type Frame, readFrames, SseParser } from './sse.ts';

const line = fc.stringMatching(/^[a-z äß€😀:"{}]{0,12}$/u);
const written = fc.record({
  event: fc.option(fc.stringMatching(/^[a-z._]{1,12}$/), { nil: undefined }),
  id: fc.option(fc.nat().map(String), { nil: undefined }),
  data: fc.array(line, { minLength: 1, maxLength: 4 }),
  comment: fc.boolean(),
});
const lineEnd = fc.constantFrom('\n', '\r\n', '\r');

function write(frames: (typeof written extends fc.Arbitrary<infer T> ? T : never)[], end: string): string {
  const lines = frames.flatMap(({ event, id, data, comment }) => [
    ...(comment ? [': still here', ''] : []),
    ...(id === undefined ? [] : [`id: ${id}`]),
    ...(event === undefined ? [] : [`event: ${event}`]),
    ...data.map((text) => `data: ${text}`),
    '',
  ]);
  return lines.map((text) => text + end).join('');
}

function expected(
  frames: { event?: string | undefined; id?: string | undefined; data: string[] }[],
): Frame[] {
  let id: string | null = null;
  return frames.map((frame) => {
    id = frame.id ?? id;
    return { event: frame.event ?? 'message', data: frame.data.join('\n'), id };
  });
}

function inPieces(bytes: Uint8Array, sizes: number[]): ReadableStream<Uint8Array> {
  let at = 0;
  let turn = 0;
  return new ReadableStream({
    pull(controller) {
      if (at >= bytes.length) return controller.close();
      const size = sizes[turn++ % sizes.length] ?? 1;
      controller.enqueue(bytes.slice(at, at + size));
      at += size;
    },
  });
}

describe('readFrames', () => {
  it('reads the same frames whatever the line ends and wherever the bytes are cut', async () => {
    const sizes = fc.array(fc.integer({ min: 1, max: 9 }), { minLength: 1 });
    await fc.assert(
      fc.asyncProperty(fc.array(written), lineEnd, sizes, async (...[frames, end, cuts]) => {
        const bytes = new TextEncoder().encode(`${write(frames, end)}data: incomplete`);
        const read: Frame[] = [];
        for await (const frame of readFrames(inPieces(bytes, cuts))) read.push(frame);
        // A lone carriage return at the end waits for what may follow; the incomplete line shows that nothing did.
        expect(read).toEqual(expected(frames));
      }),
    );
  });

  it('cancels the body when its reader leaves', async () => {
    let cancelled = false;
    const body = new ReadableStream<Uint8Array>({
      pull: (controller) => controller.enqueue(new TextEncoder().encode('data: x\n\n')),
      cancel: () => {
        cancelled = true;
      },
    });
    for await (const frame of readFrames(body)) {
      expect(frame.data).toBe('x');
      break;
    }
    expect(cancelled).toBe(true);
  });
});

describe('SseParser', () => {
  const parse = (text: string) => new SseParser().push(text);

  it('drops a byte order mark, comments, unknown fields and frames without data', () => {
    expect(parse('\uFEFFdata: a\n\n: note\n\nevent: ping\n\nfield: x\ndata:b\n\n')).toEqual([
      { event: 'message', data: 'a', id: null },
      { event: 'message', data: 'b', id: null },
    ]);
  });

  it('keeps all but the first space, and empty data lines', () => {
    expect(parse('data:  two\ndata\ndata:\n\n')).toEqual([{ event: 'message', data: ' two\n\n', id: null }]);
  });

  it('remembers the id and the retry time, and refuses ids with a null character', () => {
    const parser = new SseParser();
    expect(parser.push('id: 7\nretry: 1500\ndata: a\n\n')).toEqual([
      { event: 'message', data: 'a', id: '7' },
    ]);
    expect(parser.push('id: \0\nretry: soon\ndata: b\n\n')).toEqual([
      { event: 'message', data: 'b', id: '7' },
    ]);
    expect(parser.retryMs).toBe(1500);
  });
});
