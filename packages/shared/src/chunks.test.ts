import { describe, expect, it } from 'vitest';
import { chunksOf } from './chunks.ts';

describe('the chunks of a stream', () => {
  it('are its bytes, in their order', async () => {
    const bytes = crypto.getRandomValues(new Uint8Array(60_000));
    const all = new Uint8Array([...bytes, ...bytes, ...bytes, ...bytes, ...bytes, ...bytes]);
    const pieces: Uint8Array[] = [];
    for await (const chunk of chunksOf(new Blob([all]).stream())) pieces.push(chunk);
    expect(Buffer.concat(pieces).equals(all)).toBe(true);
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
