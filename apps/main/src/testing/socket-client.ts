// A WebSocket client of a session's stream, as an application has it.
import { request } from 'node:http';

export interface Message {
  /** Absent: a preview. */
  id?: number;
  event: { type: string; id?: string; [key: string]: unknown };
}

/** Node's own client takes headers; the types of Workers describe another. */
const NodeSocket = WebSocket as unknown as new (
  url: string,
  init: { headers: Record<string, string> },
) => WebSocket;

export class SocketClient {
  messages: Message[] = [];
  pongs = 0;
  closed: { code: number; reason: string } | null = null;
  socket: WebSocket;

  private constructor(socket: WebSocket) {
    this.socket = socket;
    socket.addEventListener('message', ({ data }) => {
      if (data === 'pong') this.pongs += 1;
      else this.messages.push(JSON.parse(String(data)));
    });
    socket.addEventListener('close', ({ code, reason }) => {
      this.closed = { code, reason };
    });
  }

  /** Pings, as clients do: workerd leaves a closed connection open whose client never sent a frame. Rejects when refused. */
  static open(url: string, headers: Record<string, string>): Promise<SocketClient> {
    const client = new SocketClient(new NodeSocket(url.replace(/^http/, 'ws'), { headers }));
    return new Promise((resolve, reject) => {
      client.socket.addEventListener('open', () => {
        client.socket.send('ping');
        resolve(client);
      });
      client.socket.addEventListener('error', () => reject(new Error('the socket was refused')));
    });
  }

  get ids(): number[] {
    return this.messages.flatMap(({ id }) => (id === undefined ? [] : [id]));
  }

  get events(): Message['event'][] {
    return this.messages.flatMap(({ id, event }) => (id === undefined ? [] : [event]));
  }
}

/** What a handshake is answered with: 101 when a socket was opened, which is closed again. */
export function handshake(url: string, headers: Record<string, string>): Promise<number> {
  const upgrade = {
    upgrade: 'websocket',
    connection: 'upgrade',
    'sec-websocket-version': '13',
    'sec-websocket-key': Buffer.alloc(16).toString('base64'),
  };
  return new Promise((resolve, reject) => {
    const asked = request(url, { headers: { ...upgrade, ...headers } });
    asked.on('response', (response) => {
      resolve(response.statusCode ?? 0);
      response.resume();
    });
    asked.on('upgrade', (response, socket) => {
      resolve(response.statusCode ?? 0);
      socket.destroy();
    });
    asked.on('error', reject);
    asked.end();
  });
}
