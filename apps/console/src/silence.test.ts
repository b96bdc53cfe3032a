import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { withWatch } from './silence.ts';

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

function open(type: string) {
  let say: (text: string) => void = () => undefined;
  const body = new ReadableStream<Uint8Array>({
    start(controller) {
      say = (text) => controller.enqueue(new TextEncoder().encode(text));
    },
  });
  const response = withWatch(new Response(body, { headers: { 'content-type': type } }), 1000);
  return { reader: response.body?.getReader(), say: (text: string) => say(text) };
}

describe('withWatch', () => {
  it('fails a stream that fell silent, and only then', async () => {
    const { reader, say } = open('text/event-stream');
    say(': one\n\n');
    expect((await reader?.read())?.done).toBe(false);
    await vi.advanceTimersByTimeAsync(900);
    say(': two\n\n');
    expect((await reader?.read())?.done).toBe(false);
    await vi.advanceTimersByTimeAsync(900);
    const last = expect(reader?.read()).rejects.toThrow('silent');
    await vi.advanceTimersByTimeAsync(200);
    await last;
  });

  it('leaves no timer behind when the reader goes', async () => {
    const { reader } = open('text/event-stream');
    await reader?.cancel();
    expect(vi.getTimerCount()).toBe(0);
  });

  it('leaves other answers alone', () => {
    open('application/json');
    expect(vi.getTimerCount()).toBe(0);
  });
});
