// Bounded bodies: a stream of bytes that ends in an error where it would grow longer than it may. Nothing is read ahead.

export interface BodyBounds {
  maxBytes: number;
  tooLarge(): Error;
  /** What a failure of the stream is told as. */
  explain(error: unknown): unknown;
  /** Called once nothing more is read of it. */
  ended(): void;
}

export function boundedBody(
  body: ReadableStream<Uint8Array>,
  { maxBytes, tooLarge, explain, ended }: BodyBounds,
): ReadableStream<Uint8Array<ArrayBuffer>> {
  const reader = body.getReader();
  let seen = 0;
  return new ReadableStream(
    {
      async pull(controller) {
        try {
          const { done, value } = await reader.read();
          if (done) {
            ended();
            return controller.close();
          }
          seen += value.byteLength;
          if (seen > maxBytes) throw tooLarge();
          controller.enqueue(new Uint8Array(value));
        } catch (error) {
          controller.error(explain(error));
          ended();
          await reader.cancel(error).catch(() => {});
        }
      },
      cancel(reason) {
        ended();
        return reader.cancel(reason);
      },
    },
    { highWaterMark: 0 },
  );
}
