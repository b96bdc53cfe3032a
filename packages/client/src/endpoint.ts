// One route as a function. Only the route's type is used, so no validator is loaded; a method or path that differs
// from the route's does not compile.
import type { RouteOutput, RouteRequest, RouteSpec } from '@capstan/schema/route';
import { readAnswer, type Sending, type Transport } from './transport.ts';

type Part = 'params' | 'query' | 'body';

/** What the route takes, without the parts it does not have. */
export type Input<R extends RouteSpec> = {
  [K in Part as RouteRequest<R>[K] extends undefined ? never : K]: RouteRequest<R>[K];
};

export type Endpoint<R extends RouteSpec> = (input: Input<R>, sending?: Sending) => Promise<RouteOutput<R>>;

/** A form of the route's parts, or bytes. */
export type Upload<R extends RouteSpec> = (
  input: Input<R> & { content: FormData | Blob | Uint8Array<ArrayBuffer> },
  sending?: Sending,
) => Promise<RouteOutput<R>>;

/** The answer as it comes, for routes that stream or send bytes. */
export type Download<R extends RouteSpec> = (input: Input<R>, sending?: Sending) => Promise<Response>;

export function endpoint<R extends RouteSpec>(
  transport: Transport,
  method: R['method'],
  path: R['path'],
): Endpoint<R> {
  return async (input, sending = {}) => {
    const response = await transport({ method, path, parts: input, ...sending });
    // The server builds its answers to the same route's schema.
    return (await readAnswer(response, sending.signal)) as RouteOutput<R>;
  };
}

export function upload<R extends RouteSpec>(
  transport: Transport,
  method: R['method'],
  path: R['path'],
): Upload<R> {
  return async ({ content, ...input }, sending = {}) => {
    const response = await transport({ method, path, parts: input, content, ...sending });
    return (await readAnswer(response, sending.signal)) as RouteOutput<R>;
  };
}

export function download<R extends RouteSpec>(
  transport: Transport,
  method: R['method'],
  path: R['path'],
): Download<R> {
  return (input, sending = {}) => transport({ method, path, parts: input, ...sending });
}
