// The WebSockets of one session's object. They outlive its memory: where each stands is kept with the socket, and whoever
// opens the session next goes on there (R5). An object that only has sockets sleeps.
import type { StreamQuery } from '@capstan/session/service';
import type { Socket, SocketReader } from '@capstan/session/socket-reader';
import type { Logger } from '@capstan/shared/logger';

/** Who tells a socket what happens. Refuses as a stream does. */
export interface Teller {
  attach(socket: Socket, query: StreamQuery): SocketReader;
}

const OPEN = 1;
const NORMAL = 1000;
const UNSUPPORTED = 1003;

export class Sockets {
  #ctx: DurableObjectState;
  #logger: Logger;
  #readers = new WeakMap<WebSocket, SocketReader>();

  constructor(ctx: DurableObjectState, logger: Logger) {
    this.#ctx = ctx;
    this.#logger = logger;
    ctx.setWebSocketAutoResponse(new WebSocketRequestResponsePair('ping', 'pong'));
  }

  /** Answers an upgrade. Refuses as a stream does. */
  accept(teller: Teller, query: StreamQuery): Response {
    const { 0: client, 1: server } = new WebSocketPair();
    const reader = teller.attach(this.#port(server, query), query);
    this.#ctx.acceptWebSocket(server);
    this.#run(server, reader);
    return new Response(null, { status: 101, webSocket: client });
  }

  /** The session was opened anew: every socket goes on. */
  resume(teller: Teller): void {
    for (const socket of this.#ctx.getWebSockets()) {
      // What was kept below.
      const query: StreamQuery | null = socket.deserializeAttachment();
      if (socket.readyState !== OPEN || query === null) continue;
      try {
        this.#run(socket, teller.attach(this.#port(socket, query), query));
      } catch (error) {
        this.#logger.info('socket.refused', { reason: error instanceof Error ? error.message : 'unknown' });
        socket.close(NORMAL, 'the session is over');
      }
    }
  }

  /** The client is lost. */
  leave(socket: WebSocket): void {
    this.#readers.get(socket)?.leave();
  }

  /** The client has closed, and waits for the answer: a socket that may sleep is not answered for. */
  answerClose(socket: WebSocket): void {
    this.leave(socket);
    socket.close(NORMAL);
  }

  /** Sockets only tell: what a client says beside `ping` is refused, so that it does not think it was heard. */
  refuse(socket: WebSocket): void {
    this.leave(socket);
    socket.close(UNSUPPORTED, 'only "ping" may be sent here; send events with POST');
  }

  #run(socket: WebSocket, reader: SocketReader): void {
    this.#readers.set(socket, reader);
    reader.run().catch((error: unknown) => this.#logger.error('socket.failed', {}, error));
  }

  #port(socket: WebSocket, query: StreamQuery): Socket {
    return {
      send: (text) => socket.send(text),
      keep: (after) => socket.serializeAttachment({ ...query, after } satisfies StreamQuery),
      close: (code, reason) => socket.close(code, reason),
      heardAt: () => this.#ctx.getWebSocketAutoResponseTimestamp(socket)?.getTime() ?? null,
    };
  }
}
