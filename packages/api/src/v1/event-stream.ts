// A session's events as they happen, over what the client asked for: server-sent events, or a WebSocket.
import type { SessionAddress } from '@capstan/session/address';
import type { StreamQuery } from '@capstan/session/service';
import type { ApiPorts } from '../ports.ts';
import { asksForSocket } from '../socket.ts';

/** `call` is the request of an admitted caller. */
export function openStream(
  { sessions, socket }: ApiPorts,
  { request }: { request: Request },
  { address, query }: { address: SessionAddress; query: StreamQuery },
): Promise<ReadableStream<Uint8Array> | Response> {
  return asksForSocket(request) ? socket(address, query) : sessions.streamEvents(address, query);
}
