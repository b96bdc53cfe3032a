// What a vendor's protocol does for the server: read a request, write a reply or a failure.
import type { IncomingHttpHeaders } from 'node:http';
import type { Conversation } from './conversation.ts';
import type { Frame, Reply } from './reply.ts';
import type { Failure } from './vendor-error.ts';

/** One request, understood, and the ways to answer it. */
export interface Exchange {
  conversation: Conversation;
  stream: boolean;
  /** Whether the request lets the prompt be cached. */
  caching: boolean;
  body(reply: Reply): unknown;
  frames(reply: Reply): Iterable<Frame>;
  /** The frames that end a stream with a failure. */
  failureFrames(failure: Failure): string;
}

export interface Protocol {
  name: 'chat_completions' | 'responses' | 'messages';
  path: string;
  /** Throws RequestError naming the member that is missing or wrong. */
  read(body: unknown, headers: IncomingHttpHeaders): Exchange;
  failureBody(failure: Failure, requestId: string): unknown;
  requestIdHeader: string;
}

export const sse = (data: unknown, event?: string): string =>
  `${event === undefined ? '' : `event: ${event}\n`}data: ${typeof data === 'string' ? data : JSON.stringify(data)}\n\n`;
