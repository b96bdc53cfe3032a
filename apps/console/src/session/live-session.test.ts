import type { SessionEvent } from '@capstan/schema/events';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { LiveSession } from './live-session.ts';

type Answer = (url: URL, headers: Headers) => Response;

let asked: string[];
let streams: Answer[];
let pages: Answer[];
let leave: (() => void) | null;

beforeEach(() => {
  asked = [];
  streams = [];
  pages = [];
  leave = null;
  // What a page has and this runtime has not.
  vi.stubGlobal('addEventListener', () => undefined);
  vi.stubGlobal('removeEventListener', () => undefined);
  vi.stubGlobal('fetch', async (path: string, init: RequestInit) => {
    const url = new URL(path, 'http://capstan.test');
    const kind = url.pathname.endsWith('/stream') ? 'stream' : 'history';
    const headers = new Headers(init.headers);
    asked.push(`${kind} ${headers.get('last-event-id') ?? url.searchParams.get('page') ?? ''}`.trim());
    const answer = (kind === 'stream' ? streams : pages).shift();
    return answer?.(url, headers) ?? refuse(404);
  });
});

afterEach(() => {
  leave?.();
  vi.unstubAllGlobals();
});

const message = (n: number): SessionEvent => ({
  id: `sevt_${n}`,
  type: 'agent.message',
  processed_at: '2026-11-20T10:00:00Z',
  content: [{ type: 'text', text: `message ${n}` }],
});

function refuse(status: number): Response {
  return Response.json(
    { type: 'error', error: { type: 'some_error', message: `no: ${status}` } },
    { status },
  );
}

/** The newest first, as the list is asked for. */
function page(numbers: number[], next: string | null = null): Answer {
  return () => Response.json({ data: numbers.toReversed().map(message), next_page: next });
}

/** Says these, with the wish to be asked again soon; then ends, or stays open. */
function line(numbers: number[], then: 'ends' | 'stays'): Answer {
  const frames = numbers.map(
    (n) => `id: ${n}\nevent: agent.message\ndata: ${JSON.stringify(message(n))}\n\n`,
  );
  return () => {
    const body = new ReadableStream<Uint8Array>({
      start(controller) {
        controller.enqueue(new TextEncoder().encode(`retry: 1\n\n${frames.join('')}`));
        if (then === 'ends') controller.close();
      },
    });
    return new Response(body, { headers: { 'content-type': 'text/event-stream' } });
  };
}

function open(): LiveSession {
  const live = new LiveSession('sesn_1');
  leave = live.subscribe(() => undefined);
  return live;
}

const shown = (live: LiveSession) => live.view().snapshot.events.map(({ id }) => Number(id.slice(5)));

describe('LiveSession', () => {
  it('opens the stream before it reads history, and shows what both bring once', async () => {
    streams = [line([2, 3], 'stays')];
    pages = [page([1, 2])];
    const live = open();
    await expect.poll(() => shown(live)).toEqual([1, 2, 3]);
    expect(live.view()).toMatchObject({ connection: 'live', loaded: true, hasEarlier: false, failure: null });
    expect(asked).toEqual(['stream', 'history']);
  });

  it('takes a broken stream up after the last event, without reading history again', async () => {
    streams = [line([2], 'ends'), line([3], 'stays')];
    pages = [page([1, 2])];
    const live = open();
    await expect.poll(() => shown(live)).toEqual([1, 2, 3]);
    expect(asked).toEqual(['stream', 'history', 'stream 2']);
  });

  it('reads history again when a stream broke that said nothing yet', async () => {
    streams = [line([], 'ends'), line([], 'stays')];
    pages = [page([1]), page([1, 2])];
    const live = open();
    await expect.poll(() => shown(live)).toEqual([1, 2]);
    expect(live.view()).toMatchObject({ connection: 'live', loaded: true });
  });

  it('tries no more after a refusal that waiting cannot cure, and shows it', async () => {
    streams = [() => refuse(404)];
    const live = open();
    await expect.poll(() => live.view().connection).toBe('closed');
    expect(live.view().failure).toMatchObject({ status: 404, message: 'no: 404' });
    expect(asked).toEqual(['stream']);
  });

  it('reads earlier events on demand, again after that failed', async () => {
    streams = [line([], 'stays')];
    pages = [page([3, 4], 'older'), () => refuse(400), page([1, 2])];
    const live = open();
    await expect.poll(() => live.view().hasEarlier).toBe(true);
    await expect(live.loadEarlier()).rejects.toMatchObject({ status: 400 });
    expect(live.view().hasEarlier).toBe(true);
    await live.loadEarlier();
    expect(shown(live)).toEqual([1, 2, 3, 4]);
    expect(live.view().hasEarlier).toBe(false);
    expect(asked).toEqual(['stream', 'history', 'history older', 'history older']);
  });
});
