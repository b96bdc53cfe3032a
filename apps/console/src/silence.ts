// A stream that says nothing for too long is dead: the server keeps a quiet line alive with comments, so silence means
// that something between closed the line without telling. Failing it makes its reader connect again.
const LONGEST_SILENCE_MS = 60_000;

/** The response itself, or for a stream one whose body fails after `silenceMs` without a byte. */
export function withWatch(response: Response, silenceMs = LONGEST_SILENCE_MS): Response {
  if (response.body === null || !response.headers.get('content-type')?.startsWith('text/event-stream')) {
    return response;
  }
  const { body, status, statusText, headers } = response;
  return new Response(body.pipeThrough(watch(silenceMs)), { status, statusText, headers });
}

function watch(silenceMs: number): TransformStream<Uint8Array, Uint8Array> {
  let timer: ReturnType<typeof setTimeout>;
  const rearm = (controller: TransformStreamDefaultController<Uint8Array>) => {
    clearTimeout(timer);
    timer = setTimeout(() => controller.error(new Error('the line fell silent')), silenceMs);
  };
  const transformer: Transformer<Uint8Array, Uint8Array> & { cancel: () => void } = {
    start: rearm,
    transform(chunk, controller) {
      rearm(controller);
      controller.enqueue(chunk);
    },
    flush: () => clearTimeout(timer),
    cancel: () => clearTimeout(timer),
  };
  return new TransformStream(transformer);
}
