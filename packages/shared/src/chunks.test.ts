import { describe, expect, it } from 'vitest';
import { chunksOf, piecesOf } from './chunks.ts';

describe('the pieces of a stream', () => {
  it.each([0, 1, 99, 100, 101, 300, 600_000])(
    'of %i bytes are its bytes, each but the last as long as asked',
    async (size) => {
      const bytes = new Uint8Array(size).map((_, index) => index % 251);
      const wanted = size > 1_000 ? 70_001 : 100;
      const pieces: Uint8Array[] = [];
      for await (const piece of piecesOf(new Blob([bytes]).stream(), wanted)) pieces.push(piece);
      expect(Buffer.concat(pieces).equals(bytes)).toBe(true);
      expect(pieces.slice(0, -1).every(({ length }) => length === wanted)).toBe(true);
      expect(pieces).toHaveLength(Math.ceil(size / wanted));
    },
  );
});

describe('the chunks of a stream', () => {
  it('are its bytes, in their order', async () => {
    const bytes = crypto.getRandomValues(new Uint8Array(60_000));
    const all = new Uint8Array([...bytes, ...bytes, ...bytes, ...bytes, ...bytes, ...bytes]);
    const pieces: Uint8Array[] = [];
    for await (const chunk of chunksOf(new Blob([all]).stream())) pieces.push(chunk);
    expect(Buffer.concat(pieces).equals(all)).toBe(true);
    expect(pieces.map(({ length }) => length)).toEqual([262_144, 97_856]);
  });

  it('are told of what breaks the stream', async () => {
    let sent = false;
    const pull = (controller: ReadableByteStreamController) => {
      if (sent) controller.error(new TypeError('cut'));
      else controller.enqueue(new Uint8Array(10));
      sent = true;
    };
    const read = async () => {
      for await (const chunk of chunksOf(new ReadableStream({ type: 'bytes', pull })))
        expect(chunk.length).toBe(10);
    };
    await expect(read()).rejects.toThrow('cut');
  });

  it('leave the stream to others when they are not all wanted', async () => {
    const stream = new Blob([new Uint8Array(1_000_000)]).stream();
    for await (const chunk of chunksOf(stream)) {
      expect(chunk.length).toBeGreaterThan(0);
      break;
    }
    expect(stream.locked).toBe(false);
  });
});
