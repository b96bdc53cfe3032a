// A stream of server-sent events that always answers: where it ends or breaks off and cannot be taken up again, an error
// with the request's id stands at its end. A request that was answered before takes no notice of it.

/** What a broken stream answers, as a JSON-RPC error code. */
export const STREAM_ENDED = -32_099;

/** An event with an id can be asked for again, and what follows it. */
const EVENT_ID = /(^|\n|\r)id:/;

export function answeredStream(
  body: ReadableStream<Uint8Array>,
  id: string | number,
): ReadableStream<Uint8Array> {
  const reader = body.getReader();
  const decoder = new TextDecoder();
  let tail = '';
  let resumable = false;
  return new ReadableStream({
    async pull(controller) {
      try {
        const { done, value } = await reader.read();
        if (!done) {
          tail += decoder.decode(value, { stream: true });
          resumable ||= EVENT_ID.test(tail);
          tail = tail.slice(-4);
          return controller.enqueue(value);
        }
      } catch (error) {
        if (resumable) return controller.error(error);
      }
      if (!resumable) controller.enqueue(ending(id));
      controller.close();
    },
    cancel: (reason) => reader.cancel(reason),
  });
}

function ending(id: string | number): Uint8Array {
  const error = { code: STREAM_ENDED, message: 'The answer broke off.' };
  return new TextEncoder().encode(`\n\ndata: ${JSON.stringify({ jsonrpc: '2.0', id, error })}\n\n`);
}
