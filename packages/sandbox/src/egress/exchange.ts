// Exchange: one request of a sandbox to a host and the host's answer, both as they stream, over a socket made for it.
// Where credentials are bound, placeholders are filled in on the way there, and secrets masked on the way back.
import { type ClientRequest, type IncomingMessage, type ServerResponse, request as send } from 'node:http';
import type { Socket } from 'node:net';
import { pipeline } from 'node:stream/promises';
import { deliver, join } from './answer.ts';
import { EgressRefusal } from './denial.ts';
import { flatten } from './headers.ts';
import { type Asked, type Outgoing, toOutgoing } from './outgoing.ts';
import type { Scrubber } from './scrubber.ts';

export interface Exchange extends Asked {
  response: ServerResponse;
  /** Masks what the answer must not hold; null where no credential is bound. */
  scrubber: Scrubber | null;
  /** Called when the host answers, with the ids of the credentials that were filled in. */
  onAnswer(used: ReadonlySet<string>, status: number): void;
}

export const MAX_HEADER_BYTES = 32 * 1024;

/** Ends the socket in any case. Throws EgressRefusal while nothing was answered, and whatever broke it after that. */
export async function exchange(host: Socket, given: Exchange): Promise<void> {
  const { request, response, scrubber } = given;
  const gone = () => host.destroy();
  response.once('close', gone);
  try {
    const outgoing = await toOutgoing(given);
    const asking = ask(host, request, outgoing);
    const { incoming, socket } = await answerTo(asking, request, outgoing);
    given.onAnswer(outgoing.used(), incoming.statusCode ?? 0);
    if (socket === null) await deliver(response, incoming, scrubber);
    else {
      response.detachSocket(request.socket);
      await join(request.socket, socket, { incoming, scrubber });
    }
  } finally {
    response.off('close', gone);
    host.destroy();
  }
}

function ask(host: Socket, { method = 'GET' }: IncomingMessage, outgoing: Outgoing): ClientRequest {
  try {
    return send({
      createConnection: () => host,
      method,
      path: outgoing.path,
      headers: flatten(outgoing.headers),
      setHost: false,
      maxHeaderSize: MAX_HEADER_BYTES,
    });
  } catch (error) {
    // Characters that have no place in a request line or a header.
    throw new EgressRefusal('bad_request', '', { cause: error });
  }
}

interface Answer {
  incoming: IncomingMessage;
  /** When the host agreed to a WebSocket that was asked for. */
  socket: Socket | null;
}

function answerTo(
  asking: ClientRequest,
  request: IncomingMessage,
  { body, headers }: Outgoing,
): Promise<Answer> {
  const upgrade = headers.some(([name]) => name === 'Upgrade');
  return new Promise((resolve, reject) => {
    const fail = (error?: Error | null) => reject(failed(error));
    asking.once('response', (incoming) => resolve({ incoming, socket: null }));
    asking.once('upgrade', (incoming, socket, head) => {
      if (!upgrade) return fail();
      if (head.length > 0) socket.unshift(head);
      resolve({ incoming, socket });
    });
    asking.on('error', fail);
    asking.once('close', () => fail());
    if (Buffer.isBuffer(body)) asking.end(body);
    // An answer may come before the request has ended, and is passed on all the same.
    else pipeline([request, ...body, asking]).catch(() => {});
  });
}

function failed(error?: Error | null): EgressRefusal {
  const code = error && 'code' in error && typeof error.code === 'string' ? error.code : '';
  return new EgressRefusal('upstream_failed', code, { cause: error });
}
