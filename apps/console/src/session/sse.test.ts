import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type Frame, readFrames } from './sse.ts';

async function read(bytes: Uint8Array, cuts: number[]): Promise<(Frame | 'comment')[]> {
  const edges = [0, ...cuts.map((cut) => cut % (bytes.length + 1)).sort((a, b) => a - b), bytes.length];
  const chunks = edges.slice(1).map((edge, index) => bytes.slice(edges[index], edge));
  const body = new ReadableStream<Uint8Array>({
    start(controller) {
      for (const chunk of chunks) controller.enqueue(chunk);
      controller.close();
    },
  });
  const frames: (Frame | 'comment')[] = [];
  for await (const frame of readFrames(body)) frames.push(frame);
  return frames;
}

describe('readFrames', () => {
  it('reads ids, data of several lines and comments, and drops an unfinished frame', async () => {
    const text = ': hi\n\nevent: x\nid: 7\ndata: {"a":\ndata: 1}\n\ndata: lost';
    expect(await read(new TextEncoder().encode(text), [])).toEqual([
      'comment',
      { id: '7', data: '{"a":\n1}' },
    ]);
  });

  it('reads the same frames however the bytes are cut', async () => {
    const frame = fc.record({ id: fc.nat(), text: fc.string({ unit: 'grapheme' }) });
    const newline = fc.constantFrom('\n', '\r\n', '\r');
    await fc.assert(
      fc.asyncProperty(fc.array(frame), newline, fc.array(fc.nat()), async (frames, nl, cuts) => {
        const data = frames.map(({ id, text }) => ({ id: String(id), data: JSON.stringify({ text }) }));
        const wire = data.map((one) => `id: ${one.id}${nl}data: ${one.data}${nl}${nl}`).join('');
        expect(await read(new TextEncoder().encode(wire), cuts)).toEqual(data);
      }),
      { numRuns: 200 },
    );
  });
});
