import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { afterEach, describe, expect, it } from 'vitest';
import { startServer, type TestServer } from '../testing.ts';
import { untilAborted, Watchdog } from './watchdog.ts';

let server: TestServer | undefined;
afterEach(() => server?.stop());

const NEVER = new AbortController().signal;

function collectGarbage(): void {
  setFlagsFromString('--expose-gc');
  runInNewContext('gc')();
}

function expiry(watchdog: Watchdog): Promise<void> {
  return new Promise((resolve) => watchdog.signal.addEventListener('abort', () => resolve(), { once: true }));
}

describe('Watchdog', () => {
  it('counts every byte as life', async () => {
    server = await startServer((response) => {
      response.writeHead(200, { 'content-type': 'text/event-stream' });
      let comments = 0;
      const timer = setInterval(() => {
        comments++;
        response.write(': still here\n\n');
        if (comments < 40) return;
        clearInterval(timer);
        response.end('data: done\n\n');
      }, 50);
    });
    const watchdog = new Watchdog({ firstByteMs: 10_000, betweenPartsMs: 1_500 }, NEVER);
    const reply = await watchdog.fetch(server.url, { signal: watchdog.signal });
    expect(await reply.text()).toContain('done');
    expect(watchdog.expired).toBeNull();
    watchdog.stop();
  });

  it('gives a thought five times the patience', async () => {
    const timeouts = { firstByteMs: 10_000, betweenPartsMs: 30 };
    const thinking = new Watchdog(timeouts, NEVER);
    const talking = new Watchdog(timeouts, NEVER);
    thinking.heard(true);
    talking.heard(true);
    talking.heard(false);
    await expiry(talking);
    expect(thinking.expired).toBeNull();
    await expiry(thinking);
    expect(thinking.expired?.message).toContain('0.15 s');
    expect(talking.expired?.message).toContain('0.03 s');
  });

  it('passes on the abort of its caller and is no failure then', () => {
    const caller = new AbortController();
    const watchdog = new Watchdog({ firstByteMs: 10_000, betweenPartsMs: 10_000 }, caller.signal);
    caller.abort('stopped');
    expect(watchdog.signal.reason).toBe('stopped');
    expect(watchdog.expired).toBeNull();
    watchdog.stop();
  });

  it('ends a call that has had its time, however lively it is', async () => {
    server = await startServer((response) => {
      response.writeHead(200, { 'content-type': 'text/event-stream' });
      const timer = setInterval(() => response.write(': still here\n\n'), 20);
      response.on('close', () => clearInterval(timer));
    });
    const watchdog = new Watchdog({ firstByteMs: 10_000, betweenPartsMs: 10_000 }, NEVER, {
      withinMs: 1_000,
    });
    const reply = await watchdog.fetch(server.url, { signal: watchdog.signal });
    await expect(reply.text()).rejects.toThrow();
    expect(watchdog.expired).toMatchObject({ retryable: true, usage: undefined });
    expect(watchdog.expired?.message).toBe('The model took longer than the 1 s it had for its answer.');
    watchdog.stop();
  });

  it('closes the request when it stops', async () => {
    let closed: () => void = () => undefined;
    const close = new Promise<void>((resolve) => {
      closed = resolve;
    });
    server = await startServer((response) => {
      response.writeHead(200, { 'content-type': 'text/event-stream' });
      response.write(': hello\n\n');
      response.on('close', closed);
    });
    const watchdog = new Watchdog({ firstByteMs: 10_000, betweenPartsMs: 10_000 }, NEVER);
    await watchdog.fetch(server.url, { signal: watchdog.signal });
    watchdog.stop();
    await close;
  });
});

describe('untilAborted', () => {
  it('rejects at once when its source hangs', async () => {
    async function* hanging(): AsyncGenerator<number> {
      yield 1;
      await new Promise(() => undefined);
    }
    const abort = new AbortController();
    const values = untilAborted(hanging(), abort.signal);
    expect((await values.next()).value).toBe(1);
    const next = values.next();
    abort.abort('stopped');
    await expect(next).rejects.toBe('stopped');
  });

  it('holds none of the values it has given', async () => {
    const given: WeakRef<object>[] = [];
    async function* events(): AsyncGenerator<object> {
      for (;;) {
        const event = { text: 'a piece of a long reply' };
        given.push(new WeakRef(event));
        yield event;
      }
    }
    const values = untilAborted(events(), NEVER);
    for (let count = 0; count < 200; count++) await values.next();
    await new Promise(setImmediate);
    collectGarbage();
    expect(given.filter((event) => event.deref() !== undefined).length).toBeLessThan(10);
    await values.return(undefined);
  });
});
