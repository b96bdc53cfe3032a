// The smallest client that can measure: kept-alive connections, one parser for event streams, nothing retried.
import http from 'node:http';

export interface StreamedEvent {
  type: string;
  data: string;
  /** Its position in the log; null of what is not in the log. */
  position: number | null;
  /** performance.now() when its bytes arrived. */
  at: number;
}

export class ApiClient {
  #url: URL;
  #headers: Record<string, string>;
  #agent = new http.Agent({ keepAlive: true, maxSockets: 64, scheduling: 'lifo' });
  /** Streams stay open: they must not take the places of requests. */
  #streams = new http.Agent({ keepAlive: false });

  constructor({ url, apiKey }: { url: string; apiKey: string }) {
    this.#url = new URL(url);
    this.#headers = { 'x-api-key': apiKey, 'content-type': 'application/json' };
  }

  /** Creates something and returns its id. */
  async create(path: string, body: object): Promise<string> {
    return (await this.request<{ id: string }>('POST', path, body)).id;
  }

  request<Answer>(method: string, path: string, body?: object): Promise<Answer> {
    return new Promise((resolve, reject) => {
      const request = http.request(this.#options(method, path), (response) => {
        const parts: Buffer[] = [];
        response.on('data', (part: Buffer) => parts.push(part));
        response.on('end', () => {
          const text = Buffer.concat(parts).toString();
          if ((response.statusCode ?? 500) < 300) resolve(JSON.parse(text));
          else reject(new Error(`${method} ${path}: ${response.statusCode} ${text.slice(0, 300)}`));
        });
      });
      request.on('error', reject);
      request.end(body === undefined ? undefined : JSON.stringify(body));
    });
  }

  /** Opens a session's stream; resolves once the server has answered. The result closes it. */
  stream(sessionId: string, onEvent: (event: StreamedEvent) => void): Promise<() => void> {
    return new Promise((resolve, reject) => {
      const request = http.request(
        { ...this.#options('GET', `/v1/sessions/${sessionId}/events/stream`), agent: this.#streams },
        (response) => {
          if (response.statusCode !== 200) return reject(new Error(`stream: ${response.statusCode}`));
          let rest = '';
          response.setEncoding('utf8');
          response.on('data', (text: string) => {
            const blocks = (rest + text).split('\n\n');
            rest = blocks.pop() ?? '';
            for (const block of blocks) emit(block, onEvent);
          });
          response.on('error', () => undefined);
          resolve(() => request.destroy());
        },
      );
      request.on('error', reject);
      request.setNoDelay(true);
      request.end();
    });
  }

  close(): void {
    this.#agent.destroy();
    this.#streams.destroy();
  }

  #options(method: string, path: string): http.RequestOptions {
    const { hostname, port } = this.#url;
    return { hostname, port, method, path, headers: this.#headers, agent: this.#agent };
  }
}

function emit(block: string, onEvent: (event: StreamedEvent) => void): void {
  const at = performance.now();
  const data = /^data: (.*)$/m.exec(block)?.[1];
  if (data === undefined) return;
  const id = /^id: (\d+)$/m.exec(block)?.[1];
  const type = /^event: (.*)$/m.exec(block)?.[1] ?? '';
  onEvent({ type, data, position: id === undefined ? null : Number(id), at });
}
